import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ANSWER_MS = 20_000;
const STOP_MS = 10_000;
const TICKS_PER_SECOND = 100; // USER_HZ, fixed by the kernel's interface
const running = new Set();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** Starts a process that ends with this one, however this one ends; on one core, if a core is given. */
export function startProcess(command, { core, stdio, env = process.env }) {
  const bound = ['setpriv', '--pdeathsig', 'TERM', ...command];
  const [file, ...words] = core === undefined ? bound : ['taskset', '-c', String(core), ...bound];
  const child = spawn(file, words, { stdio, env });
  running.add(child);
  child.on('error', () => running.delete(child));
  child.on('exit', () => running.delete(child));
  return child;
}

/** Ends such a process by `signal`, or waits until it does by itself; resolves when it is gone. */
export async function endProcess(child, signal = 'SIGTERM') {
  if (!running.has(child)) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (signal !== null) child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

/** CPU time of a process so far, all its threads, user and system, in milliseconds. */
export function cpuMsOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

/** A measured Node process: a script of this folder on a core of its own, that answers questions in any order. */
export class MeasuredProcess {
  #child;
  #waiting = new Map();
  #next = 1;
  #isGone = false;

  constructor(child) {
    this.#child = child;
    child.on('message', ({ id, answer, error }) => this.#settle(id, answer, error));
    child.on('exit', (code, signal) => {
      this.#isGone = true;
      for (const id of [...this.#waiting.keys()]) this.#settle(id, undefined, `it ended: ${signal ?? code}`);
    });
  }

  /** Its stdout goes to stderr: ours holds results alone. */
  static async start(script, { core, flags = [], profileDir, words = [] } = {}) {
    const path = fileURLToPath(new URL(script, import.meta.url));
    const profile = profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : [];
    const command = [process.execPath, '--expose-gc', ...flags, ...profile, path, ...words];
    const stdio = ['ignore', process.stderr, process.stderr, 'ipc'];
    const measured = new MeasuredProcess(startProcess(command, { core, stdio }));
    await measured.ask('hello');
    return measured;
  }

  get pid() {
    return this.#child.pid;
  }

  /** @throws Error when it does not answer in time, answers with an error, or ends */
  ask(what, facts = {}, patienceMs = ANSWER_MS) {
    if (this.#isGone) return Promise.reject(new Error(`${what}: the process is gone`));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, undefined, 'no answer in time'), patienceMs);
      this.#waiting.set(id, { what, resolve, reject, timer });
      this.#child.send({ id, what, ...facts });
    });
  }

  /** Lets it end by itself, which is when it writes its profile. */
  async stop() {
    if (!this.#isGone) this.#child.send({ what: 'stop' });
    await endProcess(this.#child, null);
  }

  #settle(id, answer, error) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (error === undefined) waiting.resolve(answer);
    else waiting.reject(new Error(`${waiting.what}: ${error}`));
  }
}
