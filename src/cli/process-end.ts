import type { Logger } from '../lib/logger.js';
import { EXIT } from './console-io.js';

/** The part of Node's `process` by which a command learns that it has to end. */
export interface HostProcess {
  on(event: 'SIGTERM' | 'SIGINT', listener: (signal: NodeJS.Signals) => void): unknown;
  on(event: 'uncaughtException', listener: (error: Error) => void): unknown;
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  exit(code: number): unknown;
}

/** Faults that are logged one by one; what goes on failing while the daemon stops would fill the disk. */
const MAX_FAULTS_LOGGED = 20;

/**
 * The first SIGTERM, SIGINT, uncaught exception or unhandled rejection; a second signal ends the process at once.
 * Listens for good: without a listener Node prints a fault itself, unredacted, and dies in the middle of stopping.
 */
export class ProcessEnd {
  /** Resolves when the process has to end. */
  readonly reached: Promise<void>;
  #signals = 0;
  #faults = 0;
  #reach: () => void = () => undefined;

  constructor(
    private readonly host: HostProcess,
    private readonly logger: Logger,
  ) {
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    host.on('SIGTERM', (signal) => this.#signal(signal));
    host.on('SIGINT', (signal) => this.#signal(signal));
    host.on('uncaughtException', (error) => this.#fault('uncaughtException', error));
    host.on('unhandledRejection', (reason) => this.#fault('unhandledRejection', reason));
  }

  /** Exit code: a fault at any time, also while stopping, is a failure. */
  get code(): number {
    return this.#faults > 0 ? EXIT.failed : EXIT.ok;
  }

  #signal(signal: NodeJS.Signals): void {
    if (++this.#signals > 1) {
      this.host.exit(EXIT.failed);
      return;
    }
    this.logger.info('stopping', { signal });
    this.#reach();
  }

  #fault(kind: string, err: unknown): void {
    if (++this.#faults <= MAX_FAULTS_LOGGED) this.logger.error('fault that nothing caught, stopping', { kind, err });
    this.#reach();
  }
}
