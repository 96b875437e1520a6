import type { SrfHeaders } from './drachtio-types.js';

/** A drachtio-server corrupts its connection when larger frames come back to back (reference, §9.1). */
export const frameLimitBytes = 4_000;

/** Message id, command, method, version and Content-Length. */
const framingBytes = 100;

/** What of a request's frame is no header. */
export interface FrameParts {
  readonly uri: string;
  /** The SIP server's name of the dialog, the next hop. */
  readonly names?: string | undefined;
  readonly body?: string | undefined;
}

/** Bytes that the headers of a request may take up in its frame. Those that the SIP server adds travel no frame of ours. */
export function headerRoom({ uri, names = '', body = '' }: FrameParts): number {
  return frameLimitBytes - framingBytes - Buffer.byteLength(`${uri}${names}${body}`);
}

/** What headers take up. */
export function headerBytes(headers: Readonly<Partial<SrfHeaders>>): number {
  let bytes = 0;
  for (const [name, value = ''] of Object.entries(headers)) bytes += Buffer.byteLength(`${name}: ${value}\r\n`);
  return bytes;
}

/** The first of several ways to write a request's headers that there is room for; the last if there is for none. */
export function firstFitting(ways: readonly [SrfHeaders, ...SrfHeaders[]], roomBytes: number): SrfHeaders {
  return ways.find((headers) => headerBytes(headers) <= roomBytes) ?? ways[ways.length - 1] ?? ways[0];
}

/** What takes up most of a frame, for whoever is to make it shorter: the name of a header, or what else it is. */
export function largestPart(frame: string): { readonly part: string; readonly bytes: number } {
  const [head = '', ...body] = frame.split('\r\n\r\n');
  const [names = '', startLine = '', ...headers] = head.split('\r\n');
  const parts: readonly (readonly [part: string, text: string])[] = [
    ['Call-ID, tag or next hop', names],
    ['Request-URI', startLine],
    ['body', body.join('\r\n\r\n')],
    ...headers.map((line) => [line.split(':', 1)[0] ?? '', line] as const),
  ];
  let largest = { part: '', bytes: -1 };
  for (const [part, text] of parts) {
    const bytes = Buffer.byteLength(text);
    if (bytes > largest.bytes) largest = { part, bytes };
  }
  return largest;
}

/**
 * A frame of a response without what srf copied from the request: the SIP server takes it from the transaction. srf answers a BYE by
 * itself, so nobody could leave it out before.
 */
export function withoutEcho(frame: string): string {
  if (!/^sip\|[^\r\n]*\r\nSIP\/2\.0 /.test(frame)) return frame;
  const [head = '', ...body] = frame.split('\r\n\r\n');
  const isKept = (line: string): boolean => !/^(?:from|to|call-id|cseq):/i.test(line);
  return [head.split('\r\n').filter(isKept).join('\r\n'), ...body].join('\r\n\r\n');
}
