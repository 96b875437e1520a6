import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { WorkerLoad } from './worker-messages.js';

/** Between two looks of the monitor; what it sees is this plus the lateness. In milliseconds. */
const resolutionMs = 10;

/** Measures what a worker does to its processor. */
export class WorkerLoadMeter {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#delay.enable();
  }

  /** Since the last reading. */
  read(): Pick<WorkerLoad, 'loopDelayMs' | 'loopDelayMeanMs' | 'cpuMs' | 'rssBytes'> {
    const { user, system } = process.cpuUsage();
    const reading = {
      loopDelayMs: lateness(this.#delay.percentile(99)),
      loopDelayMeanMs: lateness(this.#delay.mean),
      cpuMs: (user + system) / 1000,
      rssBytes: process.memoryUsage.rss(),
    };
    this.#delay.reset();
    return reading;
  }
}

/** NaN and 0 before the first look. */
function lateness(nanoseconds: number): number {
  return nanoseconds > 0 ? Math.max(0, nanoseconds / 1e6 - resolutionMs) : 0;
}
