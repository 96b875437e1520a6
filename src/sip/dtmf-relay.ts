/** A key pressed at the PBX and told by INFO. */
export interface InfoDtmf {
  readonly digit: string;
  readonly durationMs: number;
}

/** Bodies of INFO that carry a key; for the Accept header of a 415. */
export const dtmfContentTypes = 'application/dtmf-relay, application/dtmf';

const defaultDurationMs = 250;
const shortestMs = 40;
const longestMs = 6_000;
/** Events 10 to 15 by number (RFC 4733 §3.2), as some PBXs write them. */
const numbered: Readonly<Record<string, string>> = { 10: '*', 11: '#', 12: 'A', 13: 'B', 14: 'C', 15: 'D' };

/** A key press is a line or two. */
const longestBody = 256;

/** Reads `Signal=5 CRLF Duration=160` (application/dtmf-relay) or a bare `5` (application/dtmf); undefined for the rest. */
export function parseInfoDtmf(contentType: string | undefined, body: string): InfoDtmf | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/dtmf-relay' && type !== 'application/dtmf') return undefined;
  if (body.length > longestBody) return undefined;
  const digit = digitOf(body);
  return digit === undefined ? undefined : { digit, durationMs: durationOf(body) };
}

function digitOf(body: string): string | undefined {
  const written = /^[ \t]*signal[ \t]*=[ \t]*(\S{1,8})/im.exec(body) ?? /^\s*(\S{1,2})\s*$/.exec(body);
  const signal = written?.[1] ?? '';
  const digit = numbered[signal] ?? signal.toUpperCase();
  return /^[0-9*#A-D]$/.test(digit) ? digit : undefined;
}

function durationOf(body: string): number {
  const written = /^[ \t]*duration[ \t]*=[ \t]*(\d{1,6})/im.exec(body)?.[1];
  const durationMs = written === undefined ? defaultDurationMs : Number(written);
  return Math.min(longestMs, Math.max(shortestMs, durationMs));
}
