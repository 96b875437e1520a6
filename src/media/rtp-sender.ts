import { rtpHeaderBytes, writeRtpHeader } from './rtp-packet.js';
import { Views } from './views.js';

/** Longer than any frame that fits into a datagram. */
const maxPacketBytes = 2048;
/** Packets are built one at a time, and sending copies them: the memory is there once for all streams, and warm. */
const outgoing = new Views(Buffer.alloc(maxPacketBytes));

/**
 * Numbers the packets of one outgoing stream: one SSRC for its whole life, sequence numbers without a gap, timestamps that
 * follow the time that passes.
 */
export class RtpSender {
  packets = 0;
  octets = 0;
  #sequence: number;
  #timestamp: number;
  #markerDue = true;

  constructor(
    readonly ssrc: number,
    firstSequence: number,
    firstTimestamp: number,
    /** Takes a packet, which is only good until the next one is built. */
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
    const bytes = rtpHeaderBytes + payload.length;
    if (bytes > maxPacketBytes) return;
    const packet = outgoing.of(bytes);
    writeRtpHeader(packet, payloadType, marker, this.#sequence, timestamp, this.ssrc);
    packet.set(payload, rtpHeaderBytes);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.packets++;
    this.octets = (this.octets + payload.length) >>> 0;
    this.emit(packet);
  }
}
