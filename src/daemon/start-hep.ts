import type { CdrSink } from '../call/call-record.js';
import type { Config } from '../config/config.js';
import type { Clock } from '../lib/clock.js';
import type { DnsClient } from '../lib/dns-client.js';
import { fineClock } from '../lib/fine-clock.js';
import type { CallId } from '../lib/ids.js';
import type { CallLineSource, Logger } from '../lib/logger.js';
import { HepFeed } from '../observability/hep/hep-feed.js';
import { HepLosses } from '../observability/hep/hep-losses.js';
import { registerHepMetrics } from '../observability/hep/hep-metrics.js';
import { HepSocket } from '../observability/hep/hep-socket.js';
import type { Metrics } from '../observability/metrics.js';
import type { Redaction } from '../observability/redaction.js';

export interface HepSurroundings {
  readonly config: Pick<Config, 'hep' | 'sip'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly dns: DnsClient;
  readonly metrics: Metrics;
  readonly redaction: Redaction;
  /** What calls log; absent: nothing of it is sent. */
  readonly lines?: CallLineSource | undefined;
}

/** Begins to send to the HEP receiver of the configuration; undefined: there is none. */
export function startHep({ config, lines, metrics, redaction, ...base }: HepSurroundings): HepFeed | undefined {
  const { hep, sip } = config;
  if (!hep) return undefined;
  const { clock, dns } = base;
  const logger = base.logger.child({ room: 'hep' });
  const losses = new HepLosses(clock, logger);
  const onLost = (packets: number, error: unknown): void => losses.add(packets, error);
  const link = new HepSocket({ ...hep.receiver, dns, clock, onLost });
  const { captureId, password } = hep;
  const sendsSip = sip.server === 'embedded';
  const feed = new HepFeed({
    ...{ link, losses, captureId, password, sendsSip, redaction, clock },
    nowUs: fineClock(clock),
  });
  registerHepMetrics(metrics.registry, () => losses.total);
  lines?.watchLines((call, line) => feed.line(call as CallId, line));
  const { host, port } = hep.receiver;
  logger.info('HEP packets are sent', { receiver: `${host}:${port}`, captureId, sip: sendsSip });
  return feed;
}

/** The sink for call records, which shows each to the HEP receiver first. */
export function withHep(hep: HepFeed | undefined, records: CdrSink): CdrSink {
  if (!hep) return records;
  return {
    started: (start) => records.started?.(start),
    write: (record) => {
      hep.record(record);
      return records.write(record);
    },
    close: () => records.close(),
  };
}
