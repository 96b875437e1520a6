import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { g722Codec } from '../../../src/media/g722/g722-codec.js';
import { G722Decoder, G722Encoder } from '../../../src/media/g722/g722.js';
import { bytesFixture, samplesFixture } from '../../support/codec-vectors.js';

const programme = samplesFixture('programme-16k.s16');
const coded = bytesFixture('programme.g722');

/** Of octets, or of samples as they lie in memory: little-endian. */
const digest = ({ buffer, byteOffset, byteLength }: Uint8Array | Int16Array): string =>
  createHash('sha256')
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest('hex')
    .slice(0, 16);

describe('G.722', () => {
  it('codes speech, a sweep, noise and near silence bit by bit as the reference does', () => {
    const octets = new Uint8Array(coded.length);
    expect(new G722Encoder().encode(programme, octets)).toBe(coded.length);
    expect(Buffer.from(octets).equals(coded)).toBe(true);
  });

  it('decodes them bit by bit as the reference does', () => {
    const pcm = new Int16Array(2 * coded.length);
    expect(new G722Decoder().decode(coded, pcm)).toBe(pcm.length);
    expect(pcm).toEqual(samplesFixture('programme-from-g722.s16'));
  });

  it.each([10, 20, 30, 40, 60])('does so in frames of %i ms, too: 8 octets a millisecond', (frameMs) => {
    const [encoder, decoder] = [g722Codec.createEncoder(16_000, frameMs * 16), g722Codec.createDecoder(16_000)];
    const expected = samplesFixture('programme-from-g722.s16');
    const pcm = new Int16Array(frameMs * 16);
    for (let at = 0; at + frameMs * 16 <= programme.length; at += frameMs * 16) {
      const octets = encoder.encode(programme.subarray(at, at + frameMs * 16));
      expect(Buffer.from(octets).equals(coded.subarray(at / 2, at / 2 + frameMs * 8))).toBe(true);
      expect(decoder.decode(octets, pcm)).toBe(frameMs * 16);
      expect(pcm).toEqual(expected.subarray(at, at + frameMs * 16));
    }
  });

  it('limits what is louder than full scale, where a wrap would crack', () => {
    const square = Int16Array.from({ length: 3200 }, (_, i) => (Math.floor(i / 37) % 2 ? 32_767 : -32_768));
    const octets = new Uint8Array(1600);
    new G722Encoder().encode(square, octets);
    const pcm = new Int16Array(3200);
    new G722Decoder().decode(octets, pcm);
    // Behind the filters' delay of 22 samples the middle of each half wave has the sign that it was given.
    const middles = Array.from({ length: 70 }, (_, k) => Math.sign(pcm[k * 37 + 18 + 22]!));
    expect(middles.slice(5)).toEqual(middles.slice(5).map((_, k) => (k % 2 ? -1 : 1) * middles[5]!));
  });

  it('keeps coders apart, however their frames take turns', () => {
    const frame = 320;
    const backwards = programme.slice().reverse();
    const [one, other] = [new G722Encoder(), new G722Encoder()];
    const [forOne, forOther] = [new G722Decoder(), new G722Decoder()];
    const [octets, pcm] = [new Uint8Array(frame / 2), new Int16Array(frame)];
    const expected = samplesFixture('programme-from-g722.s16');
    for (let at = 0; at + frame <= programme.length; at += frame) {
      one.encode(programme.subarray(at, at + frame), octets);
      expect(Buffer.from(octets).equals(coded.subarray(at / 2, (at + frame) / 2))).toBe(true);
      other.encode(backwards.subarray(at, at + frame), octets);
      forOther.decode(octets, pcm);
      forOne.decode(coded.subarray(at / 2, (at + frame) / 2), pcm);
      expect(pcm).toEqual(expected.subarray(at, at + frame));
    }
  });

  it.each([
    [
      'noise',
      (random: number) => Math.floor(random * 0x1_0000) - 0x8000,
      'dc9b58f2739ff60a,8745093090298e60',
      '4ba4697a3ba5804d,d91670fd03b9e764',
    ],
    [
      'jumps from end to end',
      (random: number) => (random < 0.5 ? -0x8000 : 0x7fff),
      'bbca685f36e4c66b,43cbb1d9b5e9a70b',
      '294b234292d0bdc6,5d810d95e66c90d9',
    ],
    [
      'next to nothing',
      (random: number) => Math.floor(random * 8) - 4,
      '99cadbee33b61a50,9e436f608cfa276c',
      'bf6334b52645f747,23b27f5ad779c521',
    ],
  ])('does with %s what it did before it was compiled', (_what, sampleOf, wide, narrow) => {
    let seed = 12_345;
    const sound = Int16Array.from({ length: 32_000 }, () => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return sampleOf(seed / 2 ** 32);
    });
    const octets = new Uint8Array(sound.length);
    const pcm = new Int16Array(sound.length);
    new G722Encoder().encode(sound, octets);
    new G722Decoder().decode(octets.subarray(0, sound.length / 2), pcm);
    expect([digest(octets.subarray(0, sound.length / 2)), digest(pcm)].join()).toBe(wide);
    new G722Encoder().encodeNarrow(sound, octets);
    new G722Decoder().decodeNarrow(octets, pcm);
    expect([digest(octets), digest(pcm)].join()).toBe(narrow);
  });

  it('makes no more of a payload than there is room for, and takes any octets', () => {
    const pcm = new Int16Array(11);
    expect(new G722Decoder().decode(new Uint8Array(100).fill(0), pcm)).toBe(10);
    const all = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255);
    expect(new G722Decoder().decode(all, new Int16Array(8192))).toBe(8192);
  });
});
