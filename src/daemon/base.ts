import type { Journal } from '../call/journal.js';
import type { Config } from '../config/config.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { fineClock } from '../lib/fine-clock.js';
import { systemDns, type DnsClient } from '../lib/dns-client.js';
import { systemIds, type IdSource } from '../lib/ids.js';
import type { CallLineSource, Logger } from '../lib/logger.js';
import { packageVersion } from '../lib/package-version.js';
import type { MediaEngine } from '../media/media-engine.js';
import { CallHistory } from '../observability/call-history.js';
import { SipRings } from '../observability/capture/sip-rings.js';
import { countedJournal } from '../observability/counted-journal.js';
import { EventBus } from '../observability/event-bus.js';
import type { HepFeed } from '../observability/hep/hep-feed.js';
import { MediaMetrics } from '../observability/media-metrics.js';
import { registerMediaUsageMetrics } from '../observability/media-usage-metrics.js';
import { Metrics } from '../observability/metrics.js';
import { PostDialDelay } from '../observability/post-dial-delay.js';
import { Redaction } from '../observability/redaction.js';
import { Timeline } from '../observability/timeline.js';
import { registerWorkerMetrics } from '../observability/worker-metrics.js';
import { LiveConfig } from './live-config.js';
import { createMediaPlane, portsOf, type MediaPlacement, type MediaPlane } from './media-plane.js';
import { startHep } from './start-hep.js';

/** What every room works with. */
export interface Base {
  /** As it was at the start; what follows a reload asks `live`. */
  readonly config: Config;
  readonly live: LiveConfig;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly journal: Journal;
  readonly timeline: Timeline;
  readonly metrics: Metrics;
  readonly events: EventBus;
  readonly history: CallHistory;
  /** The last SIP messages of each call. */
  readonly sipRings: SipRings;
  /** What goes to the HEP receiver, if there is one. */
  readonly hep: HepFeed | undefined;
  /** Takes secrets and telephone numbers out of what is shown. */
  readonly redaction: Redaction;
  readonly media: MediaEngine;
  readonly mediaPlane: MediaPlane;
  readonly dns: DnsClient;
  /** Of the embedded SIP server's timers. */
  readonly sipServerClock: Clock;
}

/** What of the surroundings is otherwise in tests. */
export interface BaseOptions {
  /** Default: the system's. */
  readonly dns?: DnsClient | undefined;
  /** Default: in this process. */
  readonly media?: MediaPlacement | undefined;
  /** Lines of the log, for the HEP receiver; default: it gets none. */
  readonly lines?: CallLineSource | undefined;
  /** Default: the system's. */
  readonly sipServerClock?: Clock | undefined;
}

/** Makes it; nothing of it runs yet. */
export function createBase(
  config: Config,
  logger: Logger,
  journal: Journal,
  { dns = systemDns(), media: placement = 'in-process', lines, sipServerClock = systemClock }: BaseOptions = {},
): Base {
  const [clock, ids] = [systemClock, systemIds];
  const metrics = new Metrics({ version: packageVersion() });
  const timeline = new Timeline(logger, clock);
  const events = new EventBus();
  const mediaMetrics = new MediaMetrics(metrics.registry);
  const postDialDelay = new PostDialDelay(metrics.registry);
  timeline.subscribe((data) => {
    events.publish({ type: 'call_step', data });
    if (data.step === 'call.end_forced') metrics.callEndForced();
    mediaMetrics.step(data.step, data.detail);
    postDialDelay.step(data);
  });
  const history = new CallHistory();
  const redaction = new Redaction();
  const hep = startHep({ config, logger, clock, dns, metrics, redaction, lines });
  timeline.onQuality = (data) => {
    mediaMetrics.quality(data.side, data.report);
    history.heard(data.call, data.side, data.report, clock.now());
    events.publish({ type: 'call_quality', data });
    hep?.quality(data);
  };
  const mediaPlane = createMediaPlane({ config: config.media, placement, logger, clock, ids });
  registerWorkerMetrics(metrics.registry, mediaPlane.workers);
  registerMediaUsageMetrics(metrics.registry, mediaPlane.usage, portsOf(config.media));
  return {
    ...{ config, logger, clock, ids, metrics, timeline, events, dns, sipServerClock },
    journal: countedJournal(journal, () => metrics.journalFailed()),
    ...{ live: new LiveConfig(config), history, redaction, hep },
    ...{ mediaPlane, media: mediaPlane.engine, sipRings: new SipRings(fineClock(clock)) },
  };
}
