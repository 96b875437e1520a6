import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ANSWER_MS = 20_000;
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

/** A measured process: a script of this folder on a core of its own, asked and answered one message at a time. */
export class Child {
  #process;
  #answer;

  constructor(child) {
    this.#process = child;
    child.on('message', (message) => this.#settle({ message }));
    child.on('exit', (code, signal) => {
      running.delete(child);
      this.#settle({ error: new Error(`a measured process ended: ${signal ?? code}`) });
    });
  }

  /** Starts it and resolves with it and the first thing it says. Its stdout goes to stderr: ours holds results alone. */
  static async start(script, { words = [], core, profileDir } = {}) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const flags = profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : [];
    const command = [process.execPath, '--expose-gc', ...flags, path, ...words];
    const [file, ...rest] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
    const spawned = spawn(file, rest, { stdio: ['ignore', process.stderr, process.stderr, 'ipc'] });
    running.add(spawned);
    const child = new Child(spawned);
    return { child, hello: await child.#heard(script) };
  }

  /** @throws Error when it does not answer in time, or ends */
  ask(question) {
    const answer = this.#heard(question);
    this.#process.send(question);
    return answer;
  }

  /** Lets it end by itself, which is when it writes its profile. */
  async stop() {
    if (!running.has(this.#process)) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.send('stop');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), ANSWER_MS);
    await gone;
    clearTimeout(timer);
  }

  #heard(what) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle({ error: new Error(`no answer to ${what}`) }), ANSWER_MS);
      this.#answer = ({ message, error }) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(message);
      };
    });
  }

  #settle(outcome) {
    const answer = this.#answer;
    this.#answer = undefined;
    answer?.(outcome);
  }
}
