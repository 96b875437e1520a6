import type { RemoteInfo } from 'node:dgram';
import type { Clock } from '../../lib/clock.js';
import type { SrtpAgreement } from '../../sdp/srtp-negotiation.js';
import { RecentPackets } from '../recent-packets.js';
import { isRtcp } from '../rtp-packet.js';
import type { DatagramListener } from '../../lib/datagram-batches.js';
import type { MediaSockets } from '../rtp-sockets.js';
import { SrtpReceiver, type SrtpRefusals } from './srtp-receiver.js';
import { SrtpSender } from './srtp-sender.js';

/** As long as the stream itself would keep what may be the answer's first words. */
const freshMs = 300;
/** Nothing longer is audio, and it must not fill the memory while it waits. */
const maxDatagramBytes = 1500;

interface Waiting {
  readonly datagram: Buffer;
  readonly from: RemoteInfo;
  readonly deliver: DatagramListener;
}

/**
 * Sockets of a leg on which SRTP may be agreed: whoever uses them sees plain packets, the wire sees SRTP and SRTCP. Before
 * offer and answer are done nothing is sent, and what arrives waits for its key. A secured leg never sends a plain packet and
 * takes none.
 */
export class SrtpSockets implements MediaSockets {
  readonly refused: SrtpRefusals = { unauthentic: 0, replayed: 0 };
  #sender: SrtpSender | undefined;
  #receiver: SrtpReceiver | undefined;
  /** Of the key before this one: its packets may still be on the way when the description with the new key is there. */
  #former: SrtpReceiver | undefined;
  #isPlain = false;
  #waiting: RecentPackets<Waiting> | undefined = new RecentPackets(freshMs);

  constructor(
    private readonly sockets: MediaSockets,
    private readonly clock: Clock,
  ) {}

  get rtpPort(): number {
    return this.sockets.rtpPort;
  }

  get errors(): number {
    return this.sockets.errors;
  }

  /** Offer and answer are done, for the first time or anew: the same keys keep their counters (RFC 4568 §7.1.4). */
  agree(agreement: SrtpAgreement | undefined): void {
    this.#isPlain = agreement === undefined;
    if (agreement) {
      const { local, remote } = agreement;
      if (this.#sender?.key !== local) this.#sender = new SrtpSender(local);
      if (this.#receiver?.key.equals(remote) !== true) {
        this.#former = this.#receiver;
        this.#receiver = new SrtpReceiver(remote, this.refused);
      }
    }
    this.#deliverWaiting();
  }

  listen(onRtp: DatagramListener, onRtcp: DatagramListener, onFault: (error: unknown) => void): void {
    this.sockets.listen(
      (datagram, from) => this.#receive(datagram, from, onRtp),
      (datagram, from) => this.#receive(datagram, from, onRtcp),
      onFault,
    );
  }

  sendRtp(datagram: Buffer, port: number, address: string): void {
    const sealed = this.#sealed(datagram);
    if (sealed) this.sockets.sendRtp(sealed, port, address);
  }

  sendRtcp(datagram: Buffer, port: number, address: string): void {
    const sealed = this.#sealed(datagram);
    if (sealed) this.sockets.sendRtcp(sealed, port, address);
  }

  close(): Promise<void> {
    return this.sockets.close();
  }

  #sealed(packet: Buffer): Buffer | undefined {
    if (!this.#sender) return this.#isPlain ? packet : undefined;
    return isRtcp(packet) ? this.#sender.sealRtcp(packet) : this.#sender.sealRtp(packet);
  }

  #receive(datagram: Buffer, from: RemoteInfo, deliver: DatagramListener): void {
    if (datagram.length > maxDatagramBytes) return;
    if (this.#waiting) this.#waiting.add({ datagram, from, deliver }, this.clock.monotonicMs());
    else this.#deliver({ datagram, from, deliver });
  }

  /** Of what came before the key only what belongs to the answer is heard, as on a leg without SRTP. */
  #deliverWaiting(): void {
    const waiting = this.#waiting?.take(this.clock.monotonicMs()) ?? [];
    this.#waiting = undefined;
    for (const each of waiting) this.#deliver(each);
  }

  #deliver({ datagram, from, deliver }: Waiting): void {
    const packet = this.#receiver ? this.#opened(datagram, this.#receiver) : datagram;
    if (packet) deliver(packet, from);
  }

  #opened(datagram: Buffer, receiver: SrtpReceiver): Buffer | undefined {
    const open = (by: SrtpReceiver): Buffer | undefined =>
      isRtcp(datagram) ? by.openRtcp(datagram) : by.openRtp(datagram);
    const former = this.#former;
    if (!former) return open(receiver);
    const { unauthentic } = this.refused;
    const packet = open(receiver);
    if (packet) this.#former = undefined;
    if (packet || this.refused.unauthentic === unauthentic) return packet;
    this.refused.unauthentic--;
    return open(former);
  }
}
