import type { Logger } from '../lib/logger.js';
import { EXIT } from './console-io.js';

/** The part of Node's `process` by which a command learns that it has to end. */
export interface HostProcess {
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: (signal: NodeJS.Signals) => void): unknown;
  on(event: 'uncaughtException', listener: (error: Error) => void): unknown;
  on(event: 'unhandledRejection', listener: (reason: unknown) => void): unknown;
  exit(code: number): unknown;
}

/** Faults that are logged one by one; what goes on failing while the daemon stops would fill the disk. */
const MAX_FAULTS_LOGGED = 20;

/**
 * The first SIGTERM, SIGINT, uncaught exception or unhandled rejection. With a second signal calls are not waited for; with a
 * third the process ends as it is. Listens for good: without a listener Node prints a fault itself, unredacted, and dies in
 * the middle of stopping.
 */
export class ProcessEnd {
  /** Resolves when the process has to end. */
  readonly reached: Promise<void>;
  /** Resolves when it has to end now: after a second signal, or a fault, which leaves nothing certain. */
  readonly hurried: Promise<void>;
  #signals = 0;
  #faults = 0;
  #reach: () => void = () => undefined;
  #hurry: () => void = () => undefined;

  constructor(
    private readonly host: HostProcess,
    private readonly logger: Logger,
  ) {
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.hurried = new Promise((resolve) => (this.#hurry = resolve));
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
    this.#signals++;
    if (this.#signals > 2) {
      this.host.exit(EXIT.failed);
      return;
    }
    const isSecond = this.#signals === 2;
    this.logger.info(isSecond ? 'stopping at once' : 'stopping', { signal });
    if (isSecond) this.#hurry();
    else this.#reach();
  }

  #fault(kind: string, err: unknown): void {
    if (++this.#faults <= MAX_FAULTS_LOGGED) this.logger.error('fault that nothing caught, stopping', { kind, err });
    this.#reach();
    this.#hurry();
  }
}
