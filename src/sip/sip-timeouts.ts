/** Deadlines of the SIP room, in milliseconds. */
export interface SipTimeouts {
  /** First connection to the SIP server. */
  readonly connectMs: number;
  /** One request to the media engine. */
  readonly mediaMs: number;
  /** The record of a dial, before the INVITE is sent. */
  readonly journalMs: number;
  /** The SIP server's word that a response was sent. */
  readonly responseMs: number;
  /** After an INVITE without any response: when the server is asked by OPTIONS whether it lives. */
  readonly probeMs: number;
  /** After an INVITE without any sign of life: when the next server is tried. */
  readonly silenceMs: number;
  /** CANCEL until the final response; beyond 64·T1 of RFC 3261 §9.1. */
  readonly cancelMs: number;
  /** BYE until its response; beyond timer F (RFC 3261 §17.1.2.2). */
  readonly byeMs: number;
  /** A 200 crossed our CANCEL: how long the SIP server has to send the BYE itself, as a drachtio-server does. */
  readonly crossedByeMs: number;
  /** 200 until the ACK; the SIP server ends such a dialog itself at 64·T1 (RFC 3261 §13.3.1.4). */
  readonly ackMs: number;
  /** From a REFER, or an INVITE with Replaces, until whom it brings has answered. */
  readonly transferMs: number;
  /** Told that the transfer is done, a referrer hangs up; after this long we do. */
  readonly referrerByeMs: number;
  /** One dialog that a crash or a lost link left up. */
  readonly orphanMs: number;
  /** REGISTER until its response; beyond timer F (RFC 3261 §17.1.2.2). */
  readonly registerMs: number;
  /** One name look-up. */
  readonly dnsMs: number;
  /** How long a looked-up address is used before it is looked up again. */
  readonly dnsRefreshMs: number;
  /** All legs ended and the connection closed, at `close`. */
  readonly closeMs: number;
}

export const defaultSipTimeouts: SipTimeouts = {
  connectMs: 5_000,
  mediaMs: 3_000,
  journalMs: 2_000,
  responseMs: 5_000,
  probeMs: 1_500,
  silenceMs: 4_000,
  cancelMs: 34_000,
  byeMs: 34_000,
  crossedByeMs: 200,
  ackMs: 34_000,
  transferMs: 60_000,
  referrerByeMs: 2_000,
  orphanMs: 4_000,
  registerMs: 34_000,
  dnsMs: 2_000,
  dnsRefreshMs: 60_000,
  closeMs: 5_000,
};
