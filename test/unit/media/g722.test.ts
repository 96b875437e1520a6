import { describe, expect, it } from 'vitest';
import { g722Codec } from '../../../src/media/g722-codec.js';
import { G722Decoder, G722Encoder } from '../../../src/media/g722.js';
import { bytesFixture, samplesFixture } from '../../support/codec-vectors.js';

const programme = samplesFixture('programme-16k.s16');
const coded = bytesFixture('programme.g722');

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

  it('makes no more of a payload than there is room for, and takes any octets', () => {
    const pcm = new Int16Array(11);
    expect(new G722Decoder().decode(new Uint8Array(100).fill(0), pcm)).toBe(10);
    const all = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255);
    expect(new G722Decoder().decode(all, new Int16Array(8192))).toBe(8192);
  });
});
