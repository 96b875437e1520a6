import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alawDecodeTable, alawEncodeTable, ulawDecodeTable, ulawEncodeTable } from '../../../src/media/g711.js';
import { opusDurationMs, createOpusCodec } from '../../../src/media/opus-codec.js';
import { buildRtcp, parseRtcp } from '../../../src/media/rtcp-packet.js';
import {
  emptyRtpFields,
  isRtcp,
  parseRtp,
  sequenceDelta,
  timestampDelta,
  writeRtpHeader,
} from '../../../src/media/rtp-packet.js';

const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });

describe('RTP packets', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(
        uint(7),
        fc.boolean(),
        uint(16),
        uint(32),
        uint(32),
        fc.uint8Array({ maxLength: 300 }),
        (payloadType, marker, sequence, timestamp, ssrc, payload) => {
          const packet = new Uint8Array(12 + payload.length);
          writeRtpHeader(packet, payloadType, marker, sequence, timestamp, ssrc);
          packet.set(payload, 12);
          const fields = emptyRtpFields();
          expect(parseRtp(packet, fields)).toBe(true);
          expect(fields).toEqual({
            payloadType,
            marker,
            sequence,
            timestamp,
            ssrc,
            payloadStart: 12,
            payloadEnd: packet.length,
          });
        },
      ),
    );
  });

  it('are refused or lie within the datagram, whatever comes', () => {
    const datagram = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .tuple(fc.integer({ min: 0x80, max: 0xbf }), fc.uint8Array({ minLength: 11, maxLength: 100 }))
        .map(([first, rest]) => Uint8Array.of(first, ...rest)),
    );
    fc.assert(
      fc.property(datagram, (bytes) => {
        const fields = emptyRtpFields();
        isRtcp(bytes);
        if (!parseRtp(bytes, fields)) return;
        expect(fields.payloadStart).toBeGreaterThanOrEqual(12);
        expect(fields.payloadEnd).toBeGreaterThanOrEqual(fields.payloadStart);
        expect(fields.payloadEnd).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('have distances that add up across the wrap', () => {
    fc.assert(
      fc.property(
        uint(16),
        fc.integer({ min: -32_768, max: 32_767 }),
        uint(32),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        (sequence, steps, timestamp, ticks) => {
          expect(sequenceDelta(sequence, (sequence + steps) & 0xffff)).toBe(steps);
          expect(timestampDelta(timestamp, (timestamp + ticks) >>> 0)).toBe(ticks);
        },
      ),
    );
  });
});

describe('RTCP packets', () => {
  const block = fc.record({
    ssrc: uint(32),
    fractionLost: uint(8),
    cumulativeLost: fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
    highestSequence: uint(32),
    jitter: uint(32),
    lastSenderReport: uint(32),
    delaySinceLastReport: uint(32),
  });
  const sender = fc.record({
    ntpSeconds: uint(32),
    ntpFraction: uint(32),
    rtpTimestamp: uint(32),
    packets: uint(32),
    octets: uint(32),
  });
  const report = fc.record({
    ssrc: uint(32),
    cname: fc.string({ maxLength: 300 }),
    sender: fc.option(sender, { nil: undefined }),
    block: fc.option(block, { nil: undefined }),
    bye: fc.boolean(),
  });

  it('come back as they were written', () => {
    fc.assert(
      fc.property(report, (written) => {
        const packet = buildRtcp(written);
        expect(packet.length % 4).toBe(0);
        const content = parseRtcp(packet)!;
        expect(content.blocks).toEqual(written.block ? [written.block] : []);
        expect(content.byes).toEqual(written.bye ? [written.ssrc] : []);
        expect(content.sender?.ssrc).toBe(written.sender && written.ssrc);
      }),
    );
  });

  it('never make the reader throw, cut off or damaged as they may be', () => {
    fc.assert(
      fc.property(report, fc.nat(200), fc.nat(200), uint(8), (written, cut, place, value) => {
        const packet = Uint8Array.from(buildRtcp(written).subarray(0, cut));
        if (place < packet.length) packet[place] = value;
        const content = parseRtcp(packet);
        if (content) expect(content.blocks.length).toBeLessThanOrEqual(packet.length / 24);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('codecs', () => {
  it('G.711 keeps samples within half a step and never turns their order round', () => {
    const sample = fc.integer({ min: -32_768, max: 32_767 });
    for (const [encode, decode] of [
      [alawEncodeTable, alawDecodeTable],
      [ulawEncodeTable, ulawDecodeTable],
    ] as const) {
      const through = (value: number): number => decode[encode[value & 0xffff]!]!;
      fc.assert(
        fc.property(sample, sample, (a, b) => {
          if (a < b) expect(through(a)).toBeLessThanOrEqual(through(b));
          expect(through(through(a))).toBe(through(a));
          expect(Math.abs(through(a) - a)).toBeLessThanOrEqual(
            Math.max(16, Math.abs(a) / 32 + 648 * Number(Math.abs(a) > 32_124) + 12),
          );
        }),
      );
    }
  });

  it('Opus decodes whatever comes to at most 120 ms, and goes on working', () => {
    const codec = createOpusCodec('wasm');
    const [encoder, decoder] = [codec.createEncoder(8000, 160), codec.createDecoder(8000)];
    const good = Uint8Array.from(encoder.encode(new Int16Array(160).fill(100)));
    const pcm = new Int16Array(5760);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (payload, fec) => {
        if (fec) decoder.conceal(160, payload, pcm);
        else {
          const samples = decoder.decode(payload, pcm);
          expect(samples).toBeLessThanOrEqual(960);
          expect(opusDurationMs(payload)).toBeLessThanOrEqual(120);
        }
        expect(decoder.decode(good, pcm)).toBe(160);
      }),
      { numRuns: 500 },
    );
    encoder.close();
    decoder.close();
  });
});
