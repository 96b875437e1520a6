import type { Logger } from '../../lib/logger.js';
import { fullEffort, nextEffort } from './coder-effort.js';
import type { WorkerLoad } from './worker-messages.js';

export interface WorkerEffortOptions {
  /** Makes encoders obey, those at work too. */
  readonly setComplexity: (complexity: number) => void;
  readonly logger: Logger;
}

/** Codes with less effort while the worker has too much to do. */
export class WorkerEffort {
  #effort = fullEffort;
  #lastCpuMs: number | undefined;
  #lastAtMs = 0;

  constructor(private readonly options: WorkerEffortOptions) {}

  /** Complexity of Opus at the moment. */
  get complexity(): number {
    return this.#effort.complexity;
  }

  /** Takes a reading of the load meter; the first one only begins. */
  look({ cpuMs, loopDelayMeanMs }: Pick<WorkerLoad, 'cpuMs' | 'loopDelayMeanMs'>, nowMs: number): void {
    const [lastCpuMs, lastAtMs] = [this.#lastCpuMs, this.#lastAtMs];
    this.#lastCpuMs = cpuMs;
    this.#lastAtMs = nowMs;
    if (lastCpuMs === undefined || nowMs <= lastAtMs) return;
    const cpuShare = (cpuMs - lastCpuMs) / (nowMs - lastAtMs);
    const before = this.#effort.complexity;
    this.#effort = nextEffort(this.#effort, { cpuShare, loopDelayMeanMs });
    const { complexity } = this.#effort;
    if (complexity === before) return;
    const { setComplexity, logger } = this.options;
    setComplexity(complexity);
    const facts = { complexity, before, cpuShare: rounded(cpuShare), loopDelayMeanMs: rounded(loopDelayMeanMs) };
    if (complexity < before) logger.warn('Opus is coded with less effort: the media worker has too much to do', facts);
    else logger.info('Opus is coded with more effort again', facts);
  }
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
