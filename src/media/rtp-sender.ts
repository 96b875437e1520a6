import { rtpHeaderBytes, writeRtpHeader } from './rtp-packet.js';

/** How many packets may wait in a full socket buffer before their memory is used again. */
const ringSize = 16;
/** Enough for 20 ms of any codec. */
const ringBytes = 384;

/**
 * Numbers the packets of one outgoing stream: one SSRC for its whole life, sequence numbers without a gap, timestamps that
 * follow the time that passes. Packets are built in a ring of buffers, so that sending allocates nothing.
 */
export class RtpSender {
  packets = 0;
  octets = 0;
  #sequence: number;
  #timestamp: number;
  #markerDue = true;
  #next = 0;
  readonly #memory = Buffer.alloc(ringSize * ringBytes);
  readonly #ring: (Buffer | undefined)[] = Array.from({ length: ringSize }, () => undefined);

  constructor(
    readonly ssrc: number,
    firstSequence: number,
    firstTimestamp: number,
    private readonly emit: (packet: Buffer) => void,
  ) {
    this.#sequence = firstSequence & 0xffff;
    this.#timestamp = firstTimestamp >>> 0;
  }

  /** Timestamp of the next audio packet. */
  get timestamp(): number {
    return this.#timestamp;
  }

  /** Lets time pass without a packet. */
  advance(ticks: number): void {
    this.#timestamp = (this.#timestamp + Math.round(ticks)) >>> 0;
  }

  /** Leaves sequence numbers out, so that the far end sees a loss. */
  skip(packets: number): void {
    this.#sequence = (this.#sequence + packets) & 0xffff;
  }

  /** The next audio packet begins a talk spurt (RFC 3551 §4.1). */
  expectMarker(): void {
    this.#markerDue = true;
  }

  /** Sends audio of `ticks` length. */
  sendAudio(payloadType: number, payload: Uint8Array, ticks: number): void {
    this.send(payloadType, this.#markerDue, this.#timestamp, payload);
    this.#markerDue = false;
    this.advance(ticks);
  }

  /** Sends a packet with a timestamp of its own. */
  send(payloadType: number, marker: boolean, timestamp: number, payload: Uint8Array): void {
    const packet = this.#buffer(rtpHeaderBytes + payload.length);
    writeRtpHeader(packet, payloadType, marker, this.#sequence, timestamp, this.ssrc);
    packet.set(payload, rtpHeaderBytes);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.packets++;
    this.octets = (this.octets + payload.length) >>> 0;
    this.emit(packet);
  }

  /** The longest unused buffer; a new view of its memory only when packets change in length. */
  #buffer(bytes: number): Buffer {
    const index = this.#next;
    this.#next = (index + 1) % ringSize;
    let buffer = this.#ring[index];
    if (buffer?.length !== bytes) {
      buffer =
        bytes <= ringBytes ? this.#memory.subarray(index * ringBytes, index * ringBytes + bytes) : Buffer.alloc(bytes);
      this.#ring[index] = buffer;
    }
    return buffer;
  }
}
