import type { SipHeader, SipRequest, SipResponse } from '../sip/message.js';
import type { Flow, Protocol } from '../transport/flow.js';

/**
 * What is open on the wire, noted before the datagram that opens it leaves, so that a process that comes after a crash
 * can end it. `id` is the application's name for the INVITE. Nothing here throws or waits; notes on an id that is not
 * open are ignored.
 */
export interface CallRecord {
  /** An INVITE has come; its 100 is about to go out. */
  arrived(id: string, invite: SipRequest, flow: Flow): void;
  /** Our first answer with a To tag, a provisional one, is about to go out. */
  tagged(id: string, localTag: string): void;
  /** Our 2xx is about to go out. */
  answered(id: string, localTag: string): void;
  /** The ACK to our 2xx has come. */
  acknowledged(id: string): void;
  /** Our INVITE is about to go out. */
  calling(id: string, invite: SipRequest, flow: Flow): void;
  /** A provisional answer with a To tag, or a 2xx, has come for our INVITE. */
  heard(id: string, response: SipResponse, flow: Flow): void;
  /** The peer's address within the dialog is another one now (RFC 3261 §12.2). */
  moved(id: string, target: string, flow: Flow): void;
  /** Nothing of it is left on the wire. */
  ended(id: string): void;
  /** Sets the one who hears of every call that ends. */
  onEnded(callback: (id: string) => void): void;
}

/** Keeps nothing. */
export const NO_CALL_RECORD: CallRecord = {
  arrived: () => undefined,
  tagged: () => undefined,
  answered: () => undefined,
  acknowledged: () => undefined,
  calling: () => undefined,
  heard: () => undefined,
  moved: () => undefined,
  ended: () => undefined,
  onEnded: () => undefined,
};

/** Transport and address of a peer. */
export interface Hop {
  readonly protocol: Protocol;
  readonly host: string;
  readonly port: number;
}

/** A call that was open when its process ended. */
export interface OpenCall {
  readonly id: string;
  /** Who sent the INVITE: the peer, or we. */
  readonly direction: 'arrived' | 'dialled';
  /** `answered`: a 2xx was sent or has come; `acknowledged`: the ACK to ours has come too. */
  stage: 'pending' | 'answered' | 'acknowledged';
  /** The peer's side of the INVITE. */
  hop: Hop;
  /** Request-URI of the INVITE. */
  readonly uri: string;
  /** Those headers of the INVITE that its ending needs. */
  headers: readonly SipHeader[];
  /** Our To tag on a call that arrived, once one was sent. */
  localTag: string | undefined;
  /** The last response with a To tag to our INVITE. */
  heard: { readonly status: number; headers: readonly SipHeader[]; hop: Hop } | undefined;
}
