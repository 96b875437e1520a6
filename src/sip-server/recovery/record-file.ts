import { closeSync, mkdirSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../lib/clock.js';
import { systemClock } from '../../lib/clock.js';
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
const REWRITE_AT_BYTES = 1024 * 1024;
/** A file larger than this is not one of ours: rewriting keeps ours far below. */
const MAX_READ_BYTES = 256 * 1024 * 1024;
/** A write that holds the event loop up for longer than this, milliseconds, comes from a disk in trouble. */
const SLOW_MS = 500;
/** A disk that refused a line, or took it slowly, is left alone for this long, milliseconds. */
const REST_MS = 10_000;

export interface RecordFileOptions {
  readonly path: string;
  readonly logger: Logger;
  readonly clock?: Pick<Clock, 'monotonicMs'>;
  /** The file is rewritten with the open calls alone when it has grown to this, bytes. */
  readonly rewriteAtBytes?: number;
}

/**
 * The record in a file that is only appended to, a line a step. Lines are written by the time a method returns, but not
 * forced to the disk: what the kernel has taken outlives the process, which is what can be killed at any moment, and a
 * host that stops takes its calls along. A disk that refuses or is slow costs no call: it gets a rest, and after that the
 * whole file anew.
 */
export class RecordFile implements CallRecord {
  /** What the file has to say of each open call: of each kind of line the last one, in the order they are to be read. */
  readonly #open = new Map<string, Map<RecordLine[0], string>>();
  readonly #options: Required<RecordFileOptions>;
  #fd: number | undefined;
  #bytes = 0;
  #openBytes = 0;
  /** Does the file lack a line? */
  #isBehind = true;
  #restUntilMs = -Infinity;
  #isClosed = false;
  #onEnded: ((id: string) => void) | undefined;

  private constructor(options: Required<RecordFileOptions>) {
    this.#options = options;
  }

  /**
   * Reads which calls the file's last writer left open, and begins it anew with those, mode 0600.
   * @throws Error of the file system when it cannot be read; one that cannot be written is logged
   */
  static open(options: RecordFileOptions): { readonly record: RecordFile; readonly left: readonly OpenCall[] } {
    const { path, logger } = options;
    const text = readOld(path, logger);
    const { calls, damaged } = replay(text);
    if (damaged > 0) logger.warn('SIP call record has unreadable lines', { path, damaged });
    const record = new RecordFile({ rewriteAtBytes: REWRITE_AT_BYTES, clock: systemClock, ...options });
    record.#adopt(text, calls);
    record.#write('');
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
    for (const text of lines.values()) this.#openBytes -= text.length;
    this.#write(encodeLine(['ended', id]));
    this.#onEnded?.(id);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #begin(line: RecordLine): void {
    if (!this.#open.has(line[1])) this.#open.set(line[1], new Map());
    this.#append(line);
  }

  #advance(id: string, line: () => RecordLine): void {
    if (this.#open.has(id)) this.#append(line());
  }

  #append(line: RecordLine): void {
    const text = encodeLine(line);
    this.#keep(line, text);
    this.#write(text);
  }

  /** A peer that answers or moves over and over leaves one line, not one each time. */
  #keep([event, id]: RecordLine, text: string): void {
    const lines = this.#open.get(id);
    if (!lines) return;
    for (const [known, old] of lines) {
      if (!outdates(event, known)) continue;
      this.#openBytes -= old.length;
      lines.delete(known);
    }
    lines.set(event, text);
    this.#openBytes += text.length;
  }

  /** Appends what `#open` knows of already; a file that is behind, or has grown large, is written anew from that. */
  #write(text: string): void {
    const { clock, logger, path, rewriteAtBytes } = this.#options;
    const startMs = clock.monotonicMs();
    if (this.#isClosed || startMs < this.#restUntilMs) return;
    const wasBehind = this.#isBehind;
    const isLarge = this.#bytes > Math.max(rewriteAtBytes, 2 * this.#openBytes);
    try {
      if (this.#fd === undefined || wasBehind || isLarge) this.#rewrite();
      else this.#bytes += writeWhole(this.#fd, text);
      this.#isBehind = false;
      const tookMs = Math.round(clock.monotonicMs() - startMs);
      if (tookMs < SLOW_MS) return;
      logger.error('SIP call record on a slow disk: it rests, a crash now would leave calls up', { path, tookMs });
    } catch (err) {
      const isNews = !wasBehind || this.#restUntilMs === -Infinity;
      if (isNews) logger.error('SIP call record not written: a crash now would leave calls up', { path, err });
    }
    this.#isBehind = true;
    this.#restUntilMs = clock.monotonicMs() + REST_MS;
  }

  /** Writes the open calls to a new file that takes the old one's place in one step. */
  #rewrite(): void {
    const { path } = this.#options;
    const fresh = openSync(`${path}.new`, 'w', FILE_MODE);
    try {
      this.#bytes = writeWhole(fresh, [...this.#open.values()].map((lines) => [...lines.values()].join('')).join(''));
      renameSync(`${path}.new`, path);
    } catch (err) {
      closeSync(fresh);
      throw err;
    }
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = fresh;
  }

  /** Takes over the calls left open, so that they stay on record until they are ended. */
  #adopt(text: string, calls: readonly OpenCall[]): void {
    for (const { id } of calls) this.#open.set(id, new Map());
    for (const entry of text.split('\n')) {
      const line = decodeLine(entry);
      if (line) this.#keep(line, `${entry}\n`);
    }
  }
}

/** A beginning leaves nothing of before; what was heard says where the peer is, too. */
const outdates = (event: RecordLine[0], known: RecordLine[0]): boolean =>
  event === known || event === 'arrived' || event === 'calling' || (event === 'heard' && known === 'moved');

function readOld(path: string, logger: Logger): string {
  mkdirSync(dirname(path), { recursive: true });
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
