import { describe, expect, it } from 'vitest';
import { CodecRegistry, standardCodecs } from '../../../src/media/codec-registry.js';
import { pcmaCodec } from '../../../src/media/g711-codec.js';
import { emptyRtpFields, parseRtp, type RtpFields } from '../../../src/media/rtp-packet.js';
import { RtpSender } from '../../../src/media/rtp-sender.js';

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

  it('builds all packets in one memory, with a view for each length', () => {
    const { sender, buffers } = scene();
    for (let i = 0; i < 200; i++) sender.sendAudio(8, frame, 160);
    expect(new Set(buffers).size).toBe(1);
    sender.sendAudio(8, new Uint8Array(80), 160);
    expect(buffers.at(-1)?.buffer).toBe(buffers[0]?.buffer);
  });
});

describe('codec registry', () => {
  it('knows which codecs are built in, in the order asked', () => {
    const codecs = standardCodecs();
    expect(codecs.supported(['G722', 'PCMU', 'opus', 'PCMA'])).toEqual(['G722', 'PCMU', 'opus', 'PCMA']);
    expect(new CodecRegistry([pcmaCodec]).supported(['G722', 'PCMA'])).toEqual(['PCMA']);
    expect(() => new CodecRegistry([pcmaCodec]).get('G722')).toThrow(expect.objectContaining({ endCode: 'no_codec' }));
  });

  it('joins codecs at the highest rate both work at', () => {
    const codecs = standardCodecs();
    expect(codecs.commonSampleRate('PCMA', 'opus')).toBe(8000);
    // A wideband codec meets Opus at its own rate, a narrowband one in its lower band.
    expect(codecs.commonSampleRate('opus', 'G722')).toBe(16_000);
    expect(codecs.commonSampleRate('PCMA', 'G722')).toBe(8000);
    const wideAlone = new CodecRegistry([pcmaCodec, { ...pcmaCodec, name: 'G722', sampleRates: [16_000] }]);
    expect(() => wideAlone.commonSampleRate('PCMA', 'G722')).toThrow(expect.objectContaining({ endCode: 'no_codec' }));
  });
});
