import type { ReceptionReport } from './webrtc-reception.js';

/** What a sender report says (RFC 3550 §6.4.1). */
export interface SenderFacts {
  readonly ssrc: number;
  readonly cname: string;
  /** Wall clock, ms since the Unix epoch. */
  readonly nowMs: number;
  /** RTP time of the same moment. */
  readonly timestamp: number;
  readonly packets: number;
  readonly octets: number;
}

/** What is reported about the peer's stream; `lastSenderReport` and delay as the RFC defines LSR and DLSR. */
export interface ReportBlock extends ReceptionReport {
  readonly lastSenderReport: number;
  /** Since that report came, in 65536ths of a second; 0 if none came. */
  readonly delay: number;
}

const packetType = { senderReport: 200, sourceDescription: 202, bye: 203 } as const;
/** Seconds from 1900, the origin of NTP, to 1970. */
const ntpOffsetS = 2_208_988_800;
const cnameItem = 1;

/** SR with at most one report block, then SDES with our CNAME: a compound packet as RFC 3550 §6.1 wants it. */
export function senderReport(facts: SenderFacts, block: ReportBlock | undefined): Buffer {
  return Buffer.concat([senderPacket(facts, block), sourceDescription(facts)]);
}

/** The same with BYE behind it (§6.6): we leave. */
export function farewell(facts: SenderFacts): Buffer {
  const bye = packet(packetType.bye, 1, 4);
  bye.writeUInt32BE(facts.ssrc, 4);
  return Buffer.concat([senderReport(facts, undefined), bye]);
}

/** The middle 32 bits of a 64-bit NTP time: LSR. */
export function middleOfNtp(ntp: bigint): number {
  return Number((ntp >> 16n) & 0xffff_ffffn);
}

function senderPacket(facts: SenderFacts, block: ReportBlock | undefined): Buffer {
  const out = packet(packetType.senderReport, block ? 1 : 0, 24 + (block ? 24 : 0));
  const seconds = Math.floor(facts.nowMs / 1000);
  out.writeUInt32BE(facts.ssrc, 4);
  out.writeUInt32BE((seconds + ntpOffsetS) % 2 ** 32, 8);
  out.writeUInt32BE(Math.floor(((facts.nowMs - seconds * 1000) / 1000) * 2 ** 32), 12);
  out.writeUInt32BE(facts.timestamp, 16);
  out.writeUInt32BE(facts.packets >>> 0, 20);
  out.writeUInt32BE(facts.octets >>> 0, 24);
  if (block) writeBlock(out, 28, block);
  return out;
}

function writeBlock(out: Buffer, offset: number, block: ReportBlock): void {
  out.writeUInt32BE(block.ssrc, offset);
  out.writeUInt32BE(((block.fractionLost << 24) | (block.packetsLost & 0xff_ffff)) >>> 0, offset + 4);
  out.writeUInt32BE(block.highestSequence, offset + 8);
  out.writeUInt32BE(block.jitter >>> 0, offset + 12);
  out.writeUInt32BE(block.lastSenderReport, offset + 16);
  out.writeUInt32BE(block.delay >>> 0, offset + 20);
}

function sourceDescription({ ssrc, cname }: SenderFacts): Buffer {
  const text = Buffer.from(cname, 'utf8').subarray(0, 255);
  // One null octet at least ends the list of items, then it is filled up to 32 bits (§6.5).
  const length = 4 + Math.ceil((2 + text.length + 1) / 4) * 4;
  const out = packet(packetType.sourceDescription, 1, length);
  out.writeUInt32BE(ssrc, 4);
  out[8] = cnameItem;
  out[9] = text.length;
  text.copy(out, 10);
  return out;
}

/** A packet of `length` bytes behind its header, version 2, no padding. */
function packet(type: number, count: number, length: number): Buffer {
  const out = Buffer.alloc(4 + length);
  out[0] = 0x80 | count;
  out[1] = type;
  out.writeUInt16BE(length / 4, 2);
  return out;
}
