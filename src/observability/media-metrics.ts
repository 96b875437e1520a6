import { Counter, Histogram, type Registry } from 'prom-client';
import type { DirectionQuality, MediaSide, QualityReport } from '../call/media-quality.js';
import type { CallStep } from '../call/observer.js';

const LABELS = ['leg', 'dir'] as const;

/** Buckets: seconds, and points of the scale of MOS. */
const BUCKETS = {
  jitter: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5],
  roundTrip: [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2],
  mos: [1, 1.5, 2, 2.5, 3, 3.3, 3.6, 3.8, 4, 4.2, 4.4],
} as const;

/** Steps that tell of trouble with media, by what they are counted as. */
const TROUBLES: Partial<Record<CallStep, string>> = {
  'media.one_way': 'one_way_audio',
  'media.peer_silent': 'peer_silent',
  'media.timeout': 'timeout',
  'media.bye': 'bye',
  'media.digits_dropped': 'digits_dropped',
  'media.failed': 'failed',
  'dtls.closed': 'dtls_closed',
};

/**
 * What the legs' audio is like. `leg` is whatsapp or pbx; `dir` is in for what we receive, out for what we send, as the far end
 * reports it.
 */
export class MediaMetrics {
  readonly #packets;
  readonly #lost;
  readonly #jitter;
  readonly #roundTrip;
  readonly #mos;
  readonly #troubles;

  constructor(private readonly registry: Registry) {
    this.#packets = this.#counter('rtp_packets_total', 'RTP packets received (in) and sent (out).', LABELS);
    this.#lost = this.#counter(
      'rtp_lost_packets_total',
      'RTP packets lost on the way to us and to the far end.',
      LABELS,
    );
    this.#jitter = this.#histogram(
      'rtp_jitter_seconds',
      'Interarrival jitter, every 5 s of a leg.',
      BUCKETS.jitter,
      LABELS,
    );
    this.#roundTrip = this.#histogram(
      'rtp_round_trip_seconds',
      'Round trip between us and the far end by RTCP, with each report of it.',
      BUCKETS.roundTrip,
      ['leg'] as const,
    );
    this.#mos = this.#histogram(
      'rtp_mos',
      'Quality estimated by the E-model (1 to 4.5), every 5 s of a leg.',
      BUCKETS.mos,
      LABELS,
    );
    this.#troubles = this.#counter(
      'media_troubles_total',
      'Troubles with media that were noticed; one that mends counts once.',
      [...(['leg', 'kind'] as const)],
    );
  }

  quality(leg: MediaSide, { received, sent, roundTripMs }: QualityReport): void {
    this.#direction({ leg, dir: 'in' }, received);
    this.#direction({ leg, dir: 'out' }, sent);
    if (roundTripMs !== undefined) this.#roundTrip.observe({ leg }, roundTripMs / 1000);
  }

  /** Takes every step of every call; most are none of its business. */
  step(step: CallStep, detail: Readonly<Record<string, unknown>>): void {
    const kind = TROUBLES[step];
    if (kind === undefined || detail['over'] === true) return;
    this.#troubles.inc({ leg: detail['from'] === 'pbx' ? 'pbx' : 'whatsapp', kind });
  }

  #direction(labels: { leg: MediaSide; dir: 'in' | 'out' }, { packets, lost, jitterMs, mos }: DirectionQuality): void {
    this.#packets.inc(labels, packets);
    if (lost !== undefined) this.#lost.inc(labels, lost);
    if (jitterMs !== undefined) this.#jitter.observe(labels, jitterMs / 1000);
    if (mos !== undefined) this.#mos.observe(labels, mos);
  }

  #counter<Label extends string>(name: string, help: string, labelNames: readonly Label[]): Counter<Label> {
    return new Counter({ name: `sip2wa_${name}`, help, labelNames, registers: [this.registry] });
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
}
