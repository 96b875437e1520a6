import { isIP } from 'node:net';
import type { Clock, Timer } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { SipServer, Target, Trunk } from '../routing/types.js';
import { askServer, type AskOutcome } from './ask-server.js';
import type { SrfApi, SrfResponse } from './drachtio-types.js';
import type { ServerAddresses } from './server-addresses.js';
import { serverTransition, unknownServer, type ServerEvent, type ServerState } from './server-state.js';
import { nextHopUri } from './sip-uri.js';

/** What a call to a server tells of it. */
export type ServerNews =
  /** It answered, or nothing came back. */
  | ServerEvent
  /** It took the call. */
  | 'accepted'
  /** 503 with Retry-After (RFC 3261 §21.5.4). */
  | { readonly retryAfterS: number };

/** A server as it is shown to operators. */
export interface ServerStatus {
  readonly trunk: string;
  /** `host:port`. */
  readonly server: string;
  readonly health: ServerState['health'];
  readonly isHeldOff: boolean;
}

export interface ServerWatchOptions {
  readonly srf: SrfApi;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly addresses: ServerAddresses;
  readonly trunks: readonly Trunk[];
  /** How long a server has to answer. */
  readonly answerMs: number;
  /** 0 to 1; spreads questions and pauses. */
  readonly random: () => number;
  /** Told of what servers answer when they are asked. */
  readonly onAnswer?: (target: Pick<Target, 'trunk' | 'server'>, response: SrfResponse) => void;
}

interface Watched {
  readonly trunk: Trunk;
  readonly server: SipServer;
  state: ServerState;
  heldOffUntilMs: number;
  timer: Timer | undefined;
}

/** First questions are spread over this. */
const spreadMs = 2_000;
/** Between questions to a server that is not known to be up, or the trunk's own interval if that is shorter. */
const doubtMs = 10_000;
/** Longest time a server is held off for, jitter included. */
const heldOffCapMs = 60_000;
/** Part by which pauses are made longer, so that not every bridge comes back at once. */
const jitter = 0.1;

/**
 * Knows which servers of the trunks to try last: those that do not answer, found out by OPTIONS every `qualify` and by the
 * calls themselves, and those that asked not to be called for a while. Neither is never tried: we may be wrong, and where no
 * other server is left a call has nothing to lose.
 */
export class ServerWatch {
  readonly #watched = new Map<string, Watched>();
  /** Those to which a question is out. */
  readonly #asking = new Set<Watched>();
  #isStopped = true;

  constructor(private readonly options: ServerWatchOptions) {
    for (const trunk of options.trunks) {
      for (const server of trunk.servers) {
        const watched = {
          trunk,
          server,
          state: unknownServer,
          heldOffUntilMs: Number.NEGATIVE_INFINITY,
          timer: undefined,
        };
        this.#watched.set(keyOf({ trunk, server }), watched);
      }
    }
  }

  /** Begins to ask. */
  start(): void {
    this.#isStopped = false;
    for (const watched of this.#watched.values()) this.#askIn(watched, spreadMs * this.options.random());
  }

  /** Asks no more. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    for (const { timer } of this.#watched.values()) timer?.cancel();
  }

  /** Whether a server is to be tried before others. */
  isWell(target: Pick<Target, 'trunk' | 'server'>): boolean {
    const watched = this.#watched.get(keyOf(target));
    return !watched || (watched.state.health !== 'down' && !this.#isHeldOff(watched));
  }

  /** Takes in what became of a call. */
  learn(target: Pick<Target, 'trunk' | 'server'>, news: ServerNews): void {
    const watched = this.#watched.get(keyOf(target));
    if (!watched) return;
    if (typeof news === 'object') return this.#holdOff(watched, news.retryAfterS);
    if (news === 'accepted') watched.heldOffUntilMs = Number.NEGATIVE_INFINITY;
    if (watched.trunk.qualifyMs === undefined) return;
    this.#note(watched, news === 'miss' ? 'miss' : 'hit');
    // Not believed before it has been asked, and that now: the next call shall not wait for it as this one did.
    if (news === 'miss' && watched.state.health !== 'down') this.#askIn(watched, 0);
  }

  statuses(): ServerStatus[] {
    return [...this.#watched.values()].map((watched) => ({
      trunk: watched.trunk.name,
      server: placeOf(watched.server),
      health: watched.state.health,
      isHeldOff: this.#isHeldOff(watched),
    }));
  }

