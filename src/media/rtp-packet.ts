/** Fields of an RTP header (RFC 3550 §5.1) and where its payload lies; reused from packet to packet. */
export interface RtpFields {
  payloadType: number;
  marker: boolean;
  sequence: number;
  timestamp: number;
  ssrc: number;
  /** Bounds of the payload in the datagram, CSRCs, extension and padding left out. */
  payloadStart: number;
  payloadEnd: number;
}

/** Length of a header without CSRCs and extension. */
export const rtpHeaderBytes = 12;

const version = 2;

/** A blank set of fields for `parseRtp` to fill. */
export function emptyRtpFields(): RtpFields {
  return { payloadType: 0, marker: false, sequence: 0, timestamp: 0, ssrc: 0, payloadStart: 0, payloadEnd: 0 };
}

/** Reads a datagram into `into`. False, and `into` undefined in part, if it is no well-formed RTP packet; never throws. */
export function parseRtp(datagram: Uint8Array, into: RtpFields): boolean {
  const length = datagram.length;
  if (length < rtpHeaderBytes) return false;
  const first = byteAt(datagram, 0);
  if (first >> 6 !== version) return false;
  const start = rtpHeaderLength(datagram);
  const end = (first & 0x20) === 0 ? length : length - byteAt(datagram, length - 1);
  // Padding counts itself, so that zero is malformed (RFC 3550 §5.1).
  if (start > end || ((first & 0x20) !== 0 && end === length)) return false;
  const second = byteAt(datagram, 1);
  into.marker = second >= 0x80;
  into.payloadType = second & 0x7f;
  into.sequence = uint16At(datagram, 2);
  into.timestamp = uint32At(datagram, 4);
  into.ssrc = uint32At(datagram, 8);
  into.payloadStart = start;
  into.payloadEnd = end;
  return true;
}

/** The payload, in the datagram's own memory. */
export function payloadOf(datagram: Uint8Array, { payloadStart, payloadEnd }: RtpFields): Uint8Array {
  return new Uint8Array(datagram.buffer, datagram.byteOffset + payloadStart, payloadEnd - payloadStart);
}

/** True for what shares a port with RTP but is RTCP: packet types 192 to 223 (RFC 5761 §4). */
export function isRtcp(datagram: Uint8Array): boolean {
  const type = datagram[1] ?? 0;
  return type >= 192 && type <= 223;
}

/** Writes a plain 12-byte header at the start of `into`. */
export function writeRtpHeader(
  into: Uint8Array,
  payloadType: number,
  marker: boolean,
  sequence: number,
  timestamp: number,
  ssrc: number,
): void {
  into[0] = version << 6;
  into[1] = (marker ? 0x80 : 0) | (payloadType & 0x7f);
  patchSequence(into, sequence);
  patchTimestamp(into, timestamp);
  writeUint32(into, 8, ssrc);
}

/** Overwrites the sequence number of a packet in place. */
export function patchSequence(packet: Uint8Array, sequence: number): void {
  packet[2] = (sequence >>> 8) & 0xff;
  packet[3] = sequence & 0xff;
}

/** Overwrites the timestamp of a packet in place. */
export function patchTimestamp(packet: Uint8Array, timestamp: number): void {
  writeUint32(packet, 4, timestamp);
}

/** How far sequence number `to` lies ahead of `from`, wrap-around seen: -32768 to 32767. */
export function sequenceDelta(from: number, to: number): number {
  return ((to - from) << 16) >> 16;
}

/** How far timestamp `to` lies ahead of `from`, wrap-around seen: -2^31 to 2^31 - 1. */
export function timestampDelta(from: number, to: number): number {
  return (to - from) | 0;
}

/** Reads a big-endian 16-bit number; bytes beyond the end count as zero. */
export function uint16At(bytes: Uint8Array, offset: number): number {
  return (byteAt(bytes, offset) << 8) | byteAt(bytes, offset + 1);
}

/** Reads a big-endian 32-bit number; bytes beyond the end count as zero. */
export function uint32At(bytes: Uint8Array, offset: number): number {
  return ((uint16At(bytes, offset) << 16) | uint16At(bytes, offset + 2)) >>> 0;
}

/** Writes a big-endian 32-bit number. */
export function writeUint32(into: Uint8Array, offset: number, value: number): void {
  into[offset] = (value >>> 24) & 0xff;
  into[offset + 1] = (value >>> 16) & 0xff;
  into[offset + 2] = (value >>> 8) & 0xff;
  into[offset + 3] = value & 0xff;
}

function byteAt(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}

/** Bytes of the header with CSRCs and extension; beyond the end when the datagram is cut off: the caller compares. */
export function rtpHeaderLength(datagram: Uint8Array): number {
  const first = byteAt(datagram, 0);
  const csrcEnd = rtpHeaderBytes + 4 * (first & 0x0f);
  if ((first & 0x10) === 0) return csrcEnd;
  if (csrcEnd + 4 > datagram.length) return Number.POSITIVE_INFINITY;
  return csrcEnd + 4 + 4 * uint16At(datagram, csrcEnd + 2);
}
