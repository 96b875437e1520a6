import { silentLogger } from '../../src/lib/logger.js';
import { noUsage } from '../../src/media/media-usage.js';
import type { MediaEngine } from '../../src/media/media-engine.js';
import type { WorkerChannel } from '../../src/media/workers/worker-channel.js';
import { WorkerHost } from '../../src/media/workers/worker-host.js';
import {
  readToWorker,
  type FromWorker,
  type ToWorker,
  type WorkerLoad,
} from '../../src/media/workers/worker-messages.js';

export const quietLoad: WorkerLoad = {
  ...{ loopDelayMs: 0, loopDelayMeanMs: 0, cpuMs: 0, rssBytes: 0, endpoints: 0, lostLogLines: 0, opusComplexity: 5 },
  usage: noUsage,
};

/** A worker in the process of the test: an engine behind the same messages, which are copied as on their way to a process. */
export class WorkerDouble implements WorkerChannel {
  readonly pid = undefined;
  unsent = 0;
  /** What signalling said, in order. */
  readonly heard: ToWorker[] = [];
  readonly host: WorkerHost;
  /** It neither reads nor says anything any more. */
  hangs = false;
  /** It reads, and answers nothing. */
  mute = false;
  /** How it takes its configuration. */
  onConfigure: (request: number) => void = (request) => this.say({ type: 'reply', request, value: undefined });
  ended: string | undefined;
  #onMessage: (message: unknown) => void = () => undefined;
  #onEnd: (why: string) => void = () => undefined;

  constructor(
    readonly name: string,
    readonly engine: MediaEngine,
  ) {
    this.host = new WorkerHost(engine, (message) => this.say(message), silentLogger);
  }

  post(message: object): void {
    const copy: unknown = structuredClone(message);
    if (this.ended !== undefined) return;
    if (this.hangs) this.unsent++;
    else queueMicrotask(() => this.#take(readToWorker(copy)));
  }

  /** Says something to signalling. */
  say(message: FromWorker): void {
    this.sayRaw(message);
  }

  sayRaw(message: unknown): void {
    const copy: unknown = structuredClone(message);
    if (this.hangs || this.ended !== undefined) return;
    queueMicrotask(() => this.#onMessage(copy));
  }

  beat(load: Partial<WorkerLoad> = {}): void {
    this.say({ type: 'beat', load: { ...quietLoad, ...load } });
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#onMessage = listener;
  }

  onEnd(listener: (why: string) => void): void {
    this.#onEnd = listener;
  }

  close(): void {
    this.die('closed');
  }

  kill(): void {
    this.die('killed');
  }

  die(why: string): void {
    if (this.ended !== undefined) return;
    this.ended = why;
    this.#onEnd(why);
  }

  #take(message: ToWorker): void {
    this.heard.push(message);
    if (this.mute) return;
    switch (message.type) {
      case 'configure':
        return this.onConfigure(message.request);
      case 'levels':
        return;
      case 'stop':
        return this.say({ type: 'reply', request: message.request, value: undefined });
      default:
        this.host.handle(message);
    }
  }
}
