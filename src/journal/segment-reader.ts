import { createReadStream } from 'node:fs';
import type { JournalEntry } from '../call/journal.js';
import { decodeLine } from './line-codec.js';

/** Longest line believed, in bytes: a dialog record of the largest SIP message is far below. */
const LINE_CAP_BYTES = 256 * 1024;
const LINE_END = 0x0a;

/** What reading a segment showed besides its entries. */
export interface SegmentReading {
  readonly entries: number;
  /** Lines whose checksum is wrong. */
  readonly badLines: number;
  /** Bytes after the last line end: an entry that nobody was told is safe. */
  readonly tornBytes: number;
}

/**
 * Feeds the entries of a segment, in order, to `take`. A torn tail is left out, a line that was changed is skipped.
 * @throws the file system's error if the file cannot be read
 */
export async function readSegment(path: string, take: (entry: JournalEntry) => void): Promise<SegmentReading> {
  const lines = new LineSplitter(take);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) lines.push(chunk as Buffer);
  return lines.reading;
}

/** Cuts a stream of bytes into lines and reads them. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);
  #isOverlong = false;
  #entries = 0;
  #badLines = 0;

  constructor(private readonly take: (entry: JournalEntry) => void) {}

  get reading(): SegmentReading {
    return { entries: this.#entries, badLines: this.#badLines, tornBytes: this.#rest.length };
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, from)) {
      this.#line(bytes.subarray(from, end));
      from = end + 1;
    }
    this.#rest = bytes.subarray(from);
    if (this.#rest.length <= LINE_CAP_BYTES) return;
    this.#isOverlong = true;
    this.#rest = Buffer.alloc(0);
  }

  #line(line: Buffer): void {
    const entry = this.#isOverlong ? undefined : decodeLine(line);
    this.#isOverlong = false;
    if (!entry) {
      this.#badLines++;
      return;
    }
    this.#entries++;
    this.take(entry);
  }
}
