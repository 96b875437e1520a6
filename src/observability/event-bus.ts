import type { CallRecord, CallStart } from '../call/call-record.js';
import type { MediaSide, QualityReport } from '../call/media-quality.js';
import { deferred, type Deferred } from '../lib/deferred.js';
import type { CallId } from '../lib/ids.js';
import type { ServerChange } from '../sip/server-watch.js';
import type { RegistrationChange } from '../sip/registration/trunk-registration.js';
import type { SettingsStatus } from '../whatsapp/settings/settings-watch.js';
import type { PermissionEvent } from '../whatsapp/permissions/permission-event.js';
import type { TimelineEntry } from './timeline.js';

/** Something that whoever watches the bridge is told. */
export type BridgeEvent =
  | { readonly type: 'call_started'; readonly data: CallStart }
  /** A step of a call's timeline. */
  | { readonly type: 'call_step'; readonly data: TimelineEntry }
  /** A leg's audio over the last few seconds. */
  | { readonly type: 'call_quality'; readonly data: { call: CallId; side: MediaSide; report: QualityReport } }
  | { readonly type: 'call_ended'; readonly data: CallRecord }
  /** A server of a trunk answers, or no longer. */
  | { readonly type: 'trunk_server'; readonly data: ServerChange }
  /** New calls are taken, or not. */
  | { readonly type: 'drain'; readonly data: { readonly state: 'off' | 'draining' | 'stopping' } }
  /** The configuration was read anew. */
  | {
      readonly type: 'reload';
      readonly data: { readonly result: 'ok' | 'refused'; readonly restart: readonly string[] };
    }
  /** A user's answer about being called, with all its fields. */
  | { readonly type: 'permission'; readonly data: PermissionEvent }
  /** A trunk is registered at one of its servers, or no longer. */
  | { readonly type: 'registration'; readonly data: RegistrationChange }
  /** Meta holds a number's settings otherwise than before, against the file. */
  | { readonly type: 'settings'; readonly data: SettingsStatus }
  /** The last one of a subscriber who did not keep up: this many were missed, and no more follow. */
  | { readonly type: 'dropped'; readonly data: { readonly missed: number } };

/** An event with its place in the sequence, counted from 1 since the start of the process. */
export type PublishedEvent = BridgeEvent & { readonly id: number };

/** Events as they come, for one reader. Ends when it is closed, by either side, or was too slow. */
export interface EventSubscription extends AsyncIterable<PublishedEvent> {
  /** Idempotent; what waits is forgotten. */
  close(): void;
}

/** Events that wait for one reader. */
const QUEUE_CAP = 1_000;

/** Hands events to whoever subscribed, at once and in order. Nothing is kept for later, and no reader delays a call. */
export class EventBus {
  readonly #subscriptions = new Set<Subscription>();
  #published = 0;

  constructor(private readonly queueCap = QUEUE_CAP) {}

  /** Subscribers at present. */
  get size(): number {
    return this.#subscriptions.size;
  }

  /** Never throws. */
  publish(event: Exclude<BridgeEvent, { readonly type: 'dropped' }>): void {
    const id = ++this.#published;
    for (const subscription of [...this.#subscriptions]) subscription.push({ ...event, id });
  }

  /** `wants`: which types; default: all. */
  subscribe(wants: (type: BridgeEvent['type']) => boolean = () => true): EventSubscription {
    const over = (): boolean => this.#subscriptions.delete(subscription);
    const subscription = new Subscription(this.queueCap, wants, over);
    this.#subscriptions.add(subscription);
    return subscription;
  }

  /** Ends every subscription once what waits has been read. */
  close(): void {
    for (const subscription of [...this.#subscriptions]) subscription.end();
  }
}

class Subscription implements EventSubscription {
  #waiting: PublishedEvent[] = [];
  #isOver = false;
  #wake: Deferred<void> | undefined;

  constructor(
    private readonly cap: number,
    private readonly wants: (type: BridgeEvent['type']) => boolean,
    private readonly onOver: () => void,
  ) {}

  push(event: PublishedEvent): void {
    if (this.#isOver || !this.wants(event.type)) return;
    if (this.#waiting.length < this.cap) {
      this.#waiting.push(event);
      this.#wake?.resolve();
      return;
    }
    this.#waiting = [{ type: 'dropped', id: event.id, data: { missed: this.#waiting.length + 1 } }];
    this.end();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.onOver();
    this.#wake?.resolve();
  }

  close(): void {
    this.#waiting = [];
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PublishedEvent, void, void> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event) yield event;
      else if (this.#isOver) return;
      else await this.#more();
    }
  }

  async #more(): Promise<void> {
    this.#wake = deferred();
    await this.#wake.promise;
    this.#wake = undefined;
  }
}
