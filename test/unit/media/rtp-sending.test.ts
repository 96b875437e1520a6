import { describe, expect, it } from 'vitest';
import { CodecRegistry, standardCodecs } from '../../../src/media/codec-registry.js';
import { pcmaCodec } from '../../../src/media/g711-codec.js';
import { createOpusCodec } from '../../../src/media/opus-codec.js';
import { RepeatConcealment } from '../../../src/media/repeat-concealment.js';
import { emptyRtpFields, parseRtp, type RtpFields } from '../../../src/media/rtp-packet.js';
import { RtpSender } from '../../../src/media/rtp-sender.js';
import { levelDbfs } from '../../../src/sandbox/audio/measure.js';
import { ToneSource } from '../../support/tones.js';

describe('RTP sender', () => {
  const scene = () => {
    const sent: RtpFields[] = [];
    const buffers: Buffer[] = [];
    const sender = new RtpSender(0xabcd, 0xfffe, 0xffff_ff00, (packet) => {
      const fields = emptyRtpFields();
      parseRtp(packet, fields);
      sent.push(fields);
      buffers.push(packet);
    });
    return { sender, sent, buffers };
  };
  const frame = new Uint8Array(160);

  it('numbers without a gap across the wrap, marks the first packet, counts octets', () => {
    const { sender, sent } = scene();
    for (let i = 0; i < 4; i++) sender.sendAudio(8, frame, 160);
    expect(sent.map(({ sequence }) => sequence)).toEqual([0xfffe, 0xffff, 0, 1]);
    expect(sent.map(({ timestamp }) => timestamp)).toEqual([0xffff_ff00, 0xffff_ffa0, 0x40, 0xe0]);
    expect(sent.map(({ marker }) => marker)).toEqual([true, false, false, false]);
    expect([sender.packets, sender.octets, sender.timestamp]).toEqual([4, 640, 0x180]);
  });

  it('lets time and numbers pass', () => {
    const { sender, sent } = scene();
    sender.sendAudio(8, frame, 160);
    sender.advance(320);
    sender.skip(2);
    sender.expectMarker();
    sender.sendAudio(8, frame, 160);
    expect(sent[1]).toMatchObject({ sequence: 1, timestamp: 0xe0, marker: true });
  });

  it('sends an event with its own timestamp in the same numbering', () => {
    const { sender, sent } = scene();
    sender.sendAudio(8, frame, 160);
    sender.send(101, true, 77, new Uint8Array(4));
    sender.sendAudio(8, frame, 160);
    expect(sent.map(({ payloadType, sequence, timestamp }) => [payloadType, sequence, timestamp])).toEqual([
      [8, 0xfffe, 0xffff_ff00],
      [101, 0xffff, 77],
      [8, 0, 0xffff_ffa0],
    ]);
  });

  it('uses sixteen buffers in turn, and no more', () => {
    const { sender, buffers } = scene();
    for (let i = 0; i < 200; i++) sender.sendAudio(8, frame, 160);
    expect(new Set(buffers).size).toBe(16);
    expect(buffers[17]).toBe(buffers[1]);
  });
});

describe('concealment by repetition', () => {
  const level = (pcm: Int16Array): number =>
    levelDbfs({ rateHz: 8000, samples: Float32Array.from(pcm, (value) => value / 32_768) });

  it('goes on with the last sound, softer and softer, to silence', () => {
    const concealment = new RepeatConcealment();
    const tone = new ToneSource(400).next(160);
    concealment.remember(tone, 160);
    const levels = Array.from({ length: 5 }, () => {
      const pcm = new Int16Array(160);
      concealment.conceal(160, pcm);
      return level(pcm);
    });
    expect(levels[0]).toBeGreaterThan(level(tone) - 10);
    levels.forEach((value, i) => expect(value).toBeLessThanOrEqual(levels[i - 1] ?? 0));
    expect(levels[4]).toBeLessThan(-60);
  });

  it('begins without a jump and is silent before any sound', () => {
    const concealment = new RepeatConcealment();
    const pcm = new Int16Array(160).fill(99);
    concealment.conceal(160, pcm);
    expect(pcm.every((value) => value === 0)).toBe(true);
    concealment.remember(
      Int16Array.from({ length: 80 }, (_, i) => i * 10),
      80,
    );
    concealment.conceal(160, pcm);
    expect(Math.abs(pcm[0]! - 790)).toBeLessThan(20);
  });
});

describe('codec registry', () => {
  it('knows which codecs are built in, in the order asked', () => {
    const codecs = standardCodecs();
    expect(codecs.supported(['G722', 'PCMU', 'opus', 'PCMA'])).toEqual(['PCMU', 'opus', 'PCMA']);
    expect(() => codecs.get('G722')).toThrow(expect.objectContaining({ endCode: 'no_codec' }));
  });

  it('joins codecs at the highest rate both work at', () => {
    const codecs = standardCodecs();
    expect(codecs.commonSampleRate('PCMA', 'opus')).toBe(8000);
    // A wideband codec meets Opus at its own rate, a narrowband one nowhere.
    const wideband = { ...pcmaCodec, name: 'G722' as const, sampleRates: [16_000] };
    const more = new CodecRegistry([pcmaCodec, createOpusCodec('wasm'), wideband]);
    expect(more.commonSampleRate('opus', 'G722')).toBe(16_000);
    expect(() => more.commonSampleRate('PCMA', 'G722')).toThrow(expect.objectContaining({ endCode: 'no_codec' }));
  });
});
