import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CallRecord, CallStart } from '../call/call-record.js';

/** What is asked for each time the metrics are read. */
export interface Probes {
  /** Whether the link to the SIP server is up. */
  readonly isSipConnected: () => boolean;
  /** Servers of the trunks that are known to be up or down. */
  readonly servers: () => readonly { readonly trunk: string; readonly server: string; readonly isUp: boolean }[];
  /** Of the trunks that register, at each of their servers. */
  readonly registrations: () => readonly {
    readonly trunk: string;
    readonly server: string;
    readonly isRegistered: boolean;
  }[];
  /** Numbers whose settings are watched, once Meta has been asked. */
  readonly settings: () => readonly { readonly number: string; readonly differing: number }[];
  /** Calls whose webhooks wait for the HTTP reply that names their id. */
  readonly parkedWebhooks: () => number;
  /** Whether no new calls are taken. */
  readonly isDraining: () => boolean;
}

/** Something that is so, or not, of a server of a trunk. */
interface ServerFact {
  readonly trunk: string;
  readonly server: string;
  readonly value: boolean;
}

/** One attempt at a request to the Graph API. */
export interface GraphAttempt {
  /** `connect`, `call_permissions`, …: one of a fixed few. */
  readonly action: string;
  /** `ok`, Meta's error code, or the kind of fault when Meta gave none. */
  readonly code: string | number;
  readonly rateLimited: boolean;
  readonly tookMs: number;
}

/** A webhook event, as far as its delay goes. */
export interface StampedEvent {
  readonly kind: string;
  /** Meta's stamp, Unix milliseconds. */
  readonly timestampMs?: number | undefined;
}

const LABELS = { calls: ['direction', 'trunk', 'number', 'result', 'cause'], live: ['direction', 'trunk'] } as const;

/** Buckets in seconds. */
const BUCKETS = {
  setup: [0.25, 0.5, 1, 2, 3, 5, 8, 12, 20, 30, 60],
  duration: [1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400],
  delay: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
  qualify: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  request: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
} as const;

const seconds = (ms: number): number => ms / 1000;

