import { createHmac } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { buildRtcp } from '../../../../src/media/rtcp-packet.js';
import { writeRtpHeader } from '../../../../src/media/rtp-packet.js';
import { SrtpReceiver } from '../../../../src/media/srtp/srtp-receiver.js';
import { sessionKeys, srtpTransform } from '../../../../src/media/srtp/srtp-transform.js';
import { srtpSuites } from '../../../../src/sdp/sdes.js';
import { KeepingSrtpSender, testKey, withMki } from '../../../support/srtp-keys.js';

function rtp(sequence: number, ssrc = 0x1234, text = `packet ${sequence}`): Buffer {
  const packet = Buffer.alloc(12 + text.length);
  writeRtpHeader(packet, 8, false, sequence, sequence * 160, ssrc);
  packet.write(text, 12);
  return packet;
}

const rtcp = (ssrc = 0x1234): Buffer =>
  buildRtcp({ ssrc, cname: 'somebody', sender: undefined, block: undefined, bye: false });

describe.each(srtpSuites)('a receiver of %s', (suite) => {
  const key = testKey(suite, 0x33);
  let refused: { unauthentic: number; replayed: number };
  let sender: KeepingSrtpSender;
  let receiver: SrtpReceiver;
  beforeEach(() => {
    refused = { unauthentic: 0, replayed: 0 };
    sender = new KeepingSrtpSender(key);
    receiver = new SrtpReceiver(key, refused);
  });
  const opens = (sealed: Buffer): boolean => receiver.openRtp(Buffer.from(sealed)) !== undefined;

  it('takes no packet twice, RTP or RTCP', () => {
    const [one, report] = [sender.sealRtp(rtp(1)), sender.sealRtcp(rtcp())];
    expect([opens(one), opens(one)]).toEqual([true, false]);
    expect(receiver.openRtcp(Buffer.from(report))).toEqual(rtcp());
    expect(receiver.openRtcp(Buffer.from(report))).toBeUndefined();
    expect(refused).toEqual({ unauthentic: 0, replayed: 2 });
  });

  it('follows eight streams, and forgets the one that was silent longest', () => {
    const [first, ...others] = Array.from({ length: 9 }, (_, i) => new KeepingSrtpSender(key).sealRtp(rtp(1, 100 + i)));
    expect([first, ...others].every((packet) => opens(packet as Buffer))).toBe(true);
    // What is forgotten cannot be told from new; what is known can.
    expect(others.map((packet) => opens(packet))).toEqual(others.map(() => false));
    expect(opens(first as Buffer)).toBe(true);
  });

  it('takes late packets within its window, and none older', () => {
    const sealed = Array.from({ length: 200 }, (_, i) => sender.sealRtp(rtp(i)));
    const at = (i: number): boolean => opens(sealed[i] as Buffer);
    expect([at(0), at(199), at(199 - 127), at(199 - 128), at(198)]).toEqual([true, true, true, false, true]);
  });

  it('refuses a packet with any one bit turned, and takes the true one afterwards', () => {
    const sealed = sender.sealRtp(rtp(7));
    expect(opens(sender.sealRtp(rtp(8)))).toBe(true);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const forged = Buffer.from(sealed);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(opens(forged), `bit ${bit}`).toBe(false);
    }
    expect(opens(sealed)).toBe(true);
  });

  it('refuses RTCP with any one bit turned', () => {
    const sealed = sender.sealRtcp(rtcp());
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const forged = Buffer.from(sealed);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(receiver.openRtcp(forged), `bit ${bit}`).toBeUndefined();
    }
    expect(receiver.openRtcp(Buffer.from(sealed))).toEqual(rtcp());
  });

  it('refuses plain packets, and what is too short to be anything', () => {
    expect(receiver.openRtp(rtp(1, 1, 'x'.repeat(160)))).toBeUndefined();
    expect(receiver.openRtcp(rtcp())).toBeUndefined();
    for (let bytes = 0; bytes < 40; bytes++) {
      expect(receiver.openRtp(Buffer.alloc(bytes, 0x80))).toBeUndefined();
      expect(receiver.openRtcp(Buffer.alloc(bytes, 0x80))).toBeUndefined();
    }
    expect(refused).toEqual({ unauthentic: 82, replayed: 0 });
  });

  it('counts each SSRC by itself, and goes on when one changes', () => {
    const other = new KeepingSrtpSender(key);
    for (let i = 0; i < 3; i++) {
      expect(opens(sender.sealRtp(rtp(65_534 + i)))).toBe(true);
      expect(opens(other.sealRtp(rtp(100 + i, 0x9999)))).toBe(true);
    }
    expect(refused).toEqual({ unauthentic: 0, replayed: 0 });
  });

  it('follows the stream that speaks, however many there were', () => {
    const streams = Array.from({ length: 50 }, (_, i) => ({ ssrc: i, sender: new KeepingSrtpSender(key) }));
    for (const each of streams) expect(opens(each.sender.sealRtp(rtp(5, each.ssrc)))).toBe(true);
    expect(opens(streams[49]?.sender.sealRtp(rtp(6, 49)) as Buffer)).toBe(true);
  });

  it('takes packets with the MKI of its key, and no others', () => {
    const mki = Buffer.from('00000001', 'hex');
    const marked = new SrtpReceiver(withMki(key, mki), refused);
    const { tagBytes } = srtpTransform(key);
    const mark = (sealed: Buffer, tag: number, as: Buffer): Buffer =>
      Buffer.concat([sealed.subarray(0, sealed.length - tag), as, sealed.subarray(sealed.length - tag)]);
    const [sealed, report] = [sender.sealRtp(rtp(1)), sender.sealRtcp(rtcp())];
    expect(marked.openRtp(mark(sealed, tagBytes.rtp, Buffer.from('00000002', 'hex')))).toBeUndefined();
    expect(marked.openRtp(Buffer.from(sealed))).toBeUndefined();
    expect(marked.openRtp(mark(sealed, tagBytes.rtp, mki))).toEqual(rtp(1));
    expect(marked.openRtcp(mark(report, tagBytes.rtcp, mki))).toEqual(rtcp());
  });

  it('understands nothing of another key', () => {
    const other = new KeepingSrtpSender(testKey(suite, 0x34));
    expect(opens(other.sealRtp(rtp(1)))).toBe(false);
    expect(receiver.openRtcp(other.sealRtcp(rtcp()))).toBeUndefined();
    expect(refused).toEqual({ unauthentic: 2, replayed: 0 });
  });
});

