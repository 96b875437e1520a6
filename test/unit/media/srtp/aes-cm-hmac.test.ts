import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AesCmHmac } from '../../../../src/media/srtp/aes-cm-hmac.js';
import type { SessionKeys } from '../../../../src/media/srtp/packet-transform.js';

/** Bytes that look random and are the same in every run. */
function bytesOf(seed: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) =>
    createHash('sha256').update(`${seed} ${i}`).digest(),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

const keysOf = (seed: string): SessionKeys => ({
  key: bytesOf(`${seed} key`, 16),
  salt: bytesOf(`${seed} salt`, 14),
  authKey: bytesOf(`${seed} mac`, 20),
});

/** RFC 3711 §4.1.1 by OpenSSL: the module's cipher is held to another's. */
function encrypted({ key, salt }: SessionKeys, plain: Buffer, ssrc: number, index: number): Buffer {
  const iv = Buffer.concat([salt, Buffer.alloc(2)]);
  iv.writeUInt32BE((iv.readUInt32BE(4) ^ ssrc) >>> 0, 4);
  const packetIndex = Buffer.alloc(6);
  packetIndex.writeUIntBE(index, 0, 6);
  for (let i = 0; i < 6; i++) iv.writeUInt8(iv.readUInt8(8 + i) ^ packetIndex.readUInt8(i), 8 + i);
  return createCipheriv('aes-128-ctr', key, iv).update(plain);
}

const headerBytes = 12;
const [rtp, rtcp] = [keysOf('rtp'), keysOf('rtcp')];
const indexes = [0, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff_ffff];

describe('AES-CM with HMAC-SHA1 beside OpenSSL', () => {
  it.each([4, 10] as const)(
    'seals RTP of any length with a tag of %d bytes as OpenSSL does, and opens it',
    (tagBytes) => {
      const transform = new AesCmHmac(rtp, rtcp, tagBytes);
      for (let length = 0; length <= 1500; length += length < 300 ? 1 : 61) {
        const index = indexes[length % indexes.length] ?? 0;
        const ssrc = bytesOf(`ssrc ${length}`, 4).readUInt32BE();
        const packet = bytesOf(`packet ${length}`, headerBytes + length);
        const body = encrypted(rtp, packet.subarray(headerBytes), ssrc, index);
        const rollovers = Buffer.alloc(4);
        rollovers.writeUInt32BE(Math.floor(index / 0x1_0000));
        const sealed = Buffer.concat([packet.subarray(0, headerBytes), body]);
        const tag = createHmac('sha1', rtp.authKey).update(sealed).update(rollovers).digest().subarray(0, tagBytes);
        expect(Buffer.from(transform.sealRtp(packet, headerBytes, ssrc, index))).toEqual(Buffer.concat([sealed, tag]));
        const opened = transform.openRtp(Buffer.concat([sealed, tag]), headerBytes, ssrc, index);
        expect(opened).toEqual(packet);
      }
    },
  );

  it('seals RTCP as OpenSSL does, and opens it', () => {
    const transform = new AesCmHmac(rtp, rtcp, 4);
    for (const index of [0, 1, 0x1_0000, 0x7fff_ffff]) {
      const report = bytesOf(`report ${index}`, 8 + 52);
      const body = Buffer.concat([report.subarray(0, 8), encrypted(rtcp, report.subarray(8), 0xfeed_f00d, index)]);
      const trailer = Buffer.alloc(4);
      trailer.writeUInt32BE(0x8000_0000 + index);
      const authenticated = Buffer.concat([body, trailer]);
      const tag = createHmac('sha1', rtcp.authKey).update(authenticated).digest().subarray(0, 10);
      const sealed = Buffer.concat([authenticated, tag]);
      expect(Buffer.from(transform.sealRtcp(report, 0xfeed_f00d, index))).toEqual(sealed);
      expect(transform.openRtcp(sealed, 0xfeed_f00d, index)).toEqual(report);
    }
  });

  it('opens nothing in which one bit is another, and leaves it as it was', () => {
    const transform = new AesCmHmac(rtp, rtcp, 10);
    const sealed = Buffer.from(transform.sealRtp(bytesOf('packet', 100), headerBytes, 7, 70_000));
    for (let bit = 0; bit < 8 * sealed.length; bit++) {
      const damaged = Buffer.from(sealed);
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const before = Buffer.from(damaged);
      expect(transform.openRtp(damaged, headerBytes, 7, 70_000)).toBeUndefined();
      expect(damaged).toEqual(before);
    }
    expect(transform.openRtp(Buffer.from(sealed), headerBytes, 7, 70_000 + 0x1_0000)).toBeUndefined();
    expect(transform.openRtp(sealed, headerBytes, 7, 70_000)).toEqual(bytesOf('packet', 100));
  });

  it('keeps sessions apart that take turns', () => {
    const [a, b] = [new AesCmHmac(rtp, rtcp, 10), new AesCmHmac(keysOf('other'), rtcp, 10)];
    const packet = bytesOf('packet', 92);
    const [byA, byB] = [a, b].map((transform) => Buffer.from(transform.sealRtp(packet, headerBytes, 1, 2)));
    expect(byA).not.toEqual(byB);
    expect(b.openRtp(Buffer.from(byA ?? ''), headerBytes, 1, 2)).toBeUndefined();
    expect(a.openRtp(Buffer.from(byA ?? ''), headerBytes, 1, 2)).toEqual(packet);
    expect(b.openRtp(Buffer.from(byB ?? ''), headerBytes, 1, 2)).toEqual(packet);
  });

  it('takes the longest datagram there is', () => {
    const transform = new AesCmHmac(rtp, rtcp, 10);
    const packet = bytesOf('long', 65_507);
    const sealed = Buffer.from(transform.sealRtp(packet, headerBytes, 1, 1));
    expect(sealed.subarray(headerBytes, packet.length)).toEqual(encrypted(rtp, packet.subarray(headerBytes), 1, 1));
    expect(transform.openRtp(sealed, headerBytes, 1, 1)).toEqual(packet);
  });
});
