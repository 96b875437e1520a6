import type { SipHeader, SipMessage } from './message.js';

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
  const length = String(message.body.length);
  let head = startLine(message) + '\r\n';
  let counted = false;
  for (const line of message.headers) {
    if (line.key === 'content-length') {
      if (counted) continue;
      counted = true;
      head += `${line.name}: ${length}\r\n`;
    } else head += `${line.name}: ${line.value}\r\n`;
  }
  if (!counted) head += `Content-Length: ${length}\r\n`;
  head += '\r\n';
  const bytes = Buffer.allocUnsafe(head.length + message.body.length);
  bytes.write(head, 'latin1');
  bytes.set(message.body, head.length);
  return bytes;
}

/** The headers with the first one of this name replaced by another value. */
export function replaceFirst(headers: readonly SipHeader[], key: string, value: string): SipHeader[] {
  const at = headers.findIndex((line) => line.key === key);
  return headers.map((line, index) => (index === at ? { ...line, value } : line));
}
