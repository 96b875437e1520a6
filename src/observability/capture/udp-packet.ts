import { isIP } from 'node:net';
import { canonicalIp } from '../../lib/canonical-ip.js';
import { bytesOfV4, bytesOfV6 } from './ip-bytes.js';

/** Where a datagram comes from or goes to. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

const UDP = 17;
const HOPS = 64;
const UDP_HEADER = 8;
const DONT_FRAGMENT = 0x4000;
/** Longest payload that fits a datagram of IPv4. */
const MAX_PAYLOAD = 65_535 - 20 - UDP_HEADER;

/** A UDP datagram in its IP packet, with good checksums (RFC 768, 791, 8200). What does not fit one datagram is cut off. */
export function udpPacket(from: Place, to: Place, payload: Uint8Array): Buffer {
  const [source, target] = [canonicalIp(from.address), canonicalIp(to.address)];
  const isV6 = isIP(source) === 6 || isIP(target) === 6;
  const addressOf = (address: string): Buffer => (isV6 ? bytesOfV6(address) : bytesOfV4(address));
  const addresses = Buffer.concat([addressOf(source), addressOf(target)]);
  const udp = udpDatagram(addresses, from.port, to.port, payload.subarray(0, MAX_PAYLOAD));
  return Buffer.concat([isV6 ? headerV6(addresses, udp.length) : headerV4(addresses, udp.length), udp]);
}

function udpDatagram(addresses: Buffer, fromPort: number, toPort: number, payload: Uint8Array): Buffer {
  const udp = Buffer.alloc(UDP_HEADER + payload.length);
  udp.writeUInt16BE(fromPort & 0xffff, 0);
  udp.writeUInt16BE(toPort & 0xffff, 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(payload, UDP_HEADER);
  const sum = onesComplement(udp, onesComplement(addresses, UDP + udp.length));
  const checksum = ~sum & 0xffff;
  // 0 says that there is none.
  udp.writeUInt16BE(checksum === 0 ? 0xffff : checksum, 6);
  return udp;
}

function headerV4(addresses: Buffer, udpBytes: number): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(header.length + udpBytes, 2);
  header.writeUInt16BE(DONT_FRAGMENT, 6);
  header[8] = HOPS;
  header[9] = UDP;
  header.set(addresses, 12);
  header.writeUInt16BE(~onesComplement(header, 0) & 0xffff, 10);
  return header;
}

function headerV6(addresses: Buffer, udpBytes: number): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x60;
  header.writeUInt16BE(udpBytes, 4);
  header[6] = UDP;
  header[7] = HOPS;
  return Buffer.concat([header, addresses]);
}

/** Sum of the 16-bit words in ones' complement (RFC 1071). */
function onesComplement(bytes: Uint8Array, start: number): number {
  let sum = start;
  for (let index = 0; index < bytes.length; index += 2) {
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000);
  return sum;
}
