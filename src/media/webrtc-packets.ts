import type { SrtpKey } from '../sdp/sdes.js';
import { isRtcp } from './rtp-packet.js';
import { SrtpReceiver, type SrtpRefusals } from './srtp/srtp-receiver.js';
import { SrtpSender } from './srtp/srtp-sender.js';

/** Takes packets that proved authentic and new, in the clear; the bytes are only good until it returns, or has another one opened. */
export interface PacketSink {
  receive(packet: Buffer): void;
  receiveReport(compound: Buffer): void;
}

/** The way to the peer. */
export interface DatagramWay {
  /** Sends at once, or copies: the bytes are overwritten by the next packet. */
  send(datagram: Buffer): void;
}

/** What carries packets once DTLS is up; they are in the clear here, and may be overwritten once these return. */
export interface PacketSender {
  sendRtp(packet: Buffer): void;
  sendRtcp(compound: Buffer): void;
}

/** Packets of a leg whose keys are agreed on: what is sent is sealed here, what comes in has been opened. */
export interface SecuredPackets extends PacketSender {
  readonly refused: Readonly<SrtpRefusals>;
}

/** Our own SRTP between the socket and the stream: datagrams go in and out as they are, nothing is parsed on the way or built anew. */
export class OwnPackets implements SecuredPackets {
  readonly refused: SrtpRefusals = { unauthentic: 0, replayed: 0 };
  readonly #sender: SrtpSender;
  readonly #receiver: SrtpReceiver;

  constructor(
    keys: { readonly local: SrtpKey; readonly remote: SrtpKey },
    private readonly sink: PacketSink,
    private readonly way: DatagramWay,
  ) {
    this.#sender = new SrtpSender(keys.local);
    this.#receiver = new SrtpReceiver(keys.remote, this.refused);
  }

  sendRtp(packet: Buffer): void {
    this.way.send(this.#sender.sealRtp(packet));
  }

  sendRtcp(compound: Buffer): void {
    this.way.send(this.#sender.sealRtcp(compound));
  }

  /** Takes a datagram of the peer's; it may be decrypted in place. */
  receive(datagram: Buffer): void {
    if (isRtcp(datagram)) {
      const compound = this.#receiver.openRtcp(datagram);
      if (compound) this.sink.receiveReport(compound);
    } else {
      const packet = this.#receiver.openRtp(datagram);
      if (packet) this.sink.receive(packet);
    }
  }
}
