import { describe, expect, it } from 'vitest';
import type { SrtpSuite } from '../../../../src/routing/types.js';
import { AesCmHmac } from '../../../../src/media/srtp/aes-cm-hmac.js';
import { AesGcm } from '../../../../src/media/srtp/aes-gcm.js';
import { SrtpReceiver } from '../../../../src/media/srtp/srtp-receiver.js';
import { SrtpSender } from '../../../../src/media/srtp/srtp-sender.js';
import { sessionKeys } from '../../../../src/media/srtp/srtp-transform.js';
import { SrtpKey } from '../../../../src/sdp/sdes.js';
import { jsonFixture } from '../../../support/fixtures.js';

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');
const unused = { key: Buffer.alloc(16), salt: Buffer.alloc(14), authKey: Buffer.alloc(20) };

interface Vectors {
  readonly suites: readonly {
    readonly suite: SrtpSuite;
    readonly master: string;
    readonly rtp: readonly { readonly plain: string; readonly sealed: string }[];
    readonly rtcp: readonly { readonly plain: string; readonly sealed: string }[];
  }[];
}

const keyOf = (suite: SrtpSuite, master: string): SrtpKey => {
  const key = SrtpKey.of(suite, bytes(master));
  if (!key) throw new Error('a key of the wrong length');
  return key;
};

describe('RFC 3711 appendix B', () => {
  it('B.2: the key stream of AES in counter mode', () => {
    const [key, salt] = [bytes('2B7E151628AED2A6ABF7158809CF4F3C'), bytes('F0F1F2F3F4F5F6F7F8F9FAFBFCFD')];
    const cipher = new AesCmHmac({ key, salt, authKey: Buffer.alloc(20) }, unused, 10);
    const zeros = Buffer.alloc(12 + 48);
    const stream = cipher.sealRtp(zeros, 12, 0, 0).subarray(12, 60);
    const expected =
      'E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0';
    expect(stream.toString('hex')).toBe(bytes(expected).toString('hex'));
  });

  it('B.3: session keys', () => {
    const master = 'E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6';
    const keys = sessionKeys(keyOf('AES_CM_128_HMAC_SHA1_80', master), 'rtp');
    expect(keys.key).toEqual(bytes('C61E7A93744F39EE10734AFE3FF7A087'));
    expect(keys.salt).toEqual(bytes('30CBBC08863D8C85D49DB34A9AE1'));
    expect(keys.authKey).toEqual(bytes('CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4'));
  });
});

describe('RFC 7714 section 16 and 17', () => {
  const [key, salt] = [bytes('000102030405060708090a0b0c0d0e0f'), bytes('517569642070726f2071756f')];
  const session = { key, salt, authKey: Buffer.alloc(0) };
  const cipher = new AesGcm(session, session);

  it('16.1: RTP', () => {
    const plain = bytes(
      `8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472
       6573`,
    );
    const sealed = bytes(
      `8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf
       8833 899d7f27 beb16a91 52cf765e e4390cce`,
    );
    expect(cipher.sealRtp(plain, 12, 0x5501a0b2, 0xf17b)).toEqual(sealed);
    expect(cipher.openRtp(Buffer.from(sealed), 12, 0x5501a0b2, 0xf17b)).toEqual(plain);
  });

  it('17.1: RTCP', () => {
    const plain = bytes(
      `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef
       deadbeef`,
    );
    const sealed = bytes(
      `81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded
       0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`,
    );
    expect(cipher.sealRtcp(plain, 0x4d617273, 0x5d4)).toEqual(sealed);
    expect(cipher.openRtcp(Buffer.from(sealed), 0x4d617273, 0x5d4)).toEqual(plain);
  });
});

describe.each((jsonFixture('srtp/libsrtp.json') as Vectors).suites)(
  'libsrtp, $suite',
  ({ suite, master, rtp, rtcp }) => {
    it('makes the same packets, over a wrap of the sequence numbers', () => {
      const sender = new SrtpSender(keyOf(suite, master));
      for (const { plain, sealed } of rtp) expect(sender.sealRtp(bytes(plain)).toString('hex')).toBe(sealed);
    });

    it('is understood', () => {
      const refused = { unauthentic: 0, replayed: 0 };
      const receiver = new SrtpReceiver(keyOf(suite, master), refused);
      for (const { plain, sealed } of rtp) expect(receiver.openRtp(bytes(sealed))?.toString('hex')).toBe(plain);
      for (const { plain, sealed } of rtcp) expect(receiver.openRtcp(bytes(sealed))?.toString('hex')).toBe(plain);
      expect(refused).toEqual({ unauthentic: 0, replayed: 0 });
    });

    it('is understood from the middle of a stream that has wrapped', () => {
      const receiver = new SrtpReceiver(keyOf(suite, master), { unauthentic: 0, replayed: 0 });
      const late = rtp.slice(2);
      for (const { plain, sealed } of late) expect(receiver.openRtp(bytes(sealed))?.toString('hex')).toBe(plain);
    });

    it('makes RTCP that it understands, with indices that libsrtp counts as well', () => {
      const sender = new SrtpSender(keyOf(suite, master));
      // libsrtp begins at 1, this bridge at 0: the second packet here has the index of the first there.
      sender.sealRtcp(bytes(rtcp[0]?.plain ?? ''));
      expect(sender.sealRtcp(bytes(rtcp[0]?.plain ?? '')).toString('hex')).toBe(rtcp[0]?.sealed);
    });
  },
);