/**
 * What the bridge counts, in a registry of its own and by Prometheus' naming: base units, `_total`, prefix `sip2wa_`. Labels are
 * names of the configuration, words of fixed lists and Meta's error codes: never a telephone number or a call id.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly #live = new Map<CallStart['call'], { readonly direction: string; readonly trunk: string }>();
  #probes: Probes = {
    isSipConnected: () => false,
    servers: () => [],
    registrations: () => [],
    settings: () => [],
    parkedWebhooks: () => 0,
    isDraining: () => false,
  };

  readonly #callsActive = this.#gauge('calls_active', 'Calls that are not over.', LABELS.live);
  readonly #callsTotal = this.#counter('calls_total', 'Calls that are over.', LABELS.calls);
  readonly #setup = this.#histogram('call_setup_seconds', 'From arrival to answer.', BUCKETS.setup, ['direction']);
  readonly #duration = this.#histogram('call_duration_seconds', 'From answer to end.', BUCKETS.duration, ['direction']);
  readonly #forced = this.#counter('call_end_forced_total', 'Calls given up on since a leg did not end in time.');
  readonly #webhooks = this.#counter('webhooks_total', 'Webhook events by what became of them.', [
    ...['number', 'event', 'result'],
  ]);
  readonly #webhooksRefused = this.#counter('webhooks_refused_total', 'Webhook requests that were not taken, by why.', [
    'reason',
  ]);
  readonly #webhookDelay = this.#histogram(
    'webhook_delay_seconds',
    'From Meta’s stamp of an event to its arrival, by both clocks.',
    BUCKETS.delay,
    ['event'],
  );
  readonly #graphRequests = this.#counter('graph_requests_total', 'Attempts at requests to the Graph API.', [
    'operation',
    'code',
  ]);
  readonly #graphSeconds = this.#histogram(
    'graph_request_seconds',
    'From the start of an attempt, or its place in the queue, to its end; pauses between attempts are not in it.',
    BUCKETS.request,
    ['operation'],
  );
  readonly #rateLimited = this.#counter('graph_rate_limited_total', 'Requests that Meta refused for their rate.', [
    'operation',
  ]);
  readonly #permissionReplies = this.#counter(
    'permission_replies_total',
    'Users’ answers about being called; source is automatic, user_action or unknown.',
    ['response', 'source'],
  );
  readonly #permissionChecks = this.#counter(
    'permission_checks_total',
    'Look-ups of permissions, requests for them, and calls refused for want of one, by their result.',
    ['what', 'result', 'number'],
  );
  readonly #qualify = this.#histogram('trunk_qualify_seconds', 'From OPTIONS to a server’s answer.', BUCKETS.qualify, [
    'trunk',
  ]);
  readonly #drainForced = this.#counter('drain_forced_total', 'Calls that the drain limit ended.');
  readonly #reloads = this.#counter('config_reloads_total', 'Configurations read anew.', ['result']);
  readonly #configRead = this.#gauge(
    'config_last_success_timestamp_seconds',
    'When the configuration in use was read, Unix time.',
    [],
  );
  readonly #journalFailures = this.#counter('journal_failures_total', 'Journal entries that could not be stored.');

  constructor(build: { readonly version: string }) {
    const labels = { version: build.version, node: process.version };
    this.#gauge('build_info', 'Version of the bridge; always 1.', ['version', 'node']).set(labels, 1);
    this.#probe('drachtio_connected', 'Whether the link to the SIP server is up.', () =>
      Number(this.#probes.isSipConnected()),
    );
    this.#probeServers('trunk_up', 'Whether a server of a trunk answers, once that is known.', () =>
      this.#probes.servers().map(({ isUp, ...place }) => ({ ...place, value: isUp })),
    );
    this.#probeServers('trunk_registered', 'Whether a trunk that registers is registered at a server.', () =>
      this.#probes.registrations().map(({ isRegistered, ...place }) => ({ ...place, value: isRegistered })),
    );
    this.#probeSettings();
    this.#probe('draining', 'Whether no new calls are taken.', () => Number(this.#probes.isDraining()));
    this.#probe('webhook_parked', 'Calls whose webhooks wait for their HTTP reply.', () =>
      this.#probes.parkedWebhooks(),
    );
    // So that a first refusal is an increase.
    for (const result of ['ok', 'refused']) this.#reloads.inc({ result }, 0);
    this.#webhooksRefused.inc({ reason: 'signature' }, 0);
    collectDefaultMetrics({ register: this.registry });
  }

  /** Says where the values that are read rather than counted come from. */
  probe(probes: Partial<Probes>): void {
    this.#probes = { ...this.#probes, ...probes };
  }

  /** Everything in the text format of Prometheus. */
  readonly read = async (): Promise<{ readonly contentType: string; readonly text: string }> => ({
    contentType: this.registry.contentType,
    text: await this.registry.metrics(),
  });

  callStarted({ call, direction, trunk = '' }: CallStart): void {
    const labels = { direction, trunk };
    this.#live.set(call, labels);
    this.#callsActive.inc(labels);
  }

  callEnded(record: CallRecord): void {
    const { call, direction, trunk = '', number = '', result, code } = record;
    const live = this.#live.get(call);
    if (live) this.#callsActive.dec(live);
    this.#live.delete(call);
    this.#callsTotal.inc({ direction, trunk, number, result, cause: code });
    if (record.answer === undefined) return;
    this.#setup.observe({ direction }, seconds(record.durationMs - record.billsecMs));
    this.#duration.observe({ direction }, seconds(record.billsecMs));
  }

  callEndForced(): void {
    this.#forced.inc();
  }

  /** `number` is an alias, or empty for numbers that are not ours. */
  webhookEvent(result: string, event: string, number: string): void {
    this.#webhooks.inc({ number, event, result });
  }

  /** A request was answered with something else than 200; `reason` is one of a fixed few. */
  webhookRefused(reason: string): void {
    this.#webhooksRefused.inc({ reason });
  }

  /** A server of a trunk answered OPTIONS. */
  trunkQualified(trunk: string, tookMs: number): void {
    this.#qualify.observe({ trunk }, seconds(tookMs));
  }

  /** Events that have just come in. Clocks may differ: what seems to come from the future took no time. */
  webhooksReceived(events: readonly StampedEvent[], nowMs: number): void {
    for (const { kind, timestampMs } of events) {
      if (timestampMs === undefined) continue;
      this.#webhookDelay.observe({ event: kind }, Math.max(0, seconds(nowMs - timestampMs)));
    }
  }

  graphRequest({ action: operation, code, rateLimited, tookMs }: GraphAttempt): void {
    this.#graphRequests.inc({ operation, code: String(code) });
    this.#graphSeconds.observe({ operation }, seconds(tookMs));
    if (rateLimited) this.#rateLimited.inc({ operation });
  }

  permissionReply(response: 'accept' | 'reject', source: 'user_action' | 'automatic' | undefined): void {
    this.#permissionReplies.inc({ response, source: source ?? 'unknown' });
  }

  /** `number` is an alias. */
  permissionCheck(what: 'lookup' | 'request' | 'refusal', result: string, number: string): void {
    this.#permissionChecks.inc({ what, result, number });
  }

  configReloaded(result: 'ok' | 'refused'): void {
    this.#reloads.inc({ result });
  }

  /** The configuration in use was read now, Unix milliseconds. */
  configRead(nowMs: number): void {
    this.#configRead.set(seconds(nowMs));
  }

  drainForced(calls: number): void {
    this.#drainForced.inc(calls);
  }

  journalFailed(): void {
    this.#journalFailures.inc();
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ name: `sip2wa_${name}`, help, labelNames, registers: [this.registry] });
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Gauge<Label> {
    return new Gauge({ name: `sip2wa_${name}`, help, labelNames, registers: [this.registry] });
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames: readonly Label[],
  ): Histogram<Label> {
    return new Histogram({
      ...{ name: `sip2wa_${name}`, help, buckets: [...buckets], labelNames },
      registers: [this.registry],
    });
  }

  #probeServers(name: string, help: string, read: () => readonly ServerFact[]): void {
    const collect = function (this: Gauge<'trunk' | 'server'>): void {
      this.reset();
      for (const { trunk, server, value } of read()) this.set({ trunk, server }, Number(value));
    };
    new Gauge({
      ...{ name: `sip2wa_${name}`, help },
      ...{ labelNames: ['trunk', 'server'] as const, registers: [this.registry], collect },
    });
  }

  #probeSettings(): void {
    const read = (): ReturnType<Probes['settings']> => this.#probes.settings();
    const collect = function (this: Gauge<'number'>): void {
      this.reset();
      for (const { number, differing } of read()) this.set({ number }, differing);
    };
    new Gauge({
      ...{
        name: 'sip2wa_settings_drift',
        help: 'Settings that Meta holds otherwise than the file, once it was asked.',
      },
      ...{ labelNames: ['number'] as const, registers: [this.registry], collect },
    });
  }

  #probe(name: string, help: string, read: () => number): void {
    const collect = function (this: Gauge): void {
      this.set(read());
    };
    new Gauge({ name: `sip2wa_${name}`, help, registers: [this.registry], collect });
  }
}
