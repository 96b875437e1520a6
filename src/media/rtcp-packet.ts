import { uint16At, uint32At, writeUint32 } from './rtp-packet.js';

/** What one side reports of the other's stream (RFC 3550 §6.4.1). */
export interface ReportBlock {
  readonly ssrc: number;
  /** Share lost since the last report, in 1/256. */
  readonly fractionLost: number;
  /** Lost since the beginning; negative when duplicates outnumber losses. */
  readonly cumulativeLost: number;
  readonly highestSequence: number;
  /** In ticks of the stream's clock. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP time of the last sender report, 0 if there was none. */
  readonly lastSenderReport: number;
  /** Since that report arrived, in 1/65536 s. */
  readonly delaySinceLastReport: number;
}

/** The sender's part of a report. */
export interface SenderInfo {
  readonly ntpSeconds: number;
  readonly ntpFraction: number;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
}

export interface RtcpReport {
  readonly ssrc: number;
  /** Of this participant: a random name that says nothing (RFC 7022). */
  readonly cname: string;
  /** Present in a sender report, absent in a receiver report. */
  readonly sender: SenderInfo | undefined;
  readonly block: ReportBlock | undefined;
  /** A BYE ends the compound packet. */
  readonly bye: boolean;
}

/** What a compound packet from the far end says. */
export interface RtcpContent {
  /** The last sender report in it. */
  sender: { ssrc: number; ntpMiddle: number } | undefined;
  blocks: ReportBlock[];
  /** SSRCs that said goodbye. */
  byes: number[];
}

const type = { senderReport: 200, receiverReport: 201, sourceDescription: 202, bye: 203 } as const;
const blockBytes = 24;
const secondsFrom1900To1970 = 2_208_988_800;
const cnameItem = 1;

/** Splits a wall-clock time (ms since 1970) into NTP seconds and fraction (RFC 3550 §4). */
export function ntpTime(nowMs: number): { seconds: number; fraction: number } {
  const seconds = Math.floor(nowMs / 1000);
  return {
    seconds: (seconds + secondsFrom1900To1970) >>> 0,
    fraction: Math.floor(((nowMs - seconds * 1000) / 1000) * 0x1_0000_0000) >>> 0,
  };
}

/** Writes a compound packet: a report, the CNAME, and a BYE if wanted (RFC 3550 §6.1). */
export function buildRtcp(report: RtcpReport): Buffer {
  const parts = [reportPart(report), cnamePart(report.ssrc, report.cname)];
  if (report.bye) parts.push(byePart(report.ssrc));
  return Buffer.concat(parts);
}

/** Reads a compound packet; undefined if any part of it is malformed (RFC 3550 A.2). Never throws. */
export function parseRtcp(datagram: Uint8Array): RtcpContent | undefined {
  const content: RtcpContent = { sender: undefined, blocks: [], byes: [] };
  if (datagram.length === 0) return undefined;
  for (let offset = 0; offset < datagram.length;) {
    const end = partEnd(datagram, offset);
    if (end === undefined || !readPart(datagram, offset, end, content)) return undefined;
    offset = end;
  }
  return content;
}

function partEnd(datagram: Uint8Array, offset: number): number | undefined {
  if (offset + 4 > datagram.length || (datagram[offset] ?? 0) >> 6 !== 2) return undefined;
  const end = offset + 4 + 4 * uint16At(datagram, offset + 2);
  return end <= datagram.length ? end : undefined;
}

/** Unknown types are skipped. */
function readPart(datagram: Uint8Array, offset: number, end: number, into: RtcpContent): boolean {
  const count = (datagram[offset] ?? 0) & 0x1f;
  const kind = datagram[offset + 1];
  const body = offset + 8;
  if (kind === type.senderReport) {
    if (body + 20 + count * blockBytes > end) return false;
    into.sender = { ssrc: uint32At(datagram, offset + 4), ntpMiddle: uint32At(datagram, body + 2) };
    readBlocks(datagram, body + 20, count, into);
  } else if (kind === type.receiverReport) {
    if (body + count * blockBytes > end) return false;
    readBlocks(datagram, body, count, into);
  } else if (kind === type.bye) {
    if (offset + 4 + count * 4 > end) return false;
    for (let i = 0; i < count; i++) into.byes.push(uint32At(datagram, offset + 4 + i * 4));
  }
  return true;
}

function readBlocks(datagram: Uint8Array, start: number, count: number, into: RtcpContent): void {
  for (let i = 0; i < count; i++) {
    const offset = start + i * blockBytes;
    into.blocks.push({
      ssrc: uint32At(datagram, offset),
      fractionLost: datagram[offset + 4] ?? 0,
      cumulativeLost: (uint32At(datagram, offset + 4) << 8) >> 8,
      highestSequence: uint32At(datagram, offset + 8),
      jitter: uint32At(datagram, offset + 12),
      lastSenderReport: uint32At(datagram, offset + 16),
      delaySinceLastReport: uint32At(datagram, offset + 20),
    });
  }
}

function reportPart({ ssrc, sender, block }: RtcpReport): Buffer {
  const part = Buffer.alloc(8 + (sender ? 20 : 0) + (block ? blockBytes : 0));
  writeHead(part, block ? 1 : 0, sender ? type.senderReport : type.receiverReport);
  writeUint32(part, 4, ssrc);
  if (sender) {
    writeUint32(part, 8, sender.ntpSeconds);
    writeUint32(part, 12, sender.ntpFraction);
    writeUint32(part, 16, sender.rtpTimestamp);
    writeUint32(part, 20, sender.packets);
    writeUint32(part, 24, sender.octets);
  }
  if (block) writeBlock(part, part.length - blockBytes, block);
  return part;
}

function writeBlock(part: Buffer, offset: number, block: ReportBlock): void {
  const lost = Math.max(-0x80_0000, Math.min(0x7f_ffff, block.cumulativeLost));
  writeUint32(part, offset, block.ssrc);
  writeUint32(part, offset + 4, ((block.fractionLost & 0xff) << 24) | (lost & 0xff_ffff));
  writeUint32(part, offset + 8, block.highestSequence);
  writeUint32(part, offset + 12, block.jitter);
  writeUint32(part, offset + 16, block.lastSenderReport);
  writeUint32(part, offset + 20, block.delaySinceLastReport);
}

function cnamePart(ssrc: number, cname: string): Buffer {
  const text = Buffer.from(cname, 'latin1').subarray(0, 255);
  // The list of items ends with a zero byte and is padded to a whole word (RFC 3550 §6.5).
  const part = Buffer.alloc(8 + 4 * Math.ceil((2 + text.length + 1) / 4));
  writeHead(part, 1, type.sourceDescription);
  writeUint32(part, 4, ssrc);
  part[8] = cnameItem;
  part[9] = text.length;
  text.copy(part, 10);
  return part;
}

function byePart(ssrc: number): Buffer {
  const part = Buffer.alloc(8);
  writeHead(part, 1, type.bye);
  writeUint32(part, 4, ssrc);
  return part;
}

function writeHead(part: Buffer, count: number, kind: number): void {
  part[0] = 0x80 | count;
  part[1] = kind;
  part.writeUInt16BE(part.length / 4 - 1, 2);
}
