import { Histogram, type Registry } from 'prom-client';
import type { CallDirection } from '../call/call-record.js';
import type { CallId } from '../lib/ids.js';
import type { TimelineEntry } from './timeline.js';

/** In seconds. */
const buckets = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 12, 20];

/** A call that is being dialled, and since when on its timeline. */
interface Dialled {
  readonly direction: CallDirection;
  readonly atMs: number;
}

/**
 * From dialling a B leg to its first ringing, or to its answer if that comes first (RFC 6076 §4.2.2 for SIP; for WhatsApp from the
 * connect request to RINGING). A failover to another server begins anew.
 */
export class PostDialDelay {
  readonly #dialled = new Map<CallId, Dialled>();
  readonly #delay;

  constructor(registry: Registry) {
    this.#delay = new Histogram({
      ...{ name: 'sip2wa_post_dial_delay_seconds', help: 'From dialling to the first ringing, or to the answer.' },
      ...{ buckets, labelNames: ['direction'] as const, registers: [registry] },
    });
  }

  /** Takes every step of every call; most are none of its business. */
  step({ call, step, sinceStartMs, detail }: TimelineEntry): void {
    const { direction, tookMs = 0 } = detail;
    switch (step) {
      case 'sip.invite':
        if (direction === 'out') this.#dialled.set(call, { direction: 'user_initiated', atMs: sinceStartMs });
        return;
      case 'graph.connect':
        // Told when it has been answered.
        this.#dialled.set(call, { direction: 'business_initiated', atMs: sinceStartMs - Number(tookMs) });
        return;
      case 'sip.ringing':
      case 'sip.progress':
      case 'sip.answer':
        if (direction === 'in') this.#rang(call, sinceStartMs);
        return;
      case 'webhook.ringing':
      case 'webhook.accepted':
        return this.#rang(call, sinceStartMs);
      case 'call.ended':
        this.#dialled.delete(call);
        return;
      default:
    }
  }

  #rang(call: CallId, atMs: number): void {
    const dialled = this.#dialled.get(call);
    if (!dialled) return;
    this.#dialled.delete(call);
    this.#delay.observe({ direction: dialled.direction }, Math.max(0, atMs - dialled.atMs) / 1000);
  }
}
