import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { until } from '../support/until.js';

/** The built daemon as a process of its own, which can be killed. */
export class DaemonProcess {
  #child: ChildProcess | undefined;

  constructor(
    private readonly configFile: string,
    private readonly logFile: string,
    private readonly adminPort: number,
  ) {}

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** `nodeArgs` go to Node itself. */
  start(nodeArgs: readonly string[] = []): void {
    const log = openSync(this.logFile, 'a', 0o600);
    const args = [...nodeArgs, 'dist/main.js', 'run', '--config', this.configFile];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', log, log] });
    closeSync(log);
  }

  /** Sends a signal to the process, by its id. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Resolves with the exit code when the process is gone; null: by a signal. */
  async exited(deadlineMs = 20_000): Promise<number | null> {
    const isGone = (): boolean => this.#child?.exitCode !== null || this.#child.signalCode !== null;
    await until(isGone, `end of the daemon\n${this.tail()}`, deadlineMs);
    return this.#child?.exitCode ?? null;
  }

  /** Resolves when it takes calls. */
  async ready(deadlineMs = 20_000): Promise<void> {
    let isReady = false;
    const ask = async (): Promise<void> => {
      while (!isReady && this.#child?.exitCode === null) {
        const status = await fetch(`http://127.0.0.1:${this.adminPort}/readyz`).then(
          async (response) => (await response.arrayBuffer(), response.status),
          () => 0,
        );
        isReady = status === 200;
        if (!isReady) await new Promise((resolve) => setTimeout(resolve, 25));
      }
    };
    await Promise.race([ask(), until(() => isReady, `readyz of the daemon\n${this.tail()}`, deadlineMs)]);
    if (!isReady) throw new Error(`the daemon ended: ${this.tail()}`);
  }

  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** The last lines of its log. */
  tail(lines = 40): string {
    return readFileSync(this.logFile, 'utf8').split('\n').slice(-lines).join('\n');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await gone;
  }
}
