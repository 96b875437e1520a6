import type { ReadinessCheck } from '../http/admin-listener.js';
import type { Metrics } from '../observability/metrics.js';
import type { ServerStatus } from '../sip/server-watch.js';

/** Shows operators which servers of the trunks answer: as a metric once that is known, and beside the readiness checks. */
export class ServerReports {
  /** Where it is known; until then there is nothing to show. */
  source: () => readonly ServerStatus[] = () => [];

  constructor(metrics: Metrics) {
    metrics.probe({ servers: () => this.source().flatMap(gauge) });
  }

  /** For information only: a PBX that is down is no reason to take the daemon out of service. */
  checks(): ReadinessCheck[] {
    return this.source().map(({ trunk, server, health, isHeldOff }) => ({
      ...{ name: `trunk ${trunk}`, ok: true, detail: `${server} ${health}${isHeldOff ? ', held off' : ''}` },
    }));
  }
}

const gauge = ({ trunk, server, health }: ServerStatus): { trunk: string; server: string; isUp: boolean }[] =>
  health === 'unknown' ? [] : [{ trunk, server, isUp: health === 'up' }];
