import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';
import type { ContactedHosts } from '../transport/contacted-hosts.js';
import { plainHost } from '../transport/contacted-hosts.js';
import type { Flow, Protocol } from '../transport/flow.js';
import { callIdOf, isOversized, looksLikeResponse, mayBeNew } from './first-look.js';
import type { Overload } from './overload.js';
import { StrangerCount } from './stranger-count.js';
import { TokenBucket } from './token-bucket.js';

/** New requests of one source. Both are far above what a trunk sends; they bound what a trunk gone mad costs. */
export interface SourceLimits {
  /** More than this are answered 503. */
  readonly perSecond: number;
  readonly burst: number;
  /** More than so many times that are not even read. */
  readonly unreadFactor: number;
}

export const SOURCE_LIMITS: SourceLimits = { perSecond: 2000, burst: 4000, unreadFactor: 4 };

/** How long it holds whether a source is known, milliseconds: addresses behind names come and go. */
const KNOWN_MS = 1000;
const MAX_SOURCES = 10_000;

/** How a message may come in. */
export interface Admission {
  /** A stranger's goes on with what exists, and is not answered otherwise. */
  readonly isKnown: boolean;
  /** A request outside a dialog is to be refused for want of capacity. */
  readonly isShed: boolean;
}

const KNOWN: Admission = { isKnown: true, isShed: false };
const SHED: Admission = { isKnown: true, isShed: true };
const STRANGER: Admission = { isKnown: false, isShed: false };

interface Source {
  readonly knownUntilMs: number;
  readonly taken: TokenBucket;
  readonly read: TokenBucket;
}

export interface DoorkeeperOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether anything may begin from this address; undefined: from all. */
  readonly isKnownSource: ((address: string) => boolean) | undefined;
  readonly contacted: ContactedHosts;
  /** Is there a dialog with this Call-ID? */
  readonly hasCall: (callId: string) => boolean;
  readonly overload: Overload;
  readonly limits: SourceLimits;
}

/**
 * Judges bytes from the network before anything reads them, by their transport source alone and a glance at their first
 * letters. Strangers get no answer and leave no trace but a count; a source that sends too much, or all of them when this
 * process does not keep up, has its new requests refused, while what belongs to calls under way always passes.
 */
export class Doorkeeper {
  readonly #sources = new Map<string, Source>();
  readonly #strangers: StrangerCount;

  constructor(private readonly options: DoorkeeperOptions) {
    this.#strangers = new StrangerCount(options.clock, options.logger);
  }

  /** May this address open a connection? Servers we have sent to may: they answer and hang up over new ones, too. */
  admitsConnection(host: string, protocol: Protocol): boolean {
    if (this.#knows(plainHost(host)) || this.options.contacted.has(host)) return true;
    this.#strangers.note(host, protocol);
    return false;
  }

  /** How the message may come in; undefined: not at all. */
  judge(bytes: Buffer, { protocol, remote }: Pick<Flow, 'protocol' | 'remote'>): Admission | undefined {
    const host = plainHost(remote.host);
    const source = this.#knows(host);
    if (!source) {
      if (!isOversized(bytes) && this.#goesOn(bytes, host)) return STRANGER;
      this.#strangers.note(host, protocol);
      return undefined;
    }
    if (isOversized(bytes)) {
      this.options.logger.debug('SIP message too large', { bytes: bytes.length, remote: host });
      return undefined;
    }
    const isOverloaded = this.options.overload.isOn;
    if (!mayBeNew(bytes)) return KNOWN;
    const nowMs = this.options.clock.monotonicMs();
    if (!source.read.take(nowMs)) return undefined;
    return source.taken.take(nowMs) && !isOverloaded ? KNOWN : SHED;
  }

  /** Answers of servers we have sent to, and what belongs to a call: a callee may hang up from an address never heard of. */
  #goesOn(bytes: Buffer, host: string): boolean {
    if (looksLikeResponse(bytes) && this.options.contacted.has(host)) return true;
    const callId = callIdOf(bytes);
    return callId !== undefined && this.options.hasCall(callId);
  }

  /** Only known sources are remembered: strangers come in any number. */
  #knows(host: string): Source | undefined {
    const nowMs = this.options.clock.monotonicMs();
    const source = this.#sources.get(host);
    if (source && nowMs < source.knownUntilMs) return source;
    const { isKnownSource, limits } = this.options;
    if (isKnownSource && !isKnownSource(host)) {
      this.#sources.delete(host);
      return undefined;
    }
    const { perSecond, burst, unreadFactor } = limits;
    const known: Source = {
      knownUntilMs: nowMs + KNOWN_MS,
      taken: source?.taken ?? new TokenBucket(perSecond, burst, nowMs),
      read: source?.read ?? new TokenBucket(unreadFactor * perSecond, unreadFactor * burst, nowMs),
    };
    if (!source && this.#sources.size >= MAX_SOURCES) this.#sources.clear();
    this.#sources.set(host, known);
    return known;
  }
}
