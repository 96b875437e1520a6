import type { Clock } from '../lib/clock.js';
import type { CallId, WaCallId } from '../lib/ids.js';
import { BoundedMemory } from './bounded-memory.js';
import { callOfOpaque } from './wa-ids.js';
import type { CallEventOfMeta } from './webhook-events.js';

/** What webhooks say of a call after its beginning. */
export type LaterEvent = Exclude<CallEventOfMeta, { readonly kind: 'user_connect' }>;

/** A leg as the receiver of its webhooks. Never throws. */
export interface WebhookSink {
  /** Our id of its call, for log lines about it. */
  readonly call?: CallId;
  onWebhook(event: LaterEvent): void;
}

/** How long a webhook waits for the leg that it belongs to, in milliseconds. */
export const PARKED_MS = 10_000;
const PARKED_CALLS = 1000;
const PARKED_EVENTS_EACH = 8;
/** How long webhooks of a call that we gave up on are still acted on, in milliseconds. */
const ABANDONED_MS = 120_000;
const ABANDONED_CALLS = 10_000;
/** How long a call that is over is told from one that was never ours, in milliseconds. */
const GONE_MS = 3600_000;
const GONE_CALLS = 10_000;

/** What became of an event: a leg has it, it waits, its leg is gone, or its call was given up. */
export type Delivery = 'delivered' | 'parked' | 'overflow' | 'abandoned' | 'gone';

/**
 * Which leg has which Meta call. Webhooks may outrun the HTTP reply that names the call's id: such a webhook is matched by
 * the key in `biz_opaque_callback_data`, or parked until a leg claims the id.
 */
export class CallDirectory {
  readonly #byId = new Map<WaCallId, WebhookSink>();
  readonly #byCall = new Map<CallId, WebhookSink>();
  readonly #parked: BoundedMemory<LaterEvent[]>;
  readonly #abandoned: BoundedMemory<true>;
  readonly #gone: BoundedMemory<CallId>;

  constructor(clock: Clock, onParkedForgotten: (events: readonly LaterEvent[]) => void = () => undefined) {
    this.#parked = new BoundedMemory(clock, PARKED_MS, PARKED_CALLS, (_, events) => onParkedForgotten(events));
    this.#abandoned = new BoundedMemory(clock, ABANDONED_MS, ABANDONED_CALLS);
    this.#gone = new BoundedMemory(clock, GONE_MS, GONE_CALLS);
  }

  /** Calls that have a leg. */
  get size(): number {
    return new Set([...this.#byId.values(), ...this.#byCall.values()]).size;
  }

  /** Calls whose webhooks wait for their leg. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Announces a call whose Meta id is not known yet. */
  expect(call: CallId, sink: WebhookSink): void {
    this.#byCall.set(call, sink);
  }

  /** Claims Meta's id for a leg; webhooks that came before are delivered now, in order. */
  claim(waCallId: WaCallId, sink: WebhookSink): void {
    this.#byId.set(waCallId, sink);
    for (const event of this.#parked.take(waCallId) ?? []) sink.onWebhook(event);
  }

  /** The leg is gone; later webhooks are nobody's. */
  release(call: CallId, waCallId: WaCallId | undefined): void {
    this.#byCall.delete(call);
    if (waCallId === undefined) return;
    this.#byId.delete(waCallId);
    this.#gone.add(waCallId, call);
  }

  /** The call was given up before Meta's id was known: should it turn up, it is to be ended. */
  abandon(call: CallId): void {
    this.#byCall.delete(call);
    this.#abandoned.add(call, true);
  }

  /** Whether a leg has, or had, this call. */
  knows(waCallId: WaCallId): boolean {
    return this.#byId.has(waCallId) || this.#gone.has(waCallId);
  }

  /** Our id of the call that an event is about: of its leg, of one that is gone, or by the key that we gave Meta. */
  callOf({ waCallId, opaque }: Pick<CallEventOfMeta, 'waCallId' | 'opaque'>): CallId | undefined {
    return this.#byId.get(waCallId)?.call ?? this.#gone.get(waCallId) ?? callOfOpaque(opaque);
  }

  deliver(event: LaterEvent): Delivery {
    const call = callOfOpaque(event.opaque);
    const sink = this.#byId.get(event.waCallId) ?? (call && this.#byCall.get(call));
    if (sink) {
      sink.onWebhook(event);
      return 'delivered';
    }
    if (call && this.#abandoned.has(call)) return 'abandoned';
    if (this.#gone.has(event.waCallId)) return 'gone';
    return this.#park(event);
  }

  #park(event: LaterEvent): Delivery {
    const events = this.#parked.get(event.waCallId);
    if (!events) this.#parked.add(event.waCallId, [event]);
    else if (events.length < PARKED_EVENTS_EACH) events.push(event);
    else return 'overflow';
    return 'parked';
  }
}
