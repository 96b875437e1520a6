import type { Clock, Timer } from '../lib/clock.js';
import { given } from '../lib/given.js';
import type { Logger } from '../lib/logger.js';
import { placeText, type Place } from '../lib/sip-location.js';
import type { SipServer, Target, Trunk } from '../routing/types.js';
import { askServer, type AskOutcome } from './ask-server.js';
import type { SrfApi, SrfResponse } from './drachtio-types.js';
import { isDirect, nextHopsOf, type NextHop } from './next-hop.js';
import { siteOf, type ServerAddresses } from './server-addresses.js';
import { serverTransition, unknownServer, type ServerEvent, type ServerState } from './server-state.js';

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

/** A server, or a place of it, that answers now, or no longer. */
export interface ServerChange {
  readonly trunk: string;
  /** `host:port`. */
  readonly server: string;
  readonly place?: string;
  readonly health: ServerState['health'];
}

/** A server answered OPTIONS. */
export interface QualifyAnswer {
  readonly trunk: string;
  readonly tookMs: number;
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

interface Watched extends Dialled {
  trunk: Trunk;
  server: SipServer;
  /** Those of a server whose places are looked up, each watched by itself, by `placeText`. */
  readonly places: Map<string, Watched>;
  state: ServerState;
  heldOffUntilMs: number;
  timer: Timer | undefined;
}

/** A server of a trunk, or one place of it. */
type Dialled = Pick<Target, 'trunk' | 'server' | 'place'>;

/** Most places of a server that are watched: more are not dialled either. */
const mostPlaces = 16;
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
  readonly #listeners: ((change: ServerChange) => void)[] = [];
  readonly #answerListeners: ((answer: QualifyAnswer) => void)[] = [];
  #isStopped = true;

  constructor(private readonly options: ServerWatchOptions) {
    this.use(options.trunks);
  }

