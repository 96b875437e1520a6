import { systemClock, type Timer } from '../../lib/clock.js';
import { systemIds } from '../../lib/ids.js';
import { noUsage } from '../media-usage.js';
import { WeriftMediaEngine } from '../werift-media-engine.js';
import { fullEffort } from './coder-effort.js';
import { WorkerEffort } from './worker-effort.js';
import { WorkerHost } from './worker-host.js';
import { WorkerLoadMeter } from './worker-load-meter.js';
import { plainFields, WorkerLog } from './worker-log.js';
import { readToWorker, type FromWorker, type ToWorker } from './worker-messages.js';

/** Signalling takes a worker for dead that says nothing for ten times as long. */
const beatMs = 500;
/** Longest wait for the last log line to leave, in milliseconds. */
const lastWordMs = 200;

/** A worker in the process that it has for itself: an engine, and the way to signalling. */
class WorkerProcess {
  readonly #log = new WorkerLog((message) => this.#post(message));
  readonly #logger = this.#log.logger();
  readonly #load = new WorkerLoadMeter();
  #engine: WeriftMediaEngine | undefined;
  #effort: WorkerEffort | undefined;
  #host: WorkerHost | undefined;
  #beat: Timer | undefined;

  run(): void {
    process.on('message', (message) => this.#handle(readToWorker(message)));
    // Signalling is gone: nobody is left who could end the calls, and the ports are wanted by whoever comes next.
    process.on('disconnect', () => process.exit(0));
    if (!process.connected) process.exit(0);
    process.on('uncaughtException', (error) => this.#fault(error));
  }

  #handle(message: ToWorker): void {
    switch (message.type) {
      case 'configure':
        return void this.#configure(message);
      case 'levels':
        this.#log.levels = message.levels;
        return;
      case 'stop':
        return void this.#stop(message.request);
      default:
        this.#host?.handle(message);
    }
  }

  async #configure({ request, settings, levels }: Extract<ToWorker, { type: 'configure' }>): Promise<void> {
    this.#log.levels = levels;
    const engine = new WeriftMediaEngine({
      ...settings,
      ...{ logger: this.#logger, clock: systemClock, ids: systemIds, rests: true },
    });
    this.#engine = engine;
    const setComplexity = (complexity: number): void => engine.setOpusComplexity(complexity);
    this.#effort = new WorkerEffort({ setComplexity, logger: this.#logger });
    this.#host = new WorkerHost(engine, (said, sent) => this.#post(said, sent), this.#logger, engine);
    await engine.start();
    // What loading and warming up did to the event loop says nothing of its calls.
    this.#load.read();
    this.#report();
    this.#post({ type: 'reply', request, value: undefined });
  }

  async #stop(request: number): Promise<void> {
    await this.#engine?.stop();
    this.#post({ type: 'reply', request, value: undefined });
  }

  #report(): void {
    this.#beat = systemClock.after(beatMs, () => this.#report());
    const { lost: lostLogLines } = this.#log;
    const endpoints = this.#host?.endpoints ?? 0;
    const seen = this.#load.read();
    this.#effort?.look(seen, systemClock.monotonicMs());
    const opusComplexity = this.#effort?.complexity ?? fullEffort.complexity;
    const usage = this.#engine?.usage ?? noUsage;
    this.#post({ type: 'beat', load: { ...seen, endpoints, lostLogLines, opusComplexity, usage } });
    this.#log.reported();
  }

  /** After a fault nothing is certain any more: signalling ends the calls, and another worker takes this one's place. */
  #fault(err: unknown): void {
    this.#beat?.cancel();
    const exit = (): void => process.exit(1);
    systemClock.after(lastWordMs, exit);
    const message = 'fault that nothing caught in a media worker';
    this.#post({ type: 'log', level: 'error', message, fields: plainFields({ err }) }, exit);
  }

  /** The callback takes an error that would otherwise be thrown: without a channel there is nobody to tell. */
  #post(message: FromWorker, sent: () => void = () => undefined): void {
    if (process.connected) process.send?.(message, undefined, undefined, sent);
  }
}

/** Serves signalling until it lets go. */
export function runWorker(): void {
  new WorkerProcess().run();
}