  #isHeldOff({ heldOffUntilMs }: Watched): boolean {
    return this.options.clock.monotonicMs() < heldOffUntilMs;
  }

  #holdOff(watched: Watched, retryAfterS: number): void {
    const { clock, logger, random } = this.options;
    this.#note(watched, 'hit');
    const asked = Math.min(retryAfterS * 1_000, heldOffCapMs / (1 + jitter));
    const pauseMs = Math.round(asked * (1 + jitter * random()));
    if (pauseMs <= 0) return;
    if (!this.#isHeldOff(watched)) logger.warn('server asks for a pause: tried last', { ...nameOf(watched), pauseMs });
    watched.heldOffUntilMs = clock.monotonicMs() + pauseMs;
  }

  #note(watched: Watched, event: ServerEvent): void {
    const { health: before } = watched.state;
    if (watched.trunk.qualifyMs === undefined) return;
    watched.state = serverTransition(watched.state, event);
    const { health } = watched.state;
    if (health === before) return;
    if (health === 'down') this.options.logger.warn('server does not answer: tried last', nameOf(watched));
    else this.options.logger.info('server answers', nameOf(watched));
  }

  /** One question is out at a time: while one is, its own deadline is the timer, and the next follows from it. */
  #askIn(watched: Watched, delayMs: number): void {
    if (this.#isStopped || watched.trunk.qualifyMs === undefined || this.#asking.has(watched)) return;
    watched.timer?.cancel();
    watched.timer = this.options.clock.after(delayMs, () => void this.#ask(watched));
  }

  async #ask(watched: Watched): Promise<void> {
    this.#asking.add(watched);
    const nextHop = await this.#nextHop(watched.server);
    if (this.#isStopped) return;
    if (nextHop === 'unresolved') return this.#settle(watched, 'unreachable');
    const { srf, clock, answerMs } = this.options;
    let isOpen = true;
    const settle = (outcome: AskOutcome, response?: SrfResponse): void => {
      if (!isOpen) return;
      isOpen = false;
      watched.timer?.cancel();
      this.#settle(watched, outcome);
      if (response && outcome === 'answered') this.options.onAnswer?.(watched, response);
    };
    watched.timer = clock.after(answerMs, () => settle('unreachable'));
    askServer(srf, watched.server, nextHop, settle);
  }

  #settle(watched: Watched, outcome: AskOutcome): void {
    this.#asking.delete(watched);
    if (this.#isStopped) return;
    if (outcome !== 'unsent') this.#note(watched, outcome === 'answered' ? 'hit' : 'miss');
    const { trunk, state } = watched;
    const intervalMs = trunk.qualifyMs ?? doubtMs;
    const isSure = state.health === 'up' && state.misses === 0;
    this.#askIn(watched, (isSure ? intervalMs : Math.min(intervalMs, doubtMs)) * (1 + jitter * this.options.random()));
  }

  /** Where a name leads to; none is needed for an address. */
  async #nextHop(server: SipServer): Promise<string | undefined> {
    if (isIP(server.hostname) !== 0) return undefined;
    try {
      const [address] = await this.options.addresses.resolve(server.hostname);
      return address === undefined ? 'unresolved' : nextHopUri(server, address);
    } catch {
      return 'unresolved';
    }
  }
}

const placeOf = ({ hostname, port }: SipServer): string => `${hostname}:${port}`;
const nameOf = ({ trunk, server }: Watched) => ({ trunk: trunk.name, server: placeOf(server) });
const keyOf = ({ trunk, server }: Pick<Target, 'trunk' | 'server'>): string =>
  `${trunk.name} ${server.transport} ${placeOf(server)}`;
