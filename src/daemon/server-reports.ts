import type { ReadinessCheck } from '../http/admin-listener.js';
import type { EventBus } from '../observability/event-bus.js';
import type { Metrics } from '../observability/metrics.js';
import type { RegistrationStatus } from '../sip/registration/registrations.js';
import type { QualifyAnswer, ServerStatus } from '../sip/server-watch.js';
import type { SipUserAgent } from '../sip/sip-user-agent.js';

/**
 * Shows operators which servers of the trunks answer and which have us registered: as metrics once that is known, beside the
 * readiness checks, and registrations as events.
 */
export class ServerReports {
  readonly #qualified: (answer: QualifyAnswer) => void;
  #servers: () => readonly ServerStatus[] = () => [];
  #registrations: () => readonly RegistrationStatus[] = () => [];

  constructor(
    metrics: Metrics,
    private readonly events: EventBus,
  ) {
    this.#qualified = ({ trunk, tookMs }) => metrics.trunkQualified(trunk, tookMs);
    metrics.probe({ servers: () => this.#servers().flatMap(gauge), registrations: () => this.#registrations() });
  }

  /** From now on there is something to show. */
  watch({ servers, registrations }: Pick<SipUserAgent, 'servers' | 'registrations'>): void {
    this.#servers = () => servers.statuses();
    this.#registrations = () => registrations.statuses();
    servers.onChange((data) => this.events.publish({ type: 'trunk_server', data }));
    servers.onQualified(this.#qualified);
    registrations.onChange((data) => this.events.publish({ type: 'registration', data }));
  }

  /** For information only: a PBX that is down is no reason to take the daemon out of service. */
  checks(): ReadinessCheck[] {
    return [...this.#servers().map(serverCheck), ...this.#registrations().map(registrationCheck)];
  }
}

const serverCheck = ({ trunk, server, health, isHeldOff }: ServerStatus): ReadinessCheck => ({
  ...{ name: `trunk ${trunk}`, ok: true, detail: `${server} ${health}${isHeldOff ? ', held off' : ''}` },
});

function registrationCheck({ trunk, server, isRegistered, why }: RegistrationStatus): ReadinessCheck {
  const detail = isRegistered ? 'registered' : `not registered${why === undefined ? '' : `: ${why}`}`;
  return { name: `registration ${trunk}`, ok: true, detail: `${server} ${detail}` };
}

const gauge = ({ trunk, server, health }: ServerStatus): { trunk: string; server: string; isUp: boolean }[] =>
  health === 'unknown' ? [] : [{ trunk, server, isUp: health === 'up' }];
