import { isIP } from 'node:net';
import type { LogLevel } from '../lib/logger.js';
import type { SipTransport } from '../routing/types.js';
import type { ListenAddress, SipListen } from './config.js';
import { didYouMean } from './did-you-mean.js';
import type { Complaint } from './issue.js';

/** A JSON Schema (draft 7) fragment. */
export type JsonSchema = Record<string, unknown>;

/** How a value is written: the check, and the same as JSON Schema for editors. Messages never quote the value. */
export interface Format {
  readonly json: JsonSchema;
  /** What is wrong with the value; nothing when it is good. */
  complaint(value: unknown): Complaint | undefined;
}

const DURATION = /^(\d{1,9})(ms|s|m|h)$/;
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Reads `30s`, `500ms`, `2m`, `4h`; milliseconds, or nothing if it is not a duration. */
export function parseDuration(text: unknown): number | undefined {
  const match = typeof text === 'string' ? DURATION.exec(text) : null;
  if (!match) return undefined;
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}

/** Reads `host:port`; an IPv6 address stands in brackets. */
export function parseListen(text: unknown): ListenAddress | undefined {
  if (typeof text !== 'string') return undefined;
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const host = match[1] ?? match[2] ?? '';
  const port = Number(match[3]);
  const hostOk = match[1] === undefined ? isHost(host) : isIP(host) === 6;
  return hostOk && port <= 65_535 ? { host, port } : undefined;
}

/** Reads `udp://host:port`; `tcp` and `tls` likewise. */
export function parseSipListen(text: unknown): SipListen | undefined {
  const match = typeof text === 'string' ? /^(udp|tcp|tls):\/\/(.+)$/.exec(text) : null;
  const address = match ? parseListen(match[2]) : undefined;
  return address && { ...address, transport: match?.[1] as SipTransport };
}

/** Reads `20000-29999`. */
export function parsePortRange(text: unknown): readonly [number, number] | undefined {
  const match = typeof text === 'string' ? /^(\d{1,5})\s*-\s*(\d{1,5})$/.exec(text) : null;
  if (!match) return undefined;
  const low = Number(match[1]);
  const high = Number(match[2]);
  return low >= 1024 && high <= 65_535 && low < high ? [low, high] : undefined;
}

/** Whether the text is a host name or an IP address (no brackets). */
export function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  if (text.length > 253 || /^[\d.]+$/.test(text)) return false;
  return /^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}

/** Whether the text is an address with or without a prefix length: `10.0.0.0/24`, `2001:db8::/32`, `10.0.0.5`. */
export function isCidr(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128));
}

