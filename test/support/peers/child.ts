import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { until } from './until.js';

/** How a peer is started. */
export interface PeerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Says whether a program is there; a missing one is an error of the machine, never a reason to skip. */
export function requireProgram(program: string): void {
  const found = spawnSync('sh', ['-c', 'command -v -- "$1"', 'sh', program]);
  if (found.status !== 0) throw new Error(`${program} is not installed: run test/support/peers/install.sh as root`);
}

/** One external program under test control: its output is kept, and it is ended by its own pid and never outlives the test. */
export class PeerProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<number>;
  #output = '';
  #exitStatus: number | undefined;

  private constructor(private readonly spec: PeerCommand) {
    this.#child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...process.env, ...spec.env },
      stdio: 'pipe',
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output = (this.#output + text).slice(-200_000)));
    }
    // A peer that died closes its input; the write error says no more than the exit status does.
    this.#child.stdin.on('error', () => undefined);
    this.#exited = once(this.#child, 'close').then(
      ([code]: unknown[]) => (this.#exitStatus = code === null ? -1 : Number(code)),
    );
    process.once('exit', this.#kill);
  }

  /** Starts the program. @throws Error when it is not installed */
  static start(spec: PeerCommand): PeerProcess {
    requireProgram(spec.command);
    return new PeerProcess(spec);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Everything written so far, both streams. */
  get output(): string {
    return this.#output;
  }

  get stdin(): NodeJS.WritableStream {
    return this.#child.stdin;
  }

  /** Waits for `probe`, and fails at once when the program ends before it. */
  ready<T>(deadlineMs: number, probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
    return until(`${this.spec.command} ready`, deadlineMs, async () => {
      if (this.#exitStatus !== undefined)
        throw new Error(`${this.#describe()} ended early\n${this.#output.slice(-2000)}`);
      return probe();
    });
  }

  /** Exit status of a program that ends by itself, -1 for a signal. @throws Error after `deadlineMs`; the program is killed then */
  async exit(deadlineMs: number): Promise<number> {
    try {
      return await until(`${this.#describe()} ended`, deadlineMs, () => this.#exitStatus);
    } catch (error) {
      await this.stop();
      throw new Error(`${String(error)}\n${this.#output.slice(-2000)}`, { cause: error });
    }
  }

  /** Ends the program: politely, then after 3 s for good. Idempotent. */
  async stop(): Promise<void> {
    if (this.#exitStatus === undefined) {
      this.#child.kill('SIGTERM');
      const timer = setTimeout(this.#kill, 3_000);
      await this.#exited;
      clearTimeout(timer);
    }
    process.off('exit', this.#kill);
  }

  readonly #kill = (): void => {
    if (this.#exitStatus === undefined) this.#child.kill('SIGKILL');
  };

  #describe(): string {
    return `${this.spec.command} (pid ${this.#child.pid ?? 'none'}, status ${this.#exitStatus ?? 'running'})`;
  }
}
