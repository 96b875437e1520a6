import type { EndReason } from '../../call/end-reason.js';
import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../lib/logger.js';
import { plainSipText } from '../sip-text.js';
import type { Referral } from './referral.js';

export interface ReferProgressOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the answer to one NOTIFY is waited for before the next is sent. */
  readonly answerMs: number;
  /** Lifetime of the subscription: longer than any transfer takes, in seconds. */
  readonly expiresS: number;
  /** `id` of the Event header: tells the REFERs of a dialog apart (RFC 3515 §2.4.6). */
  readonly eventId: number | undefined;
}

interface Notice {
  readonly line: string;
  readonly isLast: boolean;
}

const phrases = { 100: 'Trying', 180: 'Ringing', 183: 'Session Progress', 200: 'OK' } as const;

/**
 * The subscription that a REFER makes (RFC 3515 §2.4): tells the referrer how the call that it asked for is getting on. One
 * NOTIFY at a time, so that none overtakes another; provisional news that is old by then is left out.
 */
export class ReferProgress {
  #next: Notice | undefined;
  #isBusy = false;
  #isOver = false;

  constructor(
    private readonly referral: Referral,
    private readonly options: ReferProgressOptions,
  ) {}

  provisional(status: 100 | 180 | 183): void {
    this.#queue({ line: `${status} ${phrases[status]}`, isLast: false });
  }

  /** The final news; nothing is said after it. */
  answered(): void {
    this.#queue({ line: `200 ${phrases[200]}`, isLast: true });
  }

  /** The final news; nothing is said after it. */
  failed(reason: EndReason): void {
    // The status of a response comes with its words before them.
    const phrase = plainSipText((reason.text ?? '').replace(/^\d{3}\s*/, '')) || 'Failed';
    this.#queue({ line: `${reason.sipStatus} ${phrase}`, isLast: true });
  }

  #queue(notice: Notice): void {
    if (this.#isOver || this.#next?.isLast === true) return;
    this.#next = notice;
    this.#send();
  }

  #send(): void {
    const notice = this.#next;
    if (!notice || this.#isBusy) return;
    this.#next = undefined;
    this.#isBusy = true;
    this.#isOver ||= notice.isLast;
    let isAnswered = false;
    const done = (status: number | undefined): void => {
      if (isAnswered) return;
      isAnswered = true;
      timer.cancel();
      this.#answered(status);
    };
    const timer = this.options.clock.after(this.options.answerMs, () => done(undefined));
    const { line, isLast } = notice;
    this.referral.notify(this.#headers(isLast), `SIP/2.0 ${line}\r\n`, done);
  }

  /** Whoever does not take a NOTIFY gets no more of them (RFC 6665 §4.2.2). */
  #answered(status: number | undefined): void {
    this.#isBusy = false;
    if (status === undefined || status >= 300) {
      if (!this.#isOver) this.options.logger.info('NOTIFY not taken', { status });
      this.#isOver = true;
      this.#next = undefined;
      return;
    }
    this.#send();
  }

  #headers(isLast: boolean): Record<string, string> {
    const { eventId, expiresS } = this.options;
    return {
      Event: eventId === undefined ? 'refer' : `refer;id=${eventId}`,
      'Subscription-State': isLast ? 'terminated;reason=noresource' : `active;expires=${expiresS}`,
      'Content-Type': 'message/sipfrag;version=2.0',
    };
  }
}
