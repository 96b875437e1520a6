import type { MediaSide } from '../call/media-quality.js';
import type { Config } from '../config/config.js';
import type { ReadinessCheck } from '../http/admin-listener.js';
import type { Clock } from '../lib/clock.js';
import { given } from '../lib/given.js';
import type { IdSource } from '../lib/ids.js';
import type { Logger, LogLevelSource } from '../lib/logger.js';
import type { MediaEngine } from '../media/media-engine.js';
import type { MediaUsage } from '../media/media-usage.js';
import type { MediaCapture } from '../media/packet-capture.js';
import { WeriftMediaEngine } from '../media/werift-media-engine.js';
import { availableCores } from '../media/workers/available-cores.js';
import { forkWorker } from '../media/workers/forked-channel.js';
import { workerCount } from '../media/workers/port-shares.js';
import type { WorkerChannel } from '../media/workers/worker-channel.js';
import { WorkerMediaEngine, type WorkerStatus } from '../media/workers/worker-media-engine.js';

/** Where media runs: in this process, or in workers. */
export type MediaPlacement =
  | 'in-process'
  | {
      /** Which log lines of the workers are wanted; default: all. */
      readonly levels?: LogLevelSource;
      /** The program of a worker, where it does not stand beside this one: tests run from the sources. */
      readonly workerEntry?: URL;
    };

export interface MediaPlaneOptions {
  readonly config: Config['media'];
  readonly placement: MediaPlacement;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
}

/** The media engine, and how its workers stand. */
export interface MediaPlane {
  readonly engine: MediaEngine & MediaCapture;
  /**
   * Begins to start it where that holds nothing up in this process, and returns what is to be awaited before calls are taken.
   * That rejects as the engine's `start` does.
   */
  readonly beginStart: () => () => Promise<void>;
  readonly isInProcess: boolean;
  /** None for media in this process. */
  readonly workers: () => readonly WorkerStatus[];
  readonly usage: () => MediaUsage;
  readonly checks: () => readonly ReadinessCheck[];
}

/** Makes it; nothing of it runs yet. */
export function createMediaPlane(options: MediaPlaneOptions): MediaPlane {
  const { config, placement, logger, clock, ids } = options;
  const { listenIp, advertisedIp, rtpPorts, webrtcPorts, remoteNetworks } = config;
  const settings = { listenIp, advertisedIp, rtpPorts, webrtcPorts, remoteNetworks };
  if (placement === 'in-process') {
    const engine = new WeriftMediaEngine({ ...settings, logger, clock, ids });
    const usage = (): MediaUsage => engine.usage;
    const beginStart = () => () => engine.start();
    return { engine, isInProcess: true, beginStart, workers: () => [], usage, checks: () => [] };
  }
  const workers = workerCount(config.workers, availableCores(), settings);
  const { levels, workerEntry } = placement;
  const launch = (name: string): WorkerChannel => forkWorker(name, workerEntry);
  const engine = new WorkerMediaEngine({
    ...{ workers, settings, launch, logger, clock, ids },
    ...(levels && { levels }),
  });
  const beginStart = (): (() => Promise<void>) => {
    const started = engine.start();
    // Whoever awaits it hears of it.
    started.catch(() => undefined);
    return () => started;
  };
  const checks = (): ReadinessCheck[] => [checkOf(engine.statuses)];
  return { engine, isInProcess: false, beginStart, workers: () => engine.statuses, usage: () => engine.usage, checks };
}

/** UDP ports that each side's range has; without a range the system gives any. */
export function portsOf({ rtpPorts, webrtcPorts }: Config['media']): Partial<Record<MediaSide, number>> {
  const sizeOf = ([first, last]: readonly [number, number]): number | undefined =>
    last === 0 ? undefined : last - first + 1;
  return { ...given('pbx', sizeOf(rtpPorts)), ...given('whatsapp', sizeOf(webrtcPorts)) };
}

/** Calls can be taken as long as one worker is up. */
function checkOf(statuses: readonly WorkerStatus[]): ReadinessCheck {
  const ready = statuses.filter(({ isReady }) => isReady).length;
  return { name: 'media', ok: ready > 0, detail: `${ready} of ${statuses.length} workers` };
}
