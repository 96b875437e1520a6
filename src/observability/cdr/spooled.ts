import type { SpooledFile } from './spool-files.js';

/** What a file takes up on the disk, whatever is in it. */
const blockBytes = 4096;
const ending = '.json';
const orderDigits = 17;
const named = /^(\d{17})-(\w+)\.json$/;

/** A record to be kept. */
export interface ToSpool {
  readonly call: string;
  readonly text: string;
}

/** A record that waits, or was put aside. */
export interface Spooled {
  readonly call: string;
  /** Of its file; begins with its order. */
  readonly name: string;
  /** What it takes up on the disk, in whole blocks. */
  readonly bytes: number;
  /** When it came, Unix milliseconds. */
  readonly sinceMs: number;
}

/** A record that came just now, behind the one whose order was the last. */
export function newlySpooled({ call, text }: ToSpool, sinceMs: number, lastOrder: number): Spooled {
  const order = Math.max(lastOrder + 1, sinceMs * 1000);
  const name = `${String(order).padStart(orderDigits, '0')}-${call.replace(/[^0-9A-Za-z]/g, '_')}${ending}`;
  return { call, name, bytes: blocksOf(Buffer.byteLength(text)), sinceMs };
}

/** Records that an earlier run left, in their order. Files that are not ours are nobody's. */
export function spooledIn(files: readonly SpooledFile[]): Spooled[] {
  return files.flatMap(spooledOf).sort((a, b) => orderOf(a) - orderOf(b));
}

function spooledOf({ name, bytes }: SpooledFile): Spooled[] {
  const [, order, call] = named.exec(name) ?? [];
  if (order === undefined || call === undefined) return [];
  return [{ call, name, bytes: blocksOf(bytes), sinceMs: Math.floor(Number(order) / 1000) }];
}

/** Grows from record to record, over restarts too. */
export const orderOf = ({ name }: Spooled): number => Number(name.slice(0, orderDigits));

const blocksOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / blockBytes)) * blockBytes;

/** What they take up together. */
export function bytesOf(entries: Iterable<Spooled>): number {
  let total = 0;
  for (const { bytes } of entries) total += bytes;
  return total;
}
