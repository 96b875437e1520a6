import type { Readable } from 'node:stream';
import type { Call } from '../../call/call.js';
import type { AdminPort } from '../../http/api/admin-port.js';
import type { ReadinessCheck } from '../../http/admin-listener.js';
import { ProblemError } from '../../http/api/problem.js';
import type {
  CallDetailOut,
  CallOut,
  CallsQuery,
  CaptureRequest,
  DrainOut,
  LogLevelRequest,
  LogLevelsOut,
  NumberOut,
  ReloadOut,
  StatusOut,
  TrunkOut,
} from '../../http/api/schemas.js';
import { given } from '../../lib/given.js';
import type { CallId } from '../../lib/ids.js';
import { packageVersion } from '../../lib/package-version.js';
import type { SettingsStatus } from '../../whatsapp/settings/settings-watch.js';
import type { Base } from '../base.js';
import type { Drain } from '../drain.js';
import type { Reload } from '../reload.js';
import { CallCaptures } from './call-capture.js';
import { CallViews } from './call-views.js';
import type { LogLevels } from './log-levels.js';
import { numberViews } from './number-views.js';
import { trunkViews, type TrunkFacts } from './trunk-views.js';

export interface AdminServiceOptions {
  readonly base: Base;
  readonly checks: () => readonly ReadinessCheck[];
  readonly drain: Drain;
  readonly reload: Reload;
  readonly levels: LogLevels;
}

/** The parts that come up after the admin listener, which is there first. */
export interface LateParts {
  readonly call: (id: CallId) => Call | undefined;
  readonly trunks: () => TrunkFacts;
  readonly settings: () => readonly SettingsStatus[];
}

const nobody: LateParts = {
  call: () => undefined,
  trunks: () => ({ servers: [], registrations: [], callsOf: () => 0 }),
  settings: () => [],
};

/** What the admin API asks of the daemon. */
export class AdminService implements AdminPort {
  readonly #views: CallViews;
  readonly #captures: CallCaptures;
  readonly #startedMs: number;
  readonly #startedAt: string;
  #late = nobody;

  constructor(private readonly options: AdminServiceOptions) {
    const { history, timeline, redaction, clock } = options.base;
    this.#views = new CallViews({ history, timeline, redaction, call: (id) => this.#late.call(id) });
    this.#captures = new CallCaptures({ ...options.base, media: options.base.mediaPlane.engine });
    this.#startedMs = clock.monotonicMs();
    this.#startedAt = iso(clock.now());
  }

  /** From now on calls can be placed. */
  attach(parts: LateParts): void {
    this.#late = parts;
  }

  status(): StatusOut {
    const { base, checks, reload } = this.options;
    const all = checks().map(({ name, ok, detail }) => ({ name, ok, ...given('detail', detail) }));
    const { last } = reload;
    return {
      ...{ version: packageVersion(), node: process.version, started: this.#startedAt },
      uptimeMs: Math.round(base.clock.monotonicMs() - this.#startedMs),
      ready: all.every(({ ok }) => ok),
      checks: all,
      calls: base.history.live().length,
      drain: this.drain(),
      ...given('reload', last && { at: iso(last.atMs), result: last.result }),
    };
  }

  calls(query: CallsQuery): CallOut[] {
    return this.#views.list(query);
  }

  call(idOrPrefix: string): CallDetailOut {
    return this.#views.one(idOrPrefix);
  }

  hangup(id: string): void {
    const { history, logger } = this.options.base;
    const known = history.get(id as CallId);
    if (!known) throw new ProblemError('no_such_call');
    const call = this.#late.call(id as CallId);
    if (!call || call.state === 'ending' || call.state === 'ended') throw new ProblemError('call_over');
    logger.info('call is ended by an operator', { call: id });
    call.end('admin');
  }

  capture(id: string, request: CaptureRequest): Readable {
    return this.#captures.start(id as CallId, request);
  }

  trunks(): TrunkOut[] {
    return trunkViews(this.options.base.live.current.trunks, this.#late.trunks());
  }

  numbers(): NumberOut[] {
    const { live, clock, history } = this.options.base;
    const calls = history.live();
    const callsOf = (name: string): number => calls.filter(({ start }) => start.number === name).length;
    return numberViews(live.current.numbers, { settings: this.#late.settings(), callsOf, nowMs: clock.now() });
  }

  failures(limit: number): CallOut[] {
    return this.#views.failures(limit);
  }

  drain(): DrainOut {
    const { drain, base } = this.options;
    const { sinceMs, untilMs } = drain.times;
    return {
      ...{ state: drain.state, calls: base.history.live().length },
      ...given('since', sinceMs === undefined ? undefined : iso(sinceMs)),
      ...given('until', untilMs === undefined ? undefined : iso(untilMs)),
    };
  }

  startDrain(stop: boolean): DrainOut {
    const { drain } = this.options;
    if (stop) drain.stop();
    else drain.begin();
    return this.drain();
  }

  endDrain(): DrainOut {
    if (!this.options.drain.end()) throw new ProblemError('stopping');
    return this.drain();
  }

  reload(): Promise<ReloadOut> {
    // Rooms that are being built have taken what they were given.
    if (this.#late === nobody) return Promise.reject(new ProblemError('unavailable', 'the daemon is starting'));
    const outcome = this.options.reload.run();
    if (outcome.result === 'impossible') return Promise.reject(new ProblemError('reload_impossible'));
    const { result, file } = outcome;
    if (result === 'refused') {
      const { errors } = outcome;
      return Promise.reject(new ProblemError('configuration_refused', `${errors.length} errors`, { file, errors }));
    }
    const { changed, restart, warnings } = outcome;
    const copied = { changed: [...changed], restart: [...restart], warnings: warnings.map((one) => ({ ...one })) };
    return Promise.resolve({ ok: true, file, ...copied });
  }

  logLevels(): LogLevelsOut {
    return this.options.levels.view();
  }

  setLogLevel(request: LogLevelRequest): LogLevelsOut {
    this.options.levels.set(request);
    return this.options.levels.view();
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
