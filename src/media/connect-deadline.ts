import type { Clock, Timer } from '../lib/clock.js';

/**
 * How long a WhatsApp leg may take from ICE's first check to DTLS being up (F-26, F-27):
 *
 *     we answer:  start ── pre-accepted ── 11.5 s ──► over      accepted ── 8 s ──► over
 *     we offer:   start ── rings: as long as it rings ──        accepted ── 8 s ──► over
 */
const afterAcceptMs = 8000;
/** 10 s, and what a path that opens in the last of them needs to come up. */
const afterPreAcceptMs = 11_500;

/** Runs out unless media comes up in time. */
export class ConnectDeadline {
  #timer: Timer | undefined;
  #isAccepted = false;
  #state: 'idle' | 'connecting' | 'over' = 'idle';

  constructor(
    private readonly clock: Clock,
    private readonly onOver: () => void,
  ) {}

  /** ICE begins. `isRinging`: with our offer, which the user has not accepted yet. */
  begin(isRinging: boolean): void {
    if (this.#state !== 'idle') return;
    this.#state = 'connecting';
    if (this.#isAccepted) this.#arm(afterAcceptMs);
    else if (!isRinging) this.#arm(afterPreAcceptMs);
  }

  /** The call is accepted: Meta waits for media from now on. Idempotent. */
  accepted(): void {
    if (this.#isAccepted) return;
    this.#isAccepted = true;
    if (this.#state === 'connecting') this.#arm(afterAcceptMs);
  }

  /** Media is up, or given up. Idempotent. */
  end(): void {
    this.#state = 'over';
    this.#timer?.cancel();
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.clock.after(delayMs, this.onOver);
  }
}
