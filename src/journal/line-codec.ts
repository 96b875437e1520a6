import { crc32 } from 'node:zlib';
import type { JournalEntry } from '../call/journal.js';

/** Length of the checksum and the blank after it. */
const HEAD_BYTES = 9;

/** One line of a segment: CRC-32 of the rest in hex, a blank, and the entry with its wall clock stamp as JSON. */
export function encodeLine({ call, event, data }: JournalEntry, atMs: number): string {
  const json = JSON.stringify({ at: Math.round(atMs), call, event, data });
  return `${checksum(json)} ${json}\n`;
}

/** The entry of a line without its line end; undefined if a byte of it is not as it was written. */
export function decodeLine(line: Buffer): JournalEntry | undefined {
  const json = line.subarray(HEAD_BYTES);
  if (json.length === 0 || line.toString('latin1', 0, HEAD_BYTES) !== `${checksum(json)} `) return undefined;
  try {
    const value: unknown = JSON.parse(json.toString('utf8'));
    return isEntry(value) ? { call: value.call, event: value.event, data: value.data } : undefined;
  } catch {
    return undefined;
  }
}

const checksum = (text: string | Buffer): string => crc32(text).toString(16).padStart(8, '0');

/** The checksum vouches for what was written, not for who wrote it. An event of a later version is no harm: the fold skips it. */
function isEntry(value: unknown): value is JournalEntry {
  const { call, event, data } = (value ?? {}) as Record<string, unknown>;
  if (typeof call !== 'string' || typeof event !== 'string' || typeof data !== 'object' || data === null) return false;
  return Object.values(data).every((fact) => typeof fact === 'string');
}
