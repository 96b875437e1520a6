import { expect } from 'vitest';

// No control character, no bidi control, no broken UTF-8, and never a folded line.
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd\ufeff]/;

/** Takes a SIP message apart by the letter of RFC 3261 §7 and §25.1, sharing no code with the daemon, and fails on anything else. */
export function strictHeaders(raw: string): readonly (readonly [name: string, value: string])[] {
  const end = raw.indexOf('\r\n\r\n');
  expect(end).toBeGreaterThan(0);
  const [startLine = '', ...lines] = raw.slice(0, end).split('\r\n');
  expect(startLine).toMatch(/^(?:[A-Z]+ sips?:[^\s]+ SIP\/2\.0|SIP\/2\.0 \d{3} .*)$/);
  const headers = lines.map((line) => {
    expect(line).not.toMatch(unsafe);
    const [, name, value] = /^([A-Za-z][A-Za-z-]*):[ ]?(.*)$/u.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`no header: ${JSON.stringify(line)}`);
    return [name, value] as const;
  });
  const length = headers.find(([name]) => name === 'Content-Length')?.[1];
  expect(Buffer.byteLength(raw.slice(end + 4))).toBe(Number(length));
  return headers;
}

/** A quoted-string or nothing, then one address in angle brackets, then parameters. */
export const strictNameAddr = /^(?:"(?:[^"\\]|\\.)*" )?<sip:[^<>"@\s:;?]+@[\w.:[\]]+>(?:;tag=[\w-]+)?$/u;

/** `protocol;cause=n;text="…"` */
export const strictReason = /^(?:Q\.850|SIP);cause=\d{1,3}(?:;text="(?:[^"\\]|\\.)*")?$/u;