it('refuses RTCP that is authenticated and not encrypted, as UNENCRYPTED_SRTCP would have it', () => {
  const key = testKey('AES_CM_128_HMAC_SHA1_80', 0x33);
  const receiver = new SrtpReceiver(key, { unauthentic: 0, replayed: 0 });
  const withIndex = (index: number): Buffer => {
    const trailer = Buffer.alloc(4);
    trailer.writeUInt32BE(index);
    const authenticated = Buffer.concat([rtcp(), trailer]);
    const tag = createHmac('sha1', sessionKeys(key, 'rtcp').authKey).update(authenticated).digest();
    return Buffer.concat([authenticated, tag.subarray(0, 10)]);
  };
  expect(receiver.openRtcp(withIndex(5))).toBeUndefined();
  // The same with the flag is authentic, though decryption makes nonsense of what was never encrypted.
  expect(receiver.openRtcp(withIndex(0x8000_0005))).toHaveLength(rtcp().length);
});

describe('a sender', () => {
  it('never uses a packet index twice, not even for the same packet', () => {
    const sender = new KeepingSrtpSender(testKey('AES_CM_128_HMAC_SHA1_80', 1));
    const texts = [5, 5, 4, 5].map((sequence) =>
      sender
        .sealRtp(rtp(sequence, 1, 'same'))
        .subarray(12)
        .toString('hex'),
    );
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('leaves the plain packet as it is', () => {
    for (const suite of srtpSuites) {
      const sender = new KeepingSrtpSender(testKey(suite, 1));
      const [packet, report] = [rtp(1), rtcp()];
      sender.sealRtp(packet);
      sender.sealRtcp(report);
      expect(packet).toEqual(rtp(1));
      expect(report).toEqual(rtcp());
    }
  });
});
