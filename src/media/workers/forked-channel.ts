import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { WorkerChannel } from './worker-channel.js';

/** What a worker runs. */
export const workerEntry = new URL('./worker-main.js', import.meta.url);

/**
 * V8's options of a worker. A young generation of 2 MB: larger ones are collected more seldom and for so much longer that packets
 * are late by tens of milliseconds. Node's own code in large pages, where the kernel has them.
 */
const v8Options = ['--max-semi-space-size=2', '--use-largepages=silent'];

/** What a worker gets of our environment: it faces the network, and none of our secrets are its business. */
const inherited = ['PATH', 'TZ', 'LANG', 'LC_ALL', 'LD_LIBRARY_PATH', 'NODE_ENV', 'OPENSSL_CONF'];

/** As much of what a process wrote before it died as is kept for the log. */
const maxLastWords = 2000;
/** Longest wait for them, in milliseconds. */
const lastWordsMs = 100;

/**
 * Starts a worker in a process of its own.
 * @param nodeOptions for its Node, beside ours
 */
export function forkWorker(name: string, entry: URL = workerEntry, nodeOptions: readonly string[] = []): WorkerChannel {
  const child = fork(fileURLToPath(entry), [name], {
    serialization: 'advanced',
    execArgv: [...v8Options, ...nodeOptions],
    env: Object.fromEntries(
      inherited.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])),
    ),
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  return new ForkedChannel(child);
}

class ForkedChannel implements WorkerChannel {
  unsent = 0;
  #lastWords = '';
  #onMessage: (message: unknown) => void = () => undefined;
  #onEnd: (why: string) => void = () => undefined;
  #ended: string | undefined;

  constructor(private readonly child: ChildProcess) {
    child.on('message', (message) => this.#onMessage(message));
    // Only after its last words; but what else has its standard error open must not keep its calls waiting.
    child.on('close', (code, signal) => this.#end(signal ?? `exit status ${code}`));
    child.once('exit', (code, signal) => this.#endSoon(signal ?? `exit status ${code}`));
    child.once('disconnect', () => this.#endSoon('closed its channel'));
    child.on('error', (error) => this.#end(error.message));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(0, maxLastWords);
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  post(message: object): void {
    if (!this.child.connected) return;
    this.unsent++;
    // An error is the worker's end, which is told by itself.
    this.child.send(message, () => this.unsent--);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#onMessage = listener;
  }

  onEnd(listener: (why: string) => void): void {
    this.#onEnd = listener;
    if (this.#ended !== undefined) listener(this.#ended);
  }

  close(): void {
    if (this.child.connected) this.child.disconnect();
  }

  kill(): void {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
  }

  #endSoon(why: string): void {
    setTimeout(() => this.#end(why), lastWordsMs).unref();
  }

  #end(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = this.#lastWords === '' ? why : `${why}: ${this.#lastWords}`;
    this.#onEnd(this.#ended);
  }
}