/** Whether a host to listen on or to call is this machine alone (127.0.0.0/8, ::1, localhost). */
export function isLoopback(host: string): boolean {
  const plain = host.replace(/^\[|\]$/g, '').toLowerCase();
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

function format(json: JsonSchema, good: (value: unknown) => boolean, message: string, cure: string): Format {
  return { json, complaint: (value) => (good(value) ? undefined : { message, cure }) };
}

/** One of a few words. */
export function oneOf(...words: readonly string[]): Format {
  return {
    json: { type: 'string', enum: [...words] },
    complaint: (value) => {
      if (typeof value === 'string' && words.includes(value)) return undefined;
      const near = typeof value === 'string' ? didYouMean(value, words) : undefined;
      const cure = near ? `did you mean ${near}?` : `write one of them`;
      return { message: `must be one of ${words.join(' | ')}`, cure };
    },
  };
}

/** A duration between two bounds, both in milliseconds and inclusive. */
export function duration(minMs: number, maxMs: number): Format {
  return {
    json: { type: 'string', pattern: '^\\d{1,9}(ms|s|m|h)$' },
    complaint: (value) => {
      const ms = parseDuration(value);
      if (ms === undefined) {
        return { message: 'must be a duration', cure: 'write a whole number with its unit: 500ms, 30s, 2m or 4h' };
      }
      if (ms >= minMs && ms <= maxMs) return undefined;
      return {
        message: 'is out of range',
        cure: `write a duration from ${durationText(minMs)} to ${durationText(maxMs)}`,
      };
    },
  };
}

/** A duration between two bounds, or none, written as 0s. */
export function durationOrNone(minMs: number, maxMs: number): Format {
  const some = duration(minMs, maxMs);
  return { ...some, complaint: (value) => (parseDuration(value) === 0 ? undefined : some.complaint(value)) };
}

function durationText(ms: number): string {
  if (ms % UNIT_MS.h === 0) return `${ms / UNIT_MS.h}h`;
  return ms % UNIT_MS.s === 0 ? `${ms / UNIT_MS.s}s` : `${ms}ms`;
}

export const listenAddress: Format = format(
  { type: 'string', pattern: ':\\d{1,5}$' },
  (value) => parseListen(value) !== undefined,
  'must be HOST:PORT',
  'write for example 127.0.0.1:8081 or [::1]:8081',
);

export const sipListen: Format = format(
  { type: 'string', pattern: '^(udp|tcp|tls)://.+:\\d{1,5}$' },
  (value) => parseSipListen(value) !== undefined,
  'must be TRANSPORT://HOST:PORT',
  'write for example udp://0.0.0.0:5060, tcp://0.0.0.0:5060 or udp://[::]:5060',
);

export const portRange: Format = format(
  { type: 'string', pattern: '^\\d{4,5}\\s*-\\s*\\d{4,5}$' },
  (value) => parsePortRange(value) !== undefined,
  'must be a range of ports',
  'write LOW-HIGH, for example 20000-29999, from 1024 to 65535',
);

export const port: Format = format(
  { type: 'integer', minimum: 1, maximum: 65_535 },
  (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535,
  'must be a port',
  'write a number from 1 to 65535',
);

/** A whole number between two bounds, both inclusive. */
export function wholeNumber(min: number, max: number): Format {
  return format(
    { type: 'integer', minimum: min, maximum: max },
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    'must be a whole number',
    `write a number from ${min} to ${max}`,
  );
}

export const yesOrNo: Format = format(
  { type: 'boolean' },
  (value) => typeof value === 'boolean',
  'must be true or false',
  'write true or false, without quotes',
);

export const ipAddress: Format = format(
  { type: 'string' },
  (value) => typeof value === 'string' && isIP(value) !== 0,
  'must be an IP address',
  'write for example 0.0.0.0 or 192.0.2.10',
);

export const ipAddressOrEmpty: Format = format(
  { type: 'string' },
  (value) => value === '' || (typeof value === 'string' && isIP(value) !== 0),
  'must be an IP address or empty',
  'write the public address, or "" if there is no address translation',
);

export const host: Format = format(
  { type: 'string', minLength: 1 },
  (value) => typeof value === 'string' && isHost(value),
  'must be a host name or an IP address',
  'write it without port and without brackets',
);

export const hostOrEmpty: Format = format(
  { type: 'string' },
  (value) => value === '' || (typeof value === 'string' && isHost(value)),
  'must be a host name, an IP address or empty',
  'write it without port, or "" to show the address of the socket',
);

export const cidr: Format = format(
  { type: 'string' },
  (value) => typeof value === 'string' && isCidr(value),
  'must be an address or a network',
  'write for example 10.0.0.5 or 10.0.0.0/24',
);

export const graphVersion: Format = format(
  { type: 'string', pattern: '^v\\d{1,3}\\.\\d$' },
  (value) => typeof value === 'string' && /^v\d{1,3}\.\d$/.test(value),
  'must be a version of the Graph API',
  'write for example v23.0',
);

export const httpPath: Format = format(
  { type: 'string', pattern: '^/[A-Za-z0-9._~/-]*$' },
  (value) => typeof value === 'string' && /^\/[A-Za-z0-9._~/-]*$/.test(value),
  'must be the path of a URL',
  'begin it with / and use letters, digits, . _ ~ - only, for example /webhook',
);

export const filePath: Format = format(
  { type: 'string', minLength: 1 },
  (value) => typeof value === 'string' && value !== '' && !hasControl(value) && !value.includes('${'),
  'must be the path of a file or directory',
  'write it as plain text, for example ./var/journal',
);

/** Alias of a trunk or number: it is used in logs and metric labels. */
export const alias: Format = format(
  { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' },
  (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(value),
  'must be a short name',
  'use letters, digits, . _ - only, at most 63, for example sales',
);

/** Text of any kind without control characters, not empty. */
export const plainText: Format = format(
  { type: 'string', minLength: 1, maxLength: 256 },
  (value) => typeof value === 'string' && value !== '' && value.length <= 256 && !hasControl(value),
  'must be text',
  'write at most 256 characters without line breaks',
);

/** Body text of a WhatsApp message (Meta: at most 1024 characters). */
export const messageText: Format = format(
  { type: 'string', minLength: 1, maxLength: 1024 },
  (value) => typeof value === 'string' && value.trim() !== '' && value.length <= 1024,
  'must be text',
  'write 1 to 1024 characters',
);

export const templateNameOrEmpty: Format = format(
  { type: 'string', pattern: '^[a-z0-9_]{0,512}$' },
  (value) => typeof value === 'string' && /^[a-z0-9_]{0,512}$/.test(value),
  'must be the name of a message template',
  'use lower-case letters, digits and _ only, or "" for none',
);

export const languageCode: Format = format(
  { type: 'string', pattern: '^[a-z]{2,3}(_[A-Z]{2})?$' },
  (value) => typeof value === 'string' && /^[a-z]{2,3}(_[A-Z]{2})?$/.test(value),
  'must be a language code',
  'write for example en or en_US',
);

/** A secret as written: literal or a reference. Its length and form say nothing about it; `writeOnly`: never to be shown. */
export const secretText: Format = format(
  { type: 'string', writeOnly: true },
  (value) => typeof value === 'string',
  'must be text',
  'write ${env:NAME} or ${file:/path}, or quote the value',
);

export const workers: Format = format(
  { oneOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: 64 }] },
  (value) => value === 'auto' || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 64),
  'must be auto or a number',
  'write auto for one per core, or a number from 1 to 64',
);

/** https, or plain http on loopback (sandbox, tests); a bare origin with at most a path. */
export const graphUrl: Format = {
  json: { type: 'string', pattern: '^https?://' },
  complaint: (value) => {
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    const bare = url && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    if (!bare || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      return { message: 'must be a URL without user, query and fragment', cure: 'write https://graph.facebook.com' };
    }
    if (url.protocol === 'https:' || isLoopback(url.hostname)) return undefined;
    return { message: 'plain http is for loopback addresses only', cure: 'write https://, the token travels this way' };
  },
};

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const satisfies readonly LogLevel[];

function hasControl(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[\u0000-\u001f\u007f]/.test(text);
}
