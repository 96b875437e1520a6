import { withDeadline } from '../../lib/deadline.js';
import type { WaCall, WaCallEnd } from '../graph/call-book.js';
import type { Exchange, PhoneLine } from '../graph/exchange.js';
import type { PermissionStatus } from '../graph/permissions.js';
import { PhoneCall } from './phone-call.js';
import { metaDress, PhoneMedia } from './phone-media.js';
import type { Wrtc } from './wrtc.js';

/** What the user does when the business calls. `wait` leaves it to the test. */
export type OnIncoming = 'accept' | 'reject' | 'wait';

export interface PhoneOptions {
  /** The user's number, digits without a plus. */
  readonly waId: string;
  readonly profileName?: string;
  readonly permission?: PermissionStatus;
  readonly onIncoming?: OnIncoming;
  /** How long it rings before `onIncoming` is done. Default 0. */
  readonly ringMs?: number;
}

/** A user's WhatsApp, on libwebrtc: calls the business, is called, talks and listens. */
export class WhatsAppPhone implements PhoneLine {
  readonly waId: string;
  readonly profileName: string;
  onIncoming: OnIncoming;
  readonly #calls = new Map<string, PhoneCall>();
  readonly #incoming: PhoneCall[] = [];
  readonly #waiting: ((call: PhoneCall) => void)[] = [];
  readonly #ringTimers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly wrtc: Wrtc,
    private readonly exchange: Exchange,
    private readonly options: PhoneOptions,
  ) {
    this.waId = options.waId;
    this.profileName = options.profileName ?? 'Sandbox user';
    this.onIncoming = options.onIncoming ?? 'wait';
    exchange.attach(this, options.permission);
  }

  /** Calls the business: the connect webhook goes out with our offer. @throws GraphRefusal if it cannot be called */
  async call(): Promise<PhoneCall> {
    const media = this.#newMedia();
    try {
      const call = this.exchange.userCalls(this, await media.offer());
      const phoneCall = new PhoneCall(call, this.exchange, media);
      this.#calls.set(call.id, phoneCall);
      return phoneCall;
    } catch (error) {
      media.close();
      throw error;
    }
  }

  /** The next call from the business, as soon as the phone knows of it. @throws DeadlineError */
  nextCall(deadlineMs: number): Promise<PhoneCall> {
    const ready = this.#incoming.shift();
    if (ready) return Promise.resolve(ready);
    return withDeadline(
      new Promise((resolve) => {
        this.#waiting.push(resolve);
      }),
      deadlineMs,
      'a call from the business',
    );
  }

  /** Hangs up and leaves WhatsApp. Idempotent. */
  close(): void {
    for (const timer of this.#ringTimers) clearTimeout(timer);
    this.#ringTimers.clear();
    for (const call of this.#calls.values()) call.hangup();
    this.exchange.detach(this);
  }

  async offered(call: WaCall, offer: string): Promise<string> {
    const media = this.#newMedia();
    const phoneCall = new PhoneCall(call, this.exchange, media);
    this.#calls.set(call.id, phoneCall);
    const answer = await media.answer(offer);
    this.#announce(phoneCall);
    return answer;
  }

  async mediaAnswered(call: WaCall, answer: string): Promise<void> {
    await this.#calls.get(call.id)?.media.acceptAnswer(answer);
  }

  async accepted(call: WaCall): Promise<void> {
    await this.#calls.get(call.id)?.nowTalking();
  }

  ended(call: WaCall, end: WaCallEnd): void {
    this.#calls.get(call.id)?.over(end);
    this.#calls.delete(call.id);
  }

  #newMedia(): PhoneMedia {
    return new PhoneMedia(this.wrtc, metaDress(this.exchange.settings.additionalCodecs));
  }

  #announce(call: PhoneCall): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(call);
    else this.#incoming.push(call);
    if (this.onIncoming === 'wait') return;
    const timer = setTimeout(() => {
      this.#ringTimers.delete(timer);
      if (this.onIncoming === 'reject') call.reject();
      else void call.accept();
    }, this.options.ringMs ?? 0);
    this.#ringTimers.add(timer);
  }
}
