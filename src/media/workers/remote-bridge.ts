import type { MediaBridge } from '../../call/media-bridge.js';
import type { CallId } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { MediaTimeout } from '../media-watchdog.js';
import type { MediaWorker } from './media-worker.js';

export interface RemoteBridgeOptions {
  readonly call: CallId;
  /** The worker that has this endpoint, as long as both are there. */
  readonly workerOf: (mediaId: string) => MediaWorker | undefined;
  readonly logger: Logger;
}

/** The bridge of one call: in the worker that has the call's endpoints, so nowhere before the first of them is named. */
export class RemoteBridge implements MediaBridge {
  #worker: MediaWorker | undefined;
  #onTimeout: (kind: MediaTimeout) => void = () => undefined;

  constructor(private readonly options: RemoteBridgeOptions) {}

  prepare(mediaId: string): void {
    const worker = this.options.workerOf(mediaId);
    if (!worker) return;
    this.#isIn(worker);
    worker.tell({ type: 'prepare', call: this.options.call, endpoint: mediaId });
  }

  connect(mediaIdA: string, mediaIdB: string): void {
    const { call, workerOf, logger } = this.options;
    const [worker, other] = [workerOf(mediaIdA), workerOf(mediaIdB)];
    if (!worker || worker !== other) {
      this.disconnect();
      logger.warn('media endpoint is gone', { missing: worker ? mediaIdB : mediaIdA });
      return;
    }
    this.#isIn(worker);
    worker.tell({ type: 'connect', call, endpoints: [mediaIdA, mediaIdB] });
  }

  disconnect(): void {
    const { call } = this.options;
    this.#worker?.unwatch(call);
    this.#worker?.tell({ type: 'disconnect', call });
    this.#worker = undefined;
  }

  sendDtmf(mediaId: string, digit: string, durationMs: number): void {
    const { call, workerOf } = this.options;
    workerOf(mediaId)?.tell({ type: 'play_dtmf', call, endpoint: mediaId, digit, durationMs });
  }

  onTimeout(listener: (kind: MediaTimeout) => void): void {
    this.#onTimeout = listener;
  }

  #isIn(worker: MediaWorker): void {
    if (worker === this.#worker) return;
    this.disconnect();
    this.#worker = worker;
    worker.watch(this.options.call, (kind) => this.#onTimeout(kind));
  }
}
