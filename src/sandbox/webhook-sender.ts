import { createHmac, randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../lib/clock.js';
import type { WebhookEvent } from './webhook-events.js';

/** One attempt at delivering a webhook; for assertions. */
export interface Delivery {
  readonly event: WebhookEvent;
  readonly attempt: number;
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** Monotonic milliseconds, when it was sent. */
  readonly atMs: number;
}

/** What shall go wrong with a delivery. */
export interface Disturbance {
  /** Deliver this many times; default 1. Meta may deliver twice. */
  readonly copies?: number;
  /** Deliver so much later, beside the queue: later events overtake it. */
  readonly delayMs?: number;
  /** Sent instead of the right `X-Hub-Signature-256`; an empty string leaves the header out. */
  readonly signature?: string;
}

export interface WebhookSenderOptions {
  readonly appSecret: string;
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
  /** Pauses before a delivery that was not answered with 200 is tried again. Default 500 ms and 2 s. */
  readonly retryDelaysMs?: readonly number[];
  /** Meta gives up on an answer after about 20 s. */
  readonly timeoutMs?: number;
}

/** The signature Meta puts on a body: HMAC-SHA256 of its raw bytes with the app secret. */
export function signatureOf(appSecret: string, body: string | Buffer): string {
  return `sha256=${createHmac('sha256', appSecret).update(body).digest('hex')}`;
}

/**
 * Delivers webhooks to one URL: signed, in order unless disturbed, again if not answered with 200.
 * Nothing is sent before `target` is called, nor after `stop`.
 */
export class WebhookSender {
  readonly deliveries: Delivery[] = [];
  /** Told of each attempt once it is over. */
  onDelivered: (delivery: Delivery) => void = () => undefined;
  readonly #timers = new Set<{ timer: Timer; settle: () => void }>();
  readonly #abort = new AbortController();
  #url: string | undefined;
  #queue: Promise<void> = Promise.resolve();
  #disturb: (event: WebhookEvent) => Disturbance | undefined = () => undefined;

  constructor(private readonly options: WebhookSenderOptions) {}

  /** Where webhooks go from now on. @throws RangeError unless that is on this machine: the sandbox reaches nobody else */
  target(url: string): void {
    const { hostname } = new URL(url);
    if (!/^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(hostname))
      throw new RangeError('webhook URL must be on loopback');
    this.#url = url;
  }

  /** Asked before each delivery what shall go wrong with it. */
  disturb(script: (event: WebhookEvent) => Disturbance | undefined): void {
    this.#disturb = script;
  }

  /** Queues an event. */
  send(event: WebhookEvent): void {
    const disturbance = this.#disturb(event) ?? {};
    const deliver = async (): Promise<void> => {
      for (let copy = 0; copy < (disturbance.copies ?? 1); copy++) await this.#deliver(event, disturbance.signature);
    };
    if (disturbance.delayMs === undefined) this.#queue = this.#queue.then(deliver);
    else void this.#wait(disturbance.delayMs).then(deliver);
  }

  /** Resolves when everything queued so far has been delivered or given up. */
  idle(): Promise<void> {
    return this.#queue;
  }

  /** Asks the webhook to prove that it knows the verify token, as Meta does when the URL is set. */
  async verify(verifyToken: string): Promise<boolean> {
    const challenge = randomBytes(8).toString('hex');
    const url = new URL(this.#url ?? 'http://127.0.0.1:9');
    url.searchParams.set('hub.mode', 'subscribe');
    url.searchParams.set('hub.challenge', challenge);
    url.searchParams.set('hub.verify_token', verifyToken);
    const response = await this.#fetch(url.href, { method: 'GET' });
    return response?.status === 200 && (await response.text()) === challenge;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const { timer, settle } of this.#timers) {
      timer.cancel();
      settle();
    }
    this.#timers.clear();
    await this.#queue;
  }

  async #deliver(event: WebhookEvent, signature?: string): Promise<void> {
    const body = JSON.stringify(event.body);
    const signed = signature ?? signatureOf(this.options.appSecret, body);
    const pauses = this.options.retryDelaysMs ?? [500, 2000];
    for (let attempt = 1; attempt <= pauses.length + 1 && !this.#abort.signal.aborted; attempt++) {
      const atMs = this.options.clock.monotonicMs();
      const status = await this.#post(body, signed);
      const delivery = { event, attempt, status, atMs };
      this.deliveries.push(delivery);
      this.onDelivered(delivery);
      if (status === 200) return;
      await this.#wait(pauses[attempt - 1] ?? 0);
    }
  }

  async #post(body: string, signature: string): Promise<number> {
    if (this.#url === undefined) return 0;
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'facebookexternalua',
      ...(signature === '' ? {} : { 'x-hub-signature-256': signature }),
    };
    const response = await this.#fetch(this.#url, { method: 'POST', headers, body });
    await response?.arrayBuffer().catch(() => undefined);
    return response?.status ?? 0;
  }

  async #fetch(url: string, init: RequestInit): Promise<Response | undefined> {
    const timeout = AbortSignal.timeout(this.options.timeoutMs ?? 20_000);
    const signal = AbortSignal.any([this.#abort.signal, timeout]);
    return (this.options.fetch ?? fetch)(url, { ...init, signal, redirect: 'error' }).catch(() => undefined);
  }

  #wait(delayMs: number): Promise<void> {
    if (delayMs <= 0 || this.#abort.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const entry = {
        timer: this.options.clock.after(delayMs, () => {
          this.#timers.delete(entry);
          resolve();
        }),
        settle: resolve,
      };
      this.#timers.add(entry);
    });
  }
}
