import { pcapngHead, pcapngPacket, pcapngStatistics } from './pcapng.js';
import { withoutSipSecrets } from './sip-secrets.js';
import type { SipMessageKept } from './sip-rings.js';
import { udpPacket, type Place } from './udp-packet.js';

/** A packet of RTP or RTCP in the clear. */
export interface RtpPacketSeen {
  readonly side: 'whatsapp' | 'pbx';
  readonly isOutgoing: boolean;
  readonly atUs: number;
  readonly local: Place;
  readonly remote: Place;
  readonly data: Uint8Array;
}

const INTERFACES = ['SIP', 'RTP of the PBX, decoded', 'RTP of WhatsApp, decoded'] as const;
const PORT_OF = { sip: 0, pbx: 1, whatsapp: 2 } as const;
const NOWHERE: Place = { address: '', port: 0 };
const SIP_PORT = 5060;

/** Writes one call as pcapng: each method returns whole blocks. SIP that came over TCP or TLS is shown as datagrams, with a comment. */
export class CallPcapng {
  readonly #counts = INTERFACES.map(() => ({ received: 0, dropped: 0 }));
  /** Our side of a dialog, where a message has told it. */
  readonly #locals = new Map<string, Place>();

  constructor(private readonly application: string) {}

  head(): Buffer {
    return pcapngHead(this.application, INTERFACES);
  }

  /** Messages tell our side of those before them as well: give all that are there at once. */
  sip(messages: readonly SipMessageKept[]): Buffer {
    for (const { sipCallId, local } of messages) if (local) this.#locals.set(sipCallId, local);
    return Buffer.concat(messages.map((message) => this.#message(message)));
  }

  rtp({ side, isOutgoing, atUs, local, remote, data }: RtpPacketSeen): Buffer {
    const port = PORT_OF[side];
    this.#count(port);
    return pcapngPacket({ port, atUs, isOutgoing, packet: datagram(local, remote, isOutgoing, data) });
  }

  /** Packets that are not in the file, of either leg. */
  lost(packets: number): void {
    this.#count(PORT_OF.whatsapp, packets);
  }

  get dropped(): number {
    return this.#counts.reduce((sum, { dropped }) => sum + dropped, 0);
  }

  end(atUs: number): Buffer {
    return Buffer.concat(this.#counts.map((counts, port) => pcapngStatistics(port, atUs, counts)));
  }

  #count(port: number, dropped = 0): void {
    const counts = this.#counts[port];
    if (!counts) return;
    counts.received += dropped === 0 ? 1 : dropped;
    counts.dropped += dropped;
  }

  #message({ sipCallId, text, transport, isOutgoing, atUs, remote }: SipMessageKept): Buffer {
    this.#count(PORT_OF.sip);
    const local = this.#locals.get(sipCallId) ?? { ...NOWHERE, port: SIP_PORT };
    const data = Buffer.from(withoutSipSecrets(text));
    const comment = transport === 'udp' ? undefined : `sent over ${transport.toUpperCase()}, shown as a datagram`;
    const packet = datagram(local, remote, isOutgoing, data);
    return pcapngPacket({ port: PORT_OF.sip, atUs, isOutgoing, packet, comment });
  }
}

const datagram = (local: Place, remote: Place, isOutgoing: boolean, data: Uint8Array): Buffer =>
  isOutgoing ? udpPacket(local, remote, data) : udpPacket(remote, local, data);
