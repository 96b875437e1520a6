import { describe, expect, it } from 'vitest';
import {
  alawDecodeTable,
  alawEncodeTable,
  alawToUlawTable,
  decodeG711,
  encodeG711,
  recodeG711,
  ulawDecodeTable,
  ulawEncodeTable,
  ulawToAlawTable,
} from '../../../src/media/g711.js';

const octets = Array.from({ length: 256 }, (_, octet) => octet);
const samples = Array.from({ length: 65_536 }, (_, index) => index - 32_768);
const positive = samples.filter((sample) => sample >= 0);
const alaw = (sample: number): number => alawEncodeTable[sample & 0xffff]!;
const ulaw = (sample: number): number => ulawEncodeTable[sample & 0xffff]!;

/**
 * Positive decision values of ITU-T G.711, column 5 of tables 1a and 2a, built from the segments the tables list: in A-law's
 * 13-bit scale steps of 2, 2, 4, 8 … 128 with 16 steps a segment; in µ-law's 14-bit scale 1, then steps of 2, 4 … 256 with 15,
 * then 16 steps each.
 */
function decisionValues(law: 'alaw' | 'ulaw'): number[] {
  const values = [0];
  const steps =
    law === 'alaw'
      ? [2, 2, 4, 8, 16, 32, 64, 128].map((step) => ({ step, count: 16 }))
      : [
          { step: 1, count: 1 },
          ...[2, 4, 8, 16, 32, 64, 128, 256].map((step, i) => ({ step, count: i === 0 ? 15 : 16 })),
        ];
  for (const { step, count } of steps) for (let i = 0; i < count; i++) values.push(values.at(-1)! + step);
  return values;
}

describe('G.711', () => {
  it('codes the ends of the scale and silence as the tables of ITU-T G.711 do', () => {
    expect([0, -1, 32_767, -32_768].map(alaw)).toEqual([0xd5, 0x55, 0xaa, 0x2a]);
    expect([0, -1, 32_767, -32_768].map(ulaw)).toEqual([0xff, 0x7f, 0x80, 0x00]);
  });

  it('decodes the ends of the scale as the tables of ITU-T G.711 do', () => {
    expect([0xd5, 0x55, 0xaa, 0x2a].map((octet) => alawDecodeTable[octet])).toEqual([8, -8, 32_256, -32_256]);
    expect([0xff, 0x80, 0x00].map((octet) => ulawDecodeTable[octet])).toEqual([0, 32_124, -32_124]);
  });

  it('changes its A-law octet exactly at the decision values', () => {
    const values = decisionValues('alaw');
    expect(values).toHaveLength(129);
    // 13 bits with a scale of 4096: one unit is 8 of 16-bit samples.
    const interval = (sample: number): number =>
      Math.min(
        127,
        values.findLastIndex((value) => value * 8 <= sample),
      );
    expect(positive.filter((sample) => ((alaw(sample) ^ 0x55) & 0x7f) !== interval(sample))).toEqual([]);
  });

  it('changes its µ-law octet exactly at the decision values', () => {
    const values = decisionValues('ulaw');
    expect(values).toHaveLength(129);
    // 14 bits with a scale of 8159: one unit is 4 of 16-bit samples; what the scale does not hold is clipped.
    const interval = (sample: number): number =>
      Math.min(
        127,
        values.findLastIndex((value) => value <= sample >> 2),
      );
    expect(positive.filter((sample) => (~ulaw(sample) & 0x7f) !== interval(sample))).toEqual([]);
  });

  it('gives each octet back after decoding and coding, the negative zero of µ-law apart', () => {
    expect(octets.filter((octet) => alaw(alawDecodeTable[octet]!) !== octet)).toEqual([]);
    expect(octets.filter((octet) => ulaw(ulawDecodeTable[octet]!) !== octet)).toEqual([0x7f]);
  });

  it('is monotonic over all samples', () => {
    for (const [code, levels] of [
      [alaw, alawDecodeTable],
      [ulaw, ulawDecodeTable],
    ] as const) {
      let last = -40_000;
      const falls = samples.filter((sample) => {
        const level = levels[code(sample)]!;
        const fell = level < last;
        last = level;
        return fell;
      });
      expect(falls).toEqual([]);
    }
  });

  it('errs by half a step at most, and clips only at the ends', () => {
    const alawError = (sample: number): number => Math.abs(alawDecodeTable[alaw(sample)]! - sample);
    expect(samples.filter((sample) => alawError(sample) > Math.max(16, Math.abs(sample) / 32 + 8))).toEqual([]);
    const clipped = (sample: number): number => Math.min(32_124, Math.abs(sample));
    const ulawError = (sample: number): number => Math.abs(Math.abs(ulawDecodeTable[ulaw(sample)]!) - clipped(sample));
    expect(samples.filter((sample) => ulawError(sample) > Math.max(8, (clipped(sample) + 132) / 32 + 4))).toEqual([]);
  });

  it('recodes between the laws as by way of samples', () => {
    for (const octet of octets) {
      expect(alawToUlawTable[octet]).toBe(ulaw(alawDecodeTable[octet]!));
      expect(ulawToAlawTable[octet]).toBe(alaw(ulawDecodeTable[octet]!));
    }
    const packet = Uint8Array.of(0xd5, 0xaa, 0x2a);
    recodeG711(alawToUlawTable, packet);
    expect([...packet]).toEqual([ulaw(8), ulaw(32_256), ulaw(-32_256)]);
  });

  it('codes and decodes buffers, never beyond the shorter one', () => {
    const coded = new Uint8Array(4);
    encodeG711(alawEncodeTable, Int16Array.of(0, 1000, -1000, 32_767, 5), 4, coded);
    expect([...coded]).toEqual([0, 1000, -1000, 32_767].map(alaw));
    const pcm = new Int16Array(2);
    expect(decodeG711(alawDecodeTable, coded, pcm)).toBe(2);
    expect([...pcm]).toEqual([8, 1008]);
  });
});
