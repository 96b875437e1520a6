import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { CallUser } from './failing-call.js';
import { until } from './until.js';

const script = fileURLToPath(new URL('../bench/media/libwebrtc-process.mjs', import.meta.url));

/** libwebrtc as the far side of a WhatsApp call in a process of its own, which can be killed: says a tone from the first moment on. */
export class LibWebRtcProcess implements CallUser {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, { readonly answer?: unknown; readonly error?: string }>();
  #questions = 0;

  constructor() {
    this.#child = fork(script, { execArgv: ['--expose-gc'], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    this.#child.on('message', (message) => {
      const { id, ...answer } = message as { id: number; answer?: unknown; error?: string };
      this.#answers.set(id, answer);
    });
  }

  async offer(): Promise<string> {
    return (await this.#ask('offer', {})) as string;
  }

  async accept(answer: string): Promise<void> {
    await this.#ask('accept', { answer });
  }

  /** As `kill -9` does: without a word to anybody. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  close(): void {
    this.kill();
  }

  async #ask(what: string, facts: Readonly<Record<string, unknown>>): Promise<unknown> {
    const id = ++this.#questions;
    this.#child.send({ id, what, ...facts });
    await until(() => this.#answers.has(id), `libwebrtc's ${what}`, 10_000);
    const { answer, error } = this.#answers.get(id) ?? {};
    if (error !== undefined) throw new Error(error);
    return answer;
  }
}
