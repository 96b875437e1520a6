import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Logger } from '../../lib/logger.js';
import type { SipRequest, SipResponse } from '../sip/message.js';
import type { Flow } from '../transport/flow.js';
import type { CallRecord, OpenCall } from './call-record.js';
import type { RecordLine } from './record-line.js';
import { decodeLine, encodeLine, pickHeaders, placeOf } from './record-line.js';
import { replay } from './replay.js';

const ARRIVED_HEADERS = new Set(['via', 'from', 'to', 'call-id', 'cseq', 'record-route', 'contact']);
const CALLING_HEADERS = new Set(['via', 'route', 'from', 'to', 'call-id', 'cseq']);
const HEARD_HEADERS = new Set(['to', 'record-route', 'contact', 'cseq']);

/** Nobody but the daemon's user reads who called whom. */
const FILE_MODE = 0o600;
const COMPACT_AT_BYTES = 1024 * 1024;
/** A file larger than this is not one of ours: compaction keeps ours far below. */
const MAX_READ_BYTES = 256 * 1024 * 1024;

export interface RecordFileOptions {
  readonly path: string;
  readonly logger: Logger;
  /** The file is rewritten with the open calls alone when it has grown to this, bytes. */
  readonly compactAtBytes?: number;
}

/**
 * The record in a file that is only appended to, a line a step. Lines are written by the time a method returns, but not
 * forced to the disk: what the kernel has taken outlives the process, which is what can be killed at any moment, and a
 * host that stops takes its calls along. A file that cannot be written costs no call: that is logged once.
 */
export class RecordFile implements CallRecord {
  /** The lines of each open call: what compaction keeps. */
  readonly #open = new Map<string, string[]>();
  readonly #options: Required<RecordFileOptions>;
  #fd: number;
  #bytes = 0;
  #openBytes = 0;
  #failed = false;
  #onEnded: ((id: string) => void) | undefined;

  private constructor(options: Required<RecordFileOptions>, fd: number) {
    this.#options = options;
    this.#fd = fd;
  }

  /**
   * Opens the file, made anew with mode 0600 if there is none, and reads which calls its last writer left open.
   * @throws Error of the file system
   */
  static open(options: RecordFileOptions): { readonly record: RecordFile; readonly left: readonly OpenCall[] } {
    const { path, logger } = options;
    mkdirSync(dirname(path), { recursive: true });
    const text = readOld(path, logger);
    const { calls, damaged } = replay(text);
    if (damaged > 0) logger.warn('SIP call record has unreadable lines', { path, damaged });
    const record = new RecordFile({ compactAtBytes: COMPACT_AT_BYTES, ...options }, openSync(path, 'a', FILE_MODE));
    record.#bytes = statSync(path).size;
    record.#adopt(text, calls);
    record.#compact();
    return { record, left: calls };
  }

  onEnded(callback: (id: string) => void): void {
    this.#onEnded = callback;
  }

  arrived(id: string, invite: SipRequest, flow: Flow): void {
    this.#begin(['arrived', id, placeOf(flow), invite.uri, pickHeaders(invite, ARRIVED_HEADERS)]);
  }

  calling(id: string, invite: SipRequest, flow: Flow): void {
    this.#begin(['calling', id, placeOf(flow), invite.uri, pickHeaders(invite, CALLING_HEADERS)]);
  }

  tagged(id: string, localTag: string): void {
    this.#advance(id, () => ['tagged', id, localTag]);
  }

  answered(id: string, localTag: string): void {
    this.#advance(id, () => ['answered', id, localTag]);
  }

  acknowledged(id: string): void {
    this.#advance(id, () => ['acknowledged', id]);
  }

  heard(id: string, response: SipResponse, flow: Flow): void {
    this.#advance(id, () => {
      const headers = pickHeaders(response, HEARD_HEADERS);
      return ['heard', id, placeOf(flow), response.status, headers];
    });
  }

  moved(id: string, target: string, flow: Flow): void {
    this.#advance(id, () => ['moved', id, placeOf(flow), target]);
  }

  ended(id: string): void {
    const lines = this.#open.get(id);
    if (!lines) return;
    this.#open.delete(id);
    for (const line of lines) this.#openBytes -= line.length;
    this.#write(encodeLine(['ended', id]));
    this.#onEnded?.(id);
  }

  close(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
  }

  #begin(line: RecordLine): void {
    this.#open.set(line[1], []);
    this.#append(line);
  }

  #advance(id: string, line: () => RecordLine): void {
    if (this.#open.has(id)) this.#append(line());
  }

  #append(line: RecordLine): void {
    const text = encodeLine(line);
    this.#open.get(line[1])?.push(text);
    this.#openBytes += text.length;
    this.#write(text);
  }

  #write(text: string): void {
    if (this.#fd < 0) return;
    try {
      // After a failure the file may end in half a line.
      this.#bytes += writeWhole(this.#fd, this.#failed ? `\n${text}` : text);
      this.#failed = false;
      if (this.#bytes > Math.max(this.#options.compactAtBytes, 2 * this.#openBytes)) this.#compact();
    } catch (err) {
      if (!this.#failed) {
        this.#options.logger.error('SIP call record not written: a crash now would leave calls up', { err });
      }
      this.#failed = true;
    }
  }

  /** Writes the open calls to a new file that takes the old one's place in one step. */
  #compact(): void {
    if (this.#open.size === 0) {
      if (this.#bytes > 0) ftruncateSync(this.#fd);
      this.#bytes = 0;
      return;
    }
    const { path } = this.#options;
    const text = [...this.#open.values()].map((lines) => lines.join('')).join('');
    const fresh = openSync(`${path}.new`, 'w', FILE_MODE);
    try {
      this.#bytes = writeWhole(fresh, text);
    } finally {
      closeSync(fresh);
    }
    renameSync(`${path}.new`, path);
    const appending = openSync(path, 'a', FILE_MODE);
    closeSync(this.#fd);
    this.#fd = appending;
  }

  /** Takes over the calls left open, so that they stay on record until they are ended. */
  #adopt(text: string, calls: readonly OpenCall[]): void {
    const ids = new Map(calls.map((call) => [call.id, [] as string[]]));
    for (const line of text.split('\n')) {
      const parsed = decodeLine(line);
      ids.get(parsed?.[1] ?? '')?.push(`${line}\n`);
    }
    for (const [id, lines] of ids) {
      this.#open.set(id, lines);
      for (const line of lines) this.#openBytes += line.length;
    }
  }
}

function readOld(path: string, logger: Logger): string {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size === 0) return '';
  if (size <= MAX_READ_BYTES) return readFileSync(path, 'utf8');
  renameSync(path, `${path}.too-large`);
  logger.error('SIP call record too large, put aside', { path, bytes: size });
  return '';
}

/** @throws Error when the disk takes only a part */
function writeWhole(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  const written = writeSync(fd, bytes);
  if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes written`);
  return written;
}
