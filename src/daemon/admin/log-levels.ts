import { ProblemError } from '../../http/api/problem.js';
import type { LogLevelRequest, LogLevelsOut } from '../../http/api/schemas.js';
import type { Clock, Timer } from '../../lib/clock.js';
import { given } from '../../lib/given.js';
import type { LogLevel } from '../../lib/logger.js';

/** What of the log can be changed while it runs. */
export interface LevelSwitch {
  setLevel(level: LogLevel): void;
  setCallLevel(call: string, level: LogLevel | undefined): void;
}

export interface LogLevelsOptions {
  readonly log: LevelSwitch;
  /** The level of the configuration in use. */
  readonly configured: () => LogLevel;
  readonly isLive: (call: string) => boolean;
  readonly clock: Clock;
}

/** A level that counts instead of another, for good or until a time. */
interface Override {
  readonly level: LogLevel;
  readonly untilMs: number | undefined;
  readonly timer: Timer | undefined;
}

/** Levels that operators have asked for, beside the configured one: of all, or of single live calls. */
export class LogLevels {
  #general: Override | undefined;
  readonly #calls = new Map<string, Override>();

  constructor(private readonly options: LogLevelsOptions) {}

  /** @throws ProblemError when the call is not live */
  set({ level, call, forMs }: LogLevelRequest): void {
    if (call === undefined) return this.#setGeneral(level ?? undefined, forMs);
    if (!this.options.isLive(call)) throw new ProblemError('no_such_call', 'the call is not live');
    this.#setCall(call, level ?? undefined, forMs);
  }

  /** The configuration may have another level now. */
  configured(): void {
    this.options.log.setLevel(this.#general?.level ?? this.options.configured());
  }

  /** A call is over, and its level with it. */
  callEnded(call: string): void {
    if (this.#calls.has(call)) this.#setCall(call, undefined, undefined);
  }

  view(): LogLevelsOut {
    const configured = this.options.configured();
    const general = this.#general;
    return {
      ...{ level: general?.level ?? configured, configured, ...until(general) },
      calls: [...this.#calls].map(([call, one]) => ({ call, level: one.level, ...until(one) })),
    };
  }

  #setGeneral(level: LogLevel | undefined, forMs: number | undefined): void {
    this.#general?.timer?.cancel();
    this.#general = level && this.#override(level, forMs, () => this.#setGeneral(undefined, undefined));
    this.configured();
  }

  #setCall(call: string, level: LogLevel | undefined, forMs: number | undefined): void {
    this.#calls.get(call)?.timer?.cancel();
    this.#calls.delete(call);
    if (level)
      this.#calls.set(
        call,
        this.#override(level, forMs, () => this.#setCall(call, undefined, undefined)),
      );
    this.options.log.setCallLevel(call, level);
  }

  #override(level: LogLevel, forMs: number | undefined, onOver: () => void): Override {
    if (forMs === undefined) return { level, untilMs: undefined, timer: undefined };
    const { clock } = this.options;
    return { level, untilMs: clock.now() + forMs, timer: clock.after(forMs, onOver) };
  }
}

const until = (override: Override | undefined): { until?: string } =>
  given('until', override?.untilMs === undefined ? undefined : new Date(override.untilMs).toISOString());
