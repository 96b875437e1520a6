import { HandshakeFlight } from './handshake-flight.js';

/** An IP address and a UDP port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Kinds of datagram that share a WebRTC socket (RFC 7983 §7). */
export type DatagramKind = 'stun' | 'dtls' | 'srtp' | 'other';

/** What the guard threw away, by why. */
export interface GuardCounters {
  /** From an address that is not the peer's. */
  readonly foreign: number;
  /** From the peer's address but forgeable: unauthenticated STUN requests, plaintext DTLS after the handshake, noise. */
  readonly forged: number;
}

const stunBindingRequest = 0x0001;
const stunHeaderBytes = 20;
const stunCookie = 0x2112a442;

/**
 * Stands in front of the WebRTC stack: the stack takes datagrams from anywhere, and one forged datagram can end a call's DTLS
 * or make it answer strangers. Before ICE has chosen a pair only the candidates of the remote SDP may speak, afterwards only
 * the chosen one. Nothing is sent elsewhere either.
 */
export class SourceGuard {
  #candidates: readonly Endpoint[] = [];
  #nominated: Endpoint | undefined;
  #handshakeDone = false;
  readonly #flight = new HandshakeFlight();
  #foreign = 0;
  #forged = 0;

  /** @param isAuthentic whether a STUN request carries a MESSAGE-INTEGRITY made with our password (RFC 8445 §7.3). */
  constructor(private readonly isAuthentic: (request: Buffer) => boolean) {}

  get counters(): GuardCounters {
    return { foreign: this.#foreign, forged: this.#forged };
  }

  /** Sets who may speak until a pair is nominated. */
  expect(candidates: readonly Endpoint[]): void {
    this.#candidates = candidates;
  }

  /** From now on only `peer` may speak and be spoken to. */
  nominate(peer: Endpoint): void {
    this.#nominated = peer;
  }

  /** From now on DTLS records of epoch 0 are refused, save what a peer must repeat if it missed our last flight. */
  finishHandshake(): void {
    this.#handshakeDone = true;
  }

  /** Whether a datagram may be sent to this address. */
  maySendTo(address: string, port: number): boolean {
    return this.#isPeer(address, port);
  }

  /** Whether a datagram may reach the stack. */
  admits(datagram: Buffer, address: string, port: number): boolean {
    if (!this.#isPeer(address, port)) {
      this.#foreign++;
      return false;
    }
    if (this.#isPlausible(datagram)) return true;
    this.#forged++;
    return false;
  }

  #isPeer(address: string, port: number): boolean {
    if (this.#nominated) return this.#nominated.port === port && this.#nominated.address === address;
    return this.#candidates.some((candidate) => candidate.port === port && candidate.address === address);
  }

  #isPlausible(datagram: Buffer): boolean {
    switch (datagramKind(datagram)) {
      case 'srtp':
        return true; // authenticated by SRTP itself
      case 'stun':
        return this.#isPlausibleStun(datagram);
      case 'dtls':
        return this.#isPlausibleDtls(datagram);
      case 'other':
        return false;
    }
  }

  #isPlausibleDtls(datagram: Buffer): boolean {
    if (this.#handshakeDone) return this.#flight.allows(datagram);
    this.#flight.note(datagram);
    return true;
  }

  /** Responses are matched to a request and checked by the stack; requests are checked here, indications have no use. */
  #isPlausibleStun(datagram: Buffer): boolean {
    if (datagram.length < stunHeaderBytes || datagram.readUInt32BE(4) !== stunCookie) return false;
    const type = datagram.readUInt16BE(0);
    if ((type & 0x0110) === 0) return type === stunBindingRequest && this.isAuthentic(datagram);
    return (type & 0x0100) !== 0;
  }
}

/** Tells apart what arrives on a WebRTC socket by its first byte (RFC 7983 §7). */
export function datagramKind(datagram: Buffer): DatagramKind {
  const first = datagram[0] ?? 255;
  if (first <= 3) return 'stun';
  if (first >= 20 && first <= 63) return 'dtls';
  if (first >= 128 && first <= 191) return 'srtp';
  return 'other';
}
