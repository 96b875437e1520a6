import type { Journal } from '../call/journal.js';
import type { Config } from '../config/config.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { systemDns, type DnsClient } from '../lib/dns-client.js';
import { systemIds, type IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { packageVersion } from '../lib/package-version.js';
import type { MediaEngine } from '../media/media-engine.js';
import { countedJournal } from '../observability/counted-journal.js';
import { EventBus } from '../observability/event-bus.js';
import { Metrics } from '../observability/metrics.js';
import { Timeline } from '../observability/timeline.js';
import { registerWorkerMetrics } from '../observability/worker-metrics.js';
import { createMediaPlane, type MediaPlacement, type MediaPlane } from './media-plane.js';

/** What every room works with. */
export interface Base {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly journal: Journal;
  readonly timeline: Timeline;
  readonly metrics: Metrics;
  readonly events: EventBus;
  readonly media: MediaEngine;
  readonly mediaPlane: MediaPlane;
  readonly dns: DnsClient;
}

/** What of the surroundings is otherwise in tests. */
export interface BaseOptions {
  /** Default: the system's. */
  readonly dns?: DnsClient | undefined;
  /** Default: in this process. */
  readonly media?: MediaPlacement | undefined;
}

/** Makes it; nothing of it runs yet. */
export function createBase(
  config: Config,
  logger: Logger,
  journal: Journal,
  { dns = systemDns(), media: placement = 'in-process' }: BaseOptions = {},
): Base {
  const [clock, ids] = [systemClock, systemIds];
  const metrics = new Metrics({ version: packageVersion() });
  const timeline = new Timeline(logger, clock);
  timeline.subscribe(({ step }) => {
    if (step === 'call.end_forced') metrics.callEndForced();
  });
  const mediaPlane = createMediaPlane({ config: config.media, placement, logger, clock, ids });
  registerWorkerMetrics(metrics.registry, mediaPlane.workers);
  return {
    ...{ config, logger, clock, ids, metrics, timeline, dns },
    journal: countedJournal(journal, () => metrics.journalFailed()),
    events: new EventBus(),
    ...{ mediaPlane, media: mediaPlane.engine },
  };
}
