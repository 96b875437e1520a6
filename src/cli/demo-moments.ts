import type { CallStep } from '../call/observer.js';
import type { Daemon } from '../daemon.js';
import { withDeadline } from '../lib/deadline.js';
import { deferred } from '../lib/deferred.js';
import type { TimelineEntry } from '../observability/timeline.js';

/** One line of a call's timeline. */
export interface Moment {
  /** Wall clock, milliseconds since the epoch, with fractions. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly detail: string;
}

/** Which steps of the daemon are shown, and in which words. */
const WORDS: Partial<Record<CallStep, string>> = {
  'webhook.connect': 'webhook: connect',
  'webhook.ringing': 'webhook: RINGING',
  'webhook.accepted': 'webhook: ACCEPTED',
  'webhook.rejected': 'webhook: REJECTED',
  'webhook.terminate': 'webhook: terminate',
  'graph.connect': 'Graph: connect',
  'graph.pre_accept': 'Graph: pre_accept',
  'graph.accept': 'Graph: accept',
  'graph.reject': 'Graph: reject',
  'graph.terminate': 'Graph: terminate',
  'sip.invite': 'SIP: INVITE',
  'sip.ringing': 'SIP: 180 Ringing',
  'sip.progress': 'SIP: 183 Session Progress',
  'sip.answer': 'SIP: 200 OK',
  'sip.ack': 'SIP: ACK',
  'sip.cancel': 'SIP: CANCEL',
  'sip.bye': 'SIP: BYE',
  'sip.refused': 'SIP: refused',
  'sip.redirect': 'SIP: redirected',
  'sip.refer': 'SIP: REFER',
  'sip.transfer': 'SIP: put through',
  'sip.replaces': 'SIP: INVITE with Replaces',
  'ice.connected': 'ICE connected',
  'dtls.connected': 'DTLS connected',
  'media.first_from_whatsapp': 'first audio packet from WhatsApp',
  'media.first_from_pbx': 'first audio packet from the PBX',
  'call.ended': 'call ended',
};

function detailOf(entry: TimelineEntry): string {
  const { direction, tookMs, status, code, by } = entry.detail;
  const took = typeof tookMs === 'number' ? `${Math.round(tookMs)} ms` : undefined;
  return [direction, status, took, code, by].filter((part) => part !== undefined && part !== '').join(', ');
}

/** Collects what happens to the daemon's next call, and what the phone and the PBX notice of it. */
export class Moments {
  readonly #moments: Moment[] = [];
  readonly #ended = deferred<undefined>();
  readonly #unsubscribe: () => void;
  #call: string | undefined;

  constructor(daemon: Daemon) {
    this.#unsubscribe = daemon.timeline.subscribe((entry) => this.#step(entry));
  }

  /** Adds what was noticed at `atMs` (monotonic); nothing if it never was. */
  add(who: string, what: string, atMs: number | undefined): void {
    if (atMs === undefined) return;
    this.#moments.push({ at: performance.timeOrigin + atMs, who, what, detail: '' });
  }

  /** Waits until the daemon is through with the call. */
  async callEnded(deadlineMs: number): Promise<void> {
    await withDeadline(this.#ended.promise, deadlineMs, 'end of the call').catch(() => undefined);
  }

  stop(): void {
    this.#unsubscribe();
  }

  /** All of it, in the order in which it happened. */
  list(): readonly Moment[] {
    return [...this.#moments].sort((a, b) => a.at - b.at);
  }

  #step(entry: TimelineEntry): void {
    this.#call ??= entry.call;
    const what = WORDS[entry.step];
    if (entry.call !== this.#call || what === undefined) return;
    this.#moments.push({ at: entry.at, who: 'bridge', what, detail: detailOf(entry) });
    if (entry.step === 'call.ended') this.#ended.resolve(undefined);
  }
}
