import type { Clock, Timer } from '../lib/clock.js';
import type { SipServer } from '../routing/types.js';
import { askServer } from './ask-server.js';
import type { SrfApi } from './drachtio-types.js';
import type { SipTimeouts } from './sip-timeouts.js';

export interface ServerProbeOptions {
  readonly srf: SrfApi;
  readonly clock: Clock;
  readonly timeouts: Pick<SipTimeouts, 'probeMs' | 'silenceMs'>;
  readonly server: SipServer;
  /** Where the server's name leads, if it has one. */
  readonly nextHop: string | undefined;
  readonly onSilent: () => void;
}

/**
 * Tells a server that is dead from one that takes its time to ring. drachtio never passes 100 Trying up, so an INVITE
 * without a response may mean either; the server is asked by OPTIONS while it is waited for, and only if that stays
 * without an answer too is it called silent (reliability F-02). See decision 0060.
 */
export class ServerProbe {
  #askTimer: Timer | undefined;
  #silenceTimer: Timer | undefined;

  /** The clock starts with the INVITE. */
  constructor(private readonly options: ServerProbeOptions) {
    const { clock, timeouts } = options;
    this.#askTimer = clock.after(timeouts.probeMs, () => this.#ask());
    this.#silenceTimer = clock.after(timeouts.silenceMs, () => {
      this.stop();
      options.onSilent();
    });
  }

  /** A response came, or nobody waits any more. Idempotent. */
  stop(): void {
    this.#askTimer?.cancel();
    this.#silenceTimer?.cancel();
    this.#askTimer = undefined;
    this.#silenceTimer = undefined;
  }

  #ask(): void {
    const { srf, server, nextHop } = this.options;
    askServer(srf, server, nextHop, (outcome) => {
      if (outcome === 'answered') this.stop();
    });
  }
}
