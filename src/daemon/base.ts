import type { Journal } from '../call/journal.js';
import type { Config } from '../config/config.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { systemDns, type DnsClient } from '../lib/dns-client.js';
import { systemIds, type IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import { packageVersion } from '../lib/package-version.js';
import { WeriftMediaEngine } from '../media/werift-media-engine.js';
import { countedJournal } from '../observability/counted-journal.js';
import { EventBus } from '../observability/event-bus.js';
import { Metrics } from '../observability/metrics.js';
import { Timeline } from '../observability/timeline.js';

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
  readonly media: WeriftMediaEngine;
  readonly dns: DnsClient;
}

/** Makes it; nothing of it runs yet. */
export function createBase(config: Config, logger: Logger, journal: Journal, dns: DnsClient = systemDns()): Base {
  const [clock, ids] = [systemClock, systemIds];
  const { listenIp, advertisedIp, rtpPorts, webrtcPorts, remoteNetworks } = config.media;
  const metrics = new Metrics({ version: packageVersion() });
  const timeline = new Timeline(logger, clock);
  timeline.subscribe(({ step }) => {
    if (step === 'call.end_forced') metrics.callEndForced();
  });
  return {
    ...{ config, logger, clock, ids, metrics, timeline, dns },
    journal: countedJournal(journal, () => metrics.journalFailed()),
    events: new EventBus(),
    media: new WeriftMediaEngine({ listenIp, advertisedIp, rtpPorts, webrtcPorts, remoteNetworks, logger, clock, ids }),
  };
}
