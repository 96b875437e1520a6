import type { HeaderLines, SipHeader, SipMessage } from './message.js';

/** The start line, without its CRLF. */
export const startLine = (message: SipMessage): string =>
  message.kind === 'request'
    ? `${message.method} ${message.uri} SIP/${message.version}`
    : `SIP/${message.version} ${message.status} ${message.reason}`;

/**
 * Writes a message. Headers go out in their order; Content-Length is always the true length in bytes,
 * in the place where it stood, else last.
 */
export function serialise(message: SipMessage): Buffer {
  const { headers, body } = message;
  const { written } = headers;
  const lines = written?.bodyLength === body.length ? `${written.text}\r\n` : linesOf(headers, body.length);
  const head = `${startLine(message)}\r\n${lines}\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 'latin1');
  bytes.set(body, head.length);
  return bytes;
}

function linesOf(headers: readonly SipHeader[], bodyLength: number): string {
  const length = `Content-Length: ${bodyLength}\r\n`;
  let lines = '';
  let counted = false;
  for (const { name, key, value } of headers) {
    if (key !== 'content-length') lines += `${name}: ${value}\r\n`;
    else if (!counted) {
      counted = true;
      lines += name === 'Content-Length' ? length : `${name}: ${bodyLength}\r\n`;
    }
  }
  return counted ? lines : lines + length;
}

/** The headers with the first one of this name replaced by another value. */
export function replaceFirst(headers: HeaderLines, key: string, value: string): HeaderLines {
  const at = headers.findIndex((line) => line.key === key);
  const replaced = headers.map((line, index) => (index === at ? { ...line, value } : line));
  const { written } = headers;
  // What would part lines is seen in a value of its own, not in a text.
  if (!written || at < 0 || key === 'content-length' || /[\r\n]/.test(value)) return replaced;
  let from = 0;
  for (const line of headers.slice(0, at)) from += line.name.length + line.value.length + ': \r\n'.length;
  const line = headers[at];
  from += (line?.name.length ?? 0) + ': '.length;
  const text = written.text.slice(0, from) + value + written.text.slice(from + (line?.value.length ?? 0));
  return Object.assign(replaced, { written: { ...written, text } });
}
