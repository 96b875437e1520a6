/** Timers of RFC 3261 §17 and of this server, in milliseconds. */
export interface SipTimers {
  /** Round-trip estimate. */
  readonly t1Ms: number;
  /** Longest interval between retransmissions. */
  readonly t2Ms: number;
  /** Longest time a message stays in the network. */
  readonly t4Ms: number;
  /**
   * The first INVITE retransmission leaves this much after T1, so that it loses the race against a 200 the peer
   * retransmits at its own T1; peers exist that abort when it wins. From 20 to 60.
   */
  readonly timerAExtraMs: number;
  /** An INVITE the application does not answer at all gets 480 after this long. */
  readonly appSilenceMs: number;
  /** Longest name look-up. */
  readonly resolveMs: number;
  /** Longest time to open a connection. */
  readonly connectMs: number;
  /** A connection without traffic is closed after this long. */
  readonly idleConnectionMs: number;
  /** Pings on a connection we opened come this often (RFC 5626 §4.4.1: 95 to 120 s at most, less where NAT is short of breath). */
  readonly pingMs: number;
  /** A peer that answers pings must answer within this time (RFC 5626 §4.4.1). */
  readonly pongMs: number;
}

/** The values of RFC 3261, and ours. */
export const DEFAULT_TIMERS: SipTimers = {
  t1Ms: 500,
  t2Ms: 4000,
  t4Ms: 5000,
  timerAExtraMs: 40,
  appSilenceMs: 60_000,
  resolveMs: 5000,
  connectMs: 8000,
  idleConnectionMs: 30 * 60_000,
  pingMs: 90_000,
  pongMs: 10_000,
};

/** 64·T1, milliseconds: the life of a transaction (timers B, D, F, H, J, L, M). */
export const transactionLifeMs = (timers: SipTimers): number => 64 * timers.t1Ms;
