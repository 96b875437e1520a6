import { createHmac, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const cookie = 0x2112a442;
const fingerprintMask = 0x5354554e;
const attribute = { username: 0x0006, integrity: 0x0008, priority: 0x0024, useCandidate: 0x0025, fingerprint: 0x8028 };
const bindingRequest = 0x0001;
const controlling = 0x802a;

function attributeOf(type: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc(-value.length & 3)]);
}

/** Makes the header say `length` octets of attributes. */
function withLength(message: Buffer, length: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(length, 2);
  return copy;
}

/**
 * An ICE check as a controlling agent would send it, nomination included (RFC 8445 §7.2.2); signed with `password` if there is
 * one, else without MESSAGE-INTEGRITY.
 */
export function stunCheck(username: string, password?: string): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt16BE(bindingRequest, 0);
  header.writeUInt32BE(cookie, 4);
  randomBytes(12).copy(header, 8);
  let message = Buffer.concat([
    header,
    attributeOf(attribute.username, Buffer.from(username)),
    attributeOf(attribute.priority, Buffer.of(0x7e, 0xff, 0xff, 0xff)),
    attributeOf(controlling, randomBytes(8)),
    attributeOf(attribute.useCandidate, Buffer.alloc(0)),
  ]);
  if (password !== undefined) {
    const signed = withLength(message, message.length - 20 + 24);
    const mac = createHmac('sha1', password).update(signed).digest();
    message = Buffer.concat([signed, attributeOf(attribute.integrity, mac)]);
  }
  const covered = withLength(message, message.length - 20 + 8);
  const check = Buffer.alloc(4);
  check.writeUInt32BE((crc32(covered) ^ fingerprintMask) >>> 0);
  return Buffer.concat([covered, attributeOf(attribute.fingerprint, check)]);
}

/** Octets without meaning, the same in every run: a seed of a fuzz test has to name its packets. */
const noise = (length: number): number[] => Array.from({ length }, (_, i) => (i * 167 + 91) & 0xff);

/** A DTLS 1.2 record (RFC 6347 §4.1). */
export function dtlsRecord(type: number, epoch: number, ...body: number[]): Buffer {
  return Buffer.from([type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, body.length >> 8, body.length & 0xff, ...body]);
}

/** RFC 6347 §4.2.1: version, random, no session, no cookie, one cipher suite, no compression. */
function clientHello(suite: readonly [number, number]): Buffer {
  const random = noise(32);
  return dtlsRecord(
    22,
    0,
    ...[1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd],
    ...random,
    ...[0, 0, 0, 2, ...suite, 1, 0],
  );
}

/** TLS_NULL_WITH_NULL_NULL, and a suite that is really spoken. */
export const clientHellos: readonly (() => Buffer)[] = [() => clientHello([0, 0]), () => clientHello([0xc0, 0x2b])];

/** Warning and fatal alerts in plaintext, and a record of a type that does not exist. */
export const plaintextAlerts: readonly Buffer[] = [
  dtlsRecord(21, 0, 1, 0),
  dtlsRecord(21, 0, 2, 40),
  dtlsRecord(63, 0, 1, 2),
];

/**
 * Records that come from a peer whose last flight was lost, and so may come at any time: Certificate, ClientKeyExchange,
 * CertificateVerify, ChangeCipherSpec; and what looks encrypted.
 */
export const lateRecords: readonly Buffer[] = [
  // Claims to be encrypted, and is not.
  dtlsRecord(21, 1, ...Array<number>(26).fill(0)),
  ...[11, 16, 15].map((type) => dtlsRecord(22, 0, ...[type, 0, 0, 20, 0, 2, 0, 0, 0, 0, 0, 20], ...noise(20))),
  dtlsRecord(20, 0, 1),
  dtlsRecord(22, 1, ...noise(40)),
  dtlsRecord(21, 1, ...noise(26)),
  dtlsRecord(23, 1, ...noise(60)),
];

/** A compound RTCP packet that says goodbye for `ssrc` (RFC 3550 §6.6): an empty receiver report, then BYE. */
export function rtcpBye(ssrc: number): Buffer {
  const packet = Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 0, 0x81, 203, 0, 1, 0, 0, 0, 0]);
  packet.writeUInt32BE(ssrc, 4);
  packet.writeUInt32BE(ssrc, 12);
  return packet;
}

/** The same as a stranger could put it on an SRTP port: with an index and a tag that it cannot know (RFC 3711 §3.4). */
export function forgedSrtcpBye(ssrc: number): Buffer {
  return Buffer.concat([rtcpBye(ssrc), Buffer.of(0x80, 0, 0, 1), randomBytes(10)]);
}
