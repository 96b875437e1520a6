import { createInterface } from 'node:readline';
import { endProcess, startProcess } from './measured-process.mjs';

const ANSWER_MS = 15_000;
/** The load counts for this long after a window what was sent in it. */
const WINDOW_TAIL_MS = 500;

/** The load process: RTP legs by the hundred. Its language is told in load/main.c. */
export class Load {
  #child;
  #waiting = new Map();
  /** When something first happened to a leg, ns of the monotonic clock: `up 7`, `first 7`. */
  #events = new Map();
  #freeIds = [];
  #nextId = 0;
  fingerprint = '';

  constructor(child) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    child.on('exit', (code, signal) => {
      for (const key of [...this.#waiting.keys()]) this.#settle(key, undefined, `the load ended: ${signal ?? code}`);
    });
  }

  static async start(binary, core, isUrgent) {
    const command = isUrgent ? ['chrt', '-f', '10', binary] : [binary];
    const load = new Load(startProcess(command, { core, stdio: ['pipe', 'pipe', process.stderr] }));
    load.fingerprint = await load.#heard('ready');
    return load;
  }

  /** Opens a leg; resolves with its id, address, port and SSRC. */
  async leg(side, address, codec, payloadType) {
    const id = this.#freeIds.pop() ?? this.#nextId++;
    for (const what of ['up', 'first']) this.#events.delete(`${what} ${id}`);
    const bound = this.#heard(`leg ${id}`);
    this.#say(`leg ${id} ${side} ${address} ${codec} ${payloadType}`);
    const [port, ssrc] = (await bound).split(' ').map(Number);
    return { id, address, port, ssrc };
  }

  /** With the peer's credentials the leg is an agent that checks, without an ICE-lite one. */
  secure({ id }, role, own, theirs) {
    const words = [own, ...(theirs ? [theirs] : [])].flatMap(({ user, password }) => [user, password]);
    this.#say(`secure ${id} ${role} ${words.join(' ')}`);
  }

  remote({ id }, address, port) {
    this.#say(`remote ${id} ${address} ${port}`);
  }

  pair(a, b) {
    this.#say(`pair ${a.id} ${b.id}`);
  }

  go({ id }) {
    this.#say(`go ${id}`);
  }

  drop({ id }) {
    this.#say(`drop ${id}`);
    this.#freeIds.push(id);
  }

  /** Resolves with the time at which this happened: `up`, DTLS is up; `first`, the first packet came. */
  when(what, { id }) {
    const key = `${what} ${id}`;
    const known = this.#events.get(key);
    return known === undefined ? this.#heard(key).then(BigInt) : Promise.resolve(BigInt(known));
  }

  /** Counts what is sent from now on for so long. */
  async window(ms) {
    const counted = this.#heard('window', ms + WINDOW_TAIL_MS + ANSWER_MS);
    this.#say(`window ${ms}`);
    return JSON.parse(await counted);
  }

  async stop() {
    await endProcess(this.#child);
  }

  #say(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  #heard(key, patienceMs = ANSWER_MS) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(key, undefined, `no ${key} from the load`), patienceMs);
      this.#waiting.set(key, { resolve, reject, timer });
    });
  }

  #hear(line) {
    const [, key, value] = /^((?:leg|up|first) \d+|ready|window) (.*)$/.exec(line) ?? [];
    if (key === undefined) return;
    if (/^(up|first) /.test(key)) this.#events.set(key, value);
    this.#settle(key, value);
  }

  #settle(key, value, error) {
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    this.#waiting.delete(key);
    clearTimeout(waiting.timer);
    if (error === undefined) waiting.resolve(value);
    else waiting.reject(new Error(error));
  }
}
