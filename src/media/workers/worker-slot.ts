import type { Clock, Timer } from '../../lib/clock.js';
import type { IdSource } from '../../lib/ids.js';
import type { Logger, LogLevels } from '../../lib/logger.js';
import { noUsage, usageOf, type MediaUsage } from '../media-usage.js';
import { MediaWorker } from './media-worker.js';
import type { WorkerChannel } from './worker-channel.js';
import type { WorkerSettings } from './worker-settings.js';

export interface WorkerSlotOptions {
  /** Names the worker in log lines and metrics. */
  readonly name: string;
  /** With ports that no other slot has. */
  readonly settings: WorkerSettings;
  /** Starts the process of a worker. */
  readonly launch: (name: string) => WorkerChannel;
  readonly levels: () => LogLevels;
  /** A worker takes calls, or a start has come to nothing. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
}

/** Waits before the replacement of a worker that did not live long, in milliseconds; doubled each time. */
const firstBackoffMs = 100;
const maxBackoffMs = 30_000;
/** A worker that lived this long ended for reasons of its own: its replacement does not pay for those before it. */
const soundMs = 60_000;

/** A place for one worker: whenever it ends, another one takes its place. */
export class WorkerSlot {
  readonly #logger: Logger;
  #worker: MediaWorker | undefined;
  #startedMs = 0;
  #backoffMs = firstBackoffMs;
  #timer: Timer | undefined;
  #restingRtpPorts: readonly number[] = [];
  #isStopped = false;
  /** Workers that ended without having been stopped. */
  lost = 0;
  /** What they had done. */
  #before = noUsage;

  constructor(private readonly options: WorkerSlotOptions) {
    this.#logger = options.logger.child({ worker: options.name });
  }

  get name(): string {
    return this.options.name;
  }

  /** Of the worker that is there, as it said last; what is counted goes on from those before it. */
  get usage(): MediaUsage {
    return usageOf([this.#before, this.#worker?.load.usage ?? noUsage]);
  }

  /** The worker that is there and takes calls. */
  get ready(): MediaWorker | undefined {
    return this.#worker?.isReady === true ? this.#worker : undefined;
  }

  /** Starts the first worker. Resolves when it takes calls, or when that came to nothing and will be tried again. Never rejects. */
  async start(): Promise<void> {
    this.#startedMs = this.options.clock.monotonicMs();
    const { name, settings, launch, levels, clock, ids } = this.options;
    const onGone = (why: string, calls: number): void => this.#gone(worker, why, calls);
    let worker: MediaWorker | undefined;
    try {
      worker = new MediaWorker({ channel: launch(name), clock, ids, logger: this.#logger, onGone });
      this.#worker = worker;
      await worker.start({ ...settings, restingRtpPorts: this.#restingRtpPorts }, levels());
    } catch (err) {
      this.#logger.error('media worker did not start', { err });
      if (!worker) this.#later();
    }
    if (worker?.isReady === true) this.#logger.info('media worker ready', { pid: worker.pid, startMs: this.#ageMs() });
    this.options.onChange();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#worker?.stop();
  }

  setLevels(levels: LogLevels): void {
    this.#worker?.setLevels(levels);
  }

  #ageMs(): number {
    return Math.round(this.options.clock.monotonicMs() - this.#startedMs);
  }

  #gone(worker: MediaWorker | undefined, why: string, calls: number): void {
    this.lost++;
    this.#logger.error('media worker ended', { why, pid: worker?.pid, calls, livedMs: this.#ageMs() });
    this.#restingRtpPorts = worker?.usedRtpPorts ?? [];
    this.#before = { ...noUsage, transcoded: this.usage.transcoded };
    this.#worker = undefined;
    this.#later();
    this.options.onChange();
  }

  #later(): void {
    if (this.#isStopped) return;
    if (this.#ageMs() >= soundMs) this.#backoffMs = firstBackoffMs;
    this.#timer = this.options.clock.after(this.#backoffMs, () => void this.start());
    this.#backoffMs = Math.min(2 * this.#backoffMs, maxBackoffMs);
  }
}
