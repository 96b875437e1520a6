import { isIP } from 'node:net';
import { canonicalIp } from '../../lib/canonical-ip.js';
import { bytesOfV4, bytesOfV6 } from '../capture/ip-bytes.js';
import type { Place } from '../capture/udp-packet.js';

/** What the payload is: HEP3's protocol types. */
export const HEP_TYPE = { sip: 1, rtcp: 5, log: 100, cdr: 101 } as const;
export type HepType = (typeof HEP_TYPE)[keyof typeof HEP_TYPE];

export interface HepPacket {
  readonly type: HepType;
  readonly from: Place;
  readonly to: Place;
  readonly isTcp: boolean;
  /** Microseconds since the Unix epoch. */
  readonly atUs: number;
  readonly captureId: number;
  /** Empty: none. */
  readonly password: string;
  readonly correlationId: string;
  readonly payload: Buffer;
}

/** Generic chunks (vendor 0) of HEP3. */
const CHUNK = {
  family: 0x0001,
  protocol: 0x0002,
  sourceV4: 0x0003,
  targetV4: 0x0004,
  sourceV6: 0x0005,
  targetV6: 0x0006,
  sourcePort: 0x0007,
  targetPort: 0x0008,
  seconds: 0x0009,
  microseconds: 0x000a,
  type: 0x000b,
  captureId: 0x000c,
  password: 0x000e,
  payload: 0x000f,
  correlationId: 0x0011,
} as const;

/** Family numbers as Linux has them, transports as IP has them. */
const FAMILY = { v4: 2, v6: 10 } as const;
const PROTOCOL = { tcp: 6, udp: 17 } as const;
const MAGIC = Buffer.from('HEP3');
const HEADER_BYTES = MAGIC.length + 2;
const CHUNK_HEADER_BYTES = 6;
/** Longest datagram of IPv4. */
const MAX_BYTES = 65_507;
const MICROSECONDS = 1_000_000;

/** The packet as HEP3 has it; undefined if it is too long for a datagram. */
export function hepPacket(packet: HepPacket): Buffer | undefined {
  const { type, isTcp, atUs, captureId, password, payload } = packet;
  const chunks = [
    ...addressChunks(packet),
    chunk(CHUNK.protocol, Buffer.of(isTcp ? PROTOCOL.tcp : PROTOCOL.udp)),
    chunk(CHUNK.sourcePort, uint16(packet.from.port)),
    chunk(CHUNK.targetPort, uint16(packet.to.port)),
    chunk(CHUNK.seconds, uint32(Math.floor(atUs / MICROSECONDS))),
    chunk(CHUNK.microseconds, uint32(Math.floor(atUs % MICROSECONDS))),
    chunk(CHUNK.type, Buffer.of(type)),
    chunk(CHUNK.captureId, uint32(captureId)),
    ...(password === '' ? [] : [chunk(CHUNK.password, Buffer.from(password))]),
    chunk(CHUNK.correlationId, Buffer.from(packet.correlationId)),
  ];
  const before = chunks.reduce((sum, { length }) => sum + length, HEADER_BYTES);
  const length = before + CHUNK_HEADER_BYTES + payload.length;
  if (length > MAX_BYTES) return undefined;
  return Buffer.concat([MAGIC, uint16(length), ...chunks, chunk(CHUNK.payload, payload)], length);
}

/** Both are of one family: an IPv4 address beside one of IPv6 is mapped. */
function addressChunks({ from, to }: HepPacket): Buffer[] {
  const [source, target] = [canonicalIp(from.address), canonicalIp(to.address)];
  if (isIP(source) === 6 || isIP(target) === 6) {
    const addresses = [chunk(CHUNK.sourceV6, bytesOfV6(source)), chunk(CHUNK.targetV6, bytesOfV6(target))];
    return [chunk(CHUNK.family, Buffer.of(FAMILY.v6)), ...addresses];
  }
  const addresses = [chunk(CHUNK.sourceV4, bytesOfV4(source)), chunk(CHUNK.targetV4, bytesOfV4(target))];
  return [chunk(CHUNK.family, Buffer.of(FAMILY.v4)), ...addresses];
}

function chunk(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(CHUNK_HEADER_BYTES); // vendor 0
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE((CHUNK_HEADER_BYTES + data.length) & 0xffff, 4);
  return Buffer.concat([head, data]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value & 0xffff);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}
