import type { Clock, Timer } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';
import { todayIn } from '../../routing/today.js';
import type { WaNumber } from '../../routing/types.js';
import type { SettingsClient } from './settings-client.js';
import { settingsDifference, type SettingsChange } from './settings-difference.js';

/** How a number stands at Meta against the file. */
export interface SettingsStatus {
  /** Meta's phone_number_id, and the number's name. */
  readonly numberId: string;
  readonly number: string;
  /** `unknown`: Meta has not been asked yet, or could not be. */
  readonly state: 'unknown' | 'in step' | 'differs';
  /** What differs, as it was last seen. */
  readonly changes: readonly SettingsChange[];
}

/** What the configuration says of it. */
export interface SettingsWatchRules {
  readonly numbers: readonly WaNumber[];
  /** `apply`: what differs at the start is written; later it is only told, as with `report`. `off`: nothing is asked. */
  readonly push: 'apply' | 'report' | 'off';
  /** Between two looks at a number, in milliseconds; undefined: it is looked at once. */
  readonly pollMs: number | undefined;
}

export interface SettingsWatchOptions extends SettingsWatchRules {
  readonly client: Pick<SettingsClient, 'pull' | 'apply'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 to 1; spreads the numbers over time. */
  readonly random?: () => number;
  /** Told when a number's state, or what differs, is another one. */
  readonly onChange?: (status: SettingsStatus) => void;
}

/** After a failure, doubling up to `pollMs`. */
const RETRY_MS = 60_000;
/** A webhook says that something changed, often several times in a row. */
const SETTLE_MS = 2_000;
/** Numbers are asked about one after the other in this time after the start. */
const SPREAD_MS = 2_000;

interface Watched {
  number: WaNumber;
  status: SettingsStatus;
  /** It was brought to what the file wants, or there is nothing to bring. */
  isPushed: boolean;
  failures: number;
  isBusy: boolean;
  timer: Timer | undefined;
}

/**
 * Keeps Meta's settings of the numbers equal to the file at the start, and watches them from then on. What somebody changes at
 * Meta later is told and left as it is: two writers that undo each other would help nobody.
 */
export class SettingsWatch {
  #watched: Watched[] = [];
  #pollMs: number | undefined;
  #isStopped = true;

  constructor(private readonly options: SettingsWatchOptions) {
    this.#watch(options);
  }

  /** The configuration was read anew: as after a start, but a number that is being worked on is not begun twice. */
  use(rules: SettingsWatchRules): void {
    for (const { timer } of this.#watched) timer?.cancel();
    this.#watch(rules);
    if (!this.#isStopped) this.start();
  }

  #watch({ push, pollMs, numbers }: SettingsWatchRules): void {
    const managed = push === 'off' ? [] : numbers.filter(({ settings }) => settings !== undefined);
    this.#pollMs = pollMs;
    this.#watched = managed.map((number) => {
      const status = { numberId: number.id, number: number.name, state: 'unknown', changes: [] } as const;
      const known = this.#watched.find((one) => one.number.id === number.id);
      const fresh = { number, isPushed: push !== 'apply', failures: 0 };
      // The same object: a look that is under way sees what it works for now.
      return known ? Object.assign(known, fresh) : { ...fresh, status, isBusy: false, timer: undefined };
    });
  }

  start(): void {
    this.#isStopped = false;
    const { random = Math.random } = this.options;
    for (const watched of this.#watched) this.#lookIn(watched, SPREAD_MS * random());
  }

  /** Idempotent. */
  stop(): void {
    this.#isStopped = true;
    for (const { timer } of this.#watched) timer?.cancel();
  }

  statuses(): readonly SettingsStatus[] {
    return this.#watched.map(({ status }) => status);
  }

  /** Meta says that a number's settings have changed (webhook `account_settings_update`). */
  changed(numberId: string): void {
    const watched = this.#watched.find(({ number }) => number.id === numberId);
    if (watched && !this.#isStopped) this.#lookIn(watched, SETTLE_MS);
  }

  #lookIn(watched: Watched, delayMs: number): void {
    watched.timer?.cancel();
    watched.timer = this.options.clock.after(delayMs, () => void this.#look(watched));
  }

  async #look(watched: Watched): Promise<void> {
    if (watched.isBusy) return this.#lookIn(watched, SETTLE_MS);
    watched.isBusy = true;
    const { number } = watched;
    try {
      const changes = watched.isPushed ? await this.#differing(watched) : await this.#push(watched);
      if (watched.number === number) this.#note(watched, changes);
    } catch (err) {
      if (watched.number === number) this.#failed(watched, err);
    } finally {
      watched.isBusy = false;
    }
    // What was found against another file's settings says nothing, and the look at the new ones is armed.
    if (watched.number === number) this.#next(watched);
  }

  #next(watched: Watched): void {
    const pollMs = this.#pollMs;
    if (this.#isStopped || !this.#watched.includes(watched)) return;
    const retryMs = RETRY_MS * 2 ** Math.min(watched.failures - 1, 10);
    if (watched.failures > 0) this.#lookIn(watched, Math.min(retryMs, pollMs ?? retryMs));
    else if (pollMs !== undefined) this.#lookIn(watched, pollMs);
  }

  #today({ number }: Watched): string {
    return todayIn(number.callHours?.timezoneId, this.options.clock.now());
  }

  async #differing(watched: Watched): Promise<readonly SettingsChange[]> {
    const live = await this.options.client.pull(watched.number.id);
    return settingsDifference(watched.number.settings ?? {}, live, this.#today(watched));
  }

  async #push(watched: Watched): Promise<readonly SettingsChange[]> {
    const { number } = watched;
    const { id, name, settings = {}, signaling } = number;
    // The loader refuses such a file; that it can never happen is worth a second lock.
    if (signaling === 'graph' && settings.sip?.status === 'ENABLED') throw new Error('SIP is never turned on here');
    const { changes, remaining } = await this.options.client.apply(id, settings, this.#today(watched));
    if (watched.number === number) watched.isPushed = true;
    const { logger } = this.options;
    if (changes.length > 0) logger.info('settings applied at Meta', { number: name, changes: pathsOf(changes) });
    if (remaining.length > 0) logger.error('settings not kept by Meta', { number: name, changes: pathsOf(remaining) });
    return remaining;
  }

  #note(watched: Watched, changes: readonly SettingsChange[]): void {
    watched.failures = 0;
    const { state: before, changes: known } = watched.status;
    const { id: numberId, name: number } = watched.number;
    const state = changes.length === 0 ? 'in step' : 'differs';
    watched.status = { numberId, number, state, changes };
    if (before === state && JSON.stringify(known) === JSON.stringify(changes)) return;
    const { logger } = this.options;
    if (state === 'differs')
      logger.warn('settings at Meta differ from the file', { number, changes: pathsOf(changes) });
    else logger.info('settings at Meta are as in the file', { number });
    this.options.onChange?.(watched.status);
  }

  /** What was known stays: a failure says nothing of the settings. */
  #failed(watched: Watched, err: unknown): void {
    watched.failures++;
    if (watched.failures > 1) return;
    this.options.logger.warn('settings could not be compared with Meta', { number: watched.status.number, err });
  }
}

const pathsOf = (changes: readonly SettingsChange[]): string[] => changes.map(({ path }) => path);