  /** Calls back with every server, or place of one, that answers from now on, or no longer. */
  onChange(listener: (change: ServerChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Calls back with every answer to a question. */
  onQualified(listener: (answer: QualifyAnswer) => void): void {
    this.#answerListeners.push(listener);
  }

  /** The trunks are these from now on. What is known of servers that stay, and are reached as before, stays. */
  use(trunks: readonly Trunk[]): void {
    const before = new Map(this.#watched);
    this.#watched.clear();
    for (const trunk of trunks) {
      for (const server of trunk.servers) {
        const key = keyOf({ trunk, server });
        const known = before.get(key);
        const isKept = known !== undefined && isReachedAlike(known, { trunk, server });
        if (isKept) before.delete(key);
        this.#watched.set(key, isKept ? this.#kept(known, { trunk, server }) : unwatched({ trunk, server }));
      }
    }
    for (const gone of before.values()) this.#drop(gone);
    if (!this.#isStopped) this.start();
  }

  #kept(known: Watched, { trunk, server }: Dialled): Watched {
    for (const place of known.places.values()) Object.assign(place, { trunk, server });
    return Object.assign(known, { trunk, server, state: trunk.qualifyMs === undefined ? unknownServer : known.state });
  }

  #drop({ timer, places }: Watched): void {
    timer?.cancel();
    for (const place of places.values()) place.timer?.cancel();
  }

  /** Begins to ask. */
  start(): void {
    this.#isStopped = false;
    for (const watched of this.#watched.values()) this.#askIn(watched, spreadMs * this.options.random());
  }

  /** Asks no more. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    for (const watched of this.#watched.values()) this.#drop(watched);
  }

  /** Whether a server, or the place of it that is named, is to be tried before others. */
  isWell(target: Dialled): boolean {
    const watched = this.#watched.get(keyOf(target));
    if (!watched) return true;
    const { health, isHeldOff } = this.#statusOf(
      target.place ? (watched.places.get(placeText(target.place)) ?? watched) : watched,
    );
    return health !== 'down' && !isHeldOff;
  }

  /** Takes in what became of a call. */
  learn(target: Dialled, news: ServerNews): void {
    const watched = this.#find(target);
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
      server: serverText(watched.server),
      ...this.#statusOf(watched),
    }));
  }

  /** A server of several places is up with one of them, and down with all. */
  #statusOf(watched: Watched): Pick<ServerStatus, 'health' | 'isHeldOff'> {
    const all = watched.places.size === 0 ? [watched] : [...watched.places.values()];
    const healths = all.map(({ state }) => state.health);
    const nowMs = this.options.clock.monotonicMs();
    return {
      health: healths.includes('up') ? 'up' : healths.every((health) => health === 'down') ? 'down' : 'unknown',
      isHeldOff: all.every(({ heldOffUntilMs }) => nowMs < heldOffUntilMs),
    };
  }

  #find(target: Dialled): Watched | undefined {
    const watched = this.#watched.get(keyOf(target));
    return watched && target.place ? this.#placeOf(watched, target.place) : watched;
  }

  #placeOf(watched: Watched, place: Place): Watched {
    const key = placeText(place);
    const known = watched.places.get(key);
    if (known) return known;
    const fresh = unwatched({ ...watched, place });
    // Without `qualify` nobody looks which of them are gone.
    const [oldest] = watched.places;
    if (oldest && watched.places.size >= mostPlaces) this.#forget(watched, oldest[0]);
    watched.places.set(key, fresh);
    return fresh;
  }

  #forget(watched: Watched, key: string): void {
    watched.places.get(key)?.timer?.cancel();
    watched.places.delete(key);
  }

  #holdOff(watched: Watched, retryAfterS: number): void {
    const { clock, logger, random } = this.options;
    this.#note(watched, 'hit');
    const asked = Math.min(retryAfterS * 1_000, heldOffCapMs / (1 + jitter));
    const pauseMs = Math.round(asked * (1 + jitter * random()));
    if (pauseMs <= 0) return;
    if (clock.monotonicMs() >= watched.heldOffUntilMs)
      logger.warn('server asks for a pause: tried last', { ...nameOf(watched), pauseMs });
    watched.heldOffUntilMs = clock.monotonicMs() + pauseMs;
  }

  #note(watched: Watched, event: ServerEvent): void {
    const { health: before } = watched.state;
    if (watched.trunk.qualifyMs === undefined) return;
    watched.state = serverTransition(watched.state, event);
    const { health } = watched.state;
    if (health === before) return;
    if (health === 'down') this.#isDown(watched);
    else this.options.logger.info('server answers', nameOf(watched));
    for (const listener of this.#listeners) listener({ ...nameOf(watched), health });
  }

  /** Its name may lead elsewhere by now: node tells no lifetime of DNS's answers, so it is asked rather than waited for. */
  #isDown(watched: Watched): void {
    const { trunk, server, place } = watched;
    this.options.logger.warn('server does not answer: tried last', nameOf(watched));
    if (!place) return;
    void this.options.addresses.askAgain(siteOf(trunk, server)).then(() => {
      const whole = this.#watched.get(keyOf({ trunk, server }));
      if (whole) this.#askIn(whole, 0);
    });
  }

  /** One question is out at a time: while one is, its own deadline is the timer, and the next follows from it. */
  #askIn(watched: Watched, delayMs: number): void {
    if (this.#isStopped || watched.trunk.qualifyMs === undefined || this.#asking.has(watched)) return;
    watched.timer?.cancel();
    watched.timer = this.options.clock.after(delayMs, () => void this.#ask(watched));
  }

  async #ask(watched: Watched): Promise<void> {
    this.#asking.add(watched);
    const nextHops = await this.#nextHops(watched);
    if (this.#isStopped || this.#isForgotten(watched)) return void this.#asking.delete(watched);
    if (!nextHops) return this.#settle(watched, 'unreachable');
    if (!isDirect(watched) && !watched.place) return this.#watchPlaces(watched, nextHops);
    const { srf, clock, answerMs } = this.options;
    let isOpen = true;
    const askedMs = clock.monotonicMs();
    const settle = (outcome: AskOutcome, response?: SrfResponse): void => {
      if (!isOpen) return;
      isOpen = false;
      watched.timer?.cancel();
      this.#settle(watched, outcome);
      if (response && outcome === 'answered') this.options.onAnswer?.(watched, response);
      if (outcome === 'answered') this.#answered(watched, clock.monotonicMs() - askedMs);
    };
    watched.timer = clock.after(answerMs, () => settle('unreachable'));
    askServer(srf, watched.server, isDirect(watched) ? undefined : nextHops[0].uri, settle);
  }

  #answered({ trunk: { name: trunk } }: Watched, tookMs: number): void {
    for (const listener of this.#answerListeners) listener({ trunk, tookMs });
  }

  /** Asks the places that are new, forgets those that are gone, and looks again after the interval. */
  #watchPlaces(watched: Watched, found: readonly NextHop[]): void {
    this.#asking.delete(watched);
    watched.state = unknownServer;
    const keys = found.map(placeText);
    for (const key of [...watched.places.keys()]) if (!keys.includes(key)) this.#forget(watched, key);
    for (const { transport, address, port } of found) {
      const place = this.#placeOf(watched, { transport, address, port });
      if (!place.timer && !this.#asking.has(place)) void this.#ask(place);
    }
    this.#askIn(watched, watched.trunk.qualifyMs ?? doubtMs);
  }

  #isForgotten(watched: Watched): boolean {
    const { place } = watched;
    const current = this.#watched.get(keyOf(watched));
    return (place ? current?.places.get(placeText(place)) : current) !== watched;
  }

  #settle(watched: Watched, outcome: AskOutcome): void {
    this.#asking.delete(watched);
    if (this.#isStopped || this.#isForgotten(watched)) return;
    if (outcome !== 'unsent') this.#note(watched, outcome === 'answered' ? 'hit' : 'miss');
    const { trunk, state } = watched;
    const intervalMs = trunk.qualifyMs ?? doubtMs;
    const isSure = state.health === 'up' && state.misses === 0;
    this.#askIn(watched, (isSure ? intervalMs : Math.min(intervalMs, doubtMs)) * (1 + jitter * this.options.random()));
  }

  /** Undefined while a name leads nowhere. */
  #nextHops(watched: Watched): Promise<readonly [NextHop, ...NextHop[]] | undefined> {
    return nextHopsOf(this.options.addresses, watched).catch(() => undefined);
  }
}

const unwatched = ({ trunk, server, place }: Dialled): Watched => ({
  ...{ trunk, server, place, places: new Map(), state: unknownServer, timer: undefined },
  heldOffUntilMs: Number.NEGATIVE_INFINITY,
});

/** A server is another one once it is found, or reached, in another way. */
const isReachedAlike = (a: Dialled, b: Dialled): boolean =>
  JSON.stringify([siteOf(a.trunk, a.server), a.server.lookup]) ===
  JSON.stringify([siteOf(b.trunk, b.server), b.server.lookup]);

const serverText = ({ hostname, port }: SipServer): string => `${hostname}:${port}`;
const nameOf = ({ trunk, server, place }: Watched) => ({
  ...{ trunk: trunk.name, server: serverText(server) },
  ...given('place', place && placeText(place)),
});
const keyOf = ({ trunk, server }: Dialled): string => `${trunk.name} ${server.transport} ${serverText(server)}`;
