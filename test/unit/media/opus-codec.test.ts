import { describe, expect, it } from 'vitest';
import { createOpusCodec, opusDurationMs } from '../../../src/media/opus-codec.js';
import { OpusWasm } from '../../../src/media/opus-wasm.js';
import { levelDbfs, strongestHz } from '../../../src/sandbox/audio/measure.js';
import { speech } from '../../../src/sandbox/audio/programme.js';
import { ToneSource } from '../../support/tones.js';

const asPcm = (samples: number[], rateHz = 8000) => ({
  rateHz,
  samples: Float32Array.from(samples, (value) => value / 32_768),
});

function toneThrough(backend: 'native' | 'wasm', lost: (i: number) => boolean, useNext = true): number[] {
  const codec = createOpusCodec(backend);
  const [encoder, decoder] = [codec.createEncoder(8000, 160), codec.createDecoder(8000)];
  const tone = new ToneSource(1000);
  const packets = Array.from({ length: 60 }, () => Uint8Array.from(encoder.encode(tone.next(160))));
  const pcm = new Int16Array(960);
  const heard = packets.flatMap((packet, i) => {
    if (!lost(i)) return [...pcm.subarray(0, decoder.decode(packet, pcm))];
    decoder.conceal(160, useNext ? packets[i + 1] : undefined, pcm);
    return [...pcm.subarray(0, 160)];
  });
  encoder.close();
  decoder.close();
  return heard;
}

describe('Opus', () => {
  it.each(['native', 'wasm'] as const)('carries a tone at 8 kHz, frequency and level kept (%s)', (backend) => {
    const heard = asPcm(toneThrough(backend, () => false).slice(1600));
    expect(strongestHz(heard)).toBeCloseTo(1000, -1);
    expect(levelDbfs(heard)).toBeCloseTo(20 * Math.log10(8000 / 32_768), 0);
  });

  it('says where its encoder runs', () => {
    expect(createOpusCodec('wasm').encoderBackend).toBe('wasm');
    // The add-on comes for x64 and arm64 Linux with glibc; elsewhere WebAssembly takes over.
    expect(['native', 'wasm']).toContain(createOpusCodec().encoderBackend);
  });

  it.each(['native', 'wasm'] as const)('restores lost speech from the copy in the next packet (%s)', (backend) => {
    const samples = Int16Array.from(speech(8000).samples, (value) => value * 32_767);
    const codec = createOpusCodec(backend);
    const encoder = codec.createEncoder(8000, 160);
    const packets: Uint8Array[] = [];
    for (let at = 0; at + 160 <= samples.length; at += 160) {
      packets.push(Uint8Array.from(encoder.encode(samples.slice(at, at + 160))));
    }
    const lost = (i: number): boolean => i % 10 === 5;
    const decoded = (cover: 'none' | 'guess' | 'copy'): Int16Array[] => {
      const decoder = codec.createDecoder(8000);
      return packets.map((packet, i) => {
        const pcm = new Int16Array(960);
        if (cover === 'none' || !lost(i)) decoder.decode(packet, pcm);
        else decoder.conceal(160, cover === 'copy' ? packets[i + 1] : undefined, pcm);
        return pcm.slice(0, 160);
      });
    };
    const whole = decoded('none');
    const snrDb = (frames: Int16Array[]): number => {
      let [signal, noise] = [0, 0];
      for (const i of frames.keys()) {
        if (!lost(i)) continue;
        whole[i]!.forEach((value) => (signal += value ** 2));
        whole[i]!.forEach((value, k) => (noise += (value - frames[i]![k]!) ** 2));
      }
      return 10 * Math.log10(signal / noise);
    };
    expect(snrDb(decoded('copy')) - snrDb(decoded('guess'))).toBeGreaterThan(5);
  });

  it('fades to silence when nothing comes any more', () => {
    const heard = toneThrough('wasm', (i) => i >= 20, false);
    expect(levelDbfs(asPcm(heard.slice(3200, 3360)))).toBeGreaterThan(-25);
    expect(levelDbfs(asPcm(heard.slice(-320)))).toBeLessThan(-50);
  });

  it('makes mono packets of 20 ms', () => {
    const encoder = createOpusCodec().createEncoder(8000, 160);
    const packet = encoder.encode(new ToneSource(440).next(160));
    expect(opusDurationMs(packet)).toBe(20);
    expect(packet[0]! & 4).toBe(0);
    encoder.close();
  });

  it('decodes junk to nothing, or to sound, but never throws', () => {
    const decoder = createOpusCodec().createDecoder(8000);
    const pcm = new Int16Array(960);
    expect(decoder.decode(new Uint8Array(0), pcm)).toBe(0);
    expect(decoder.decode(new Uint8Array(3000), pcm)).toBe(0);
    expect(decoder.decode(Uint8Array.of(0xff, 0xff, 0xff), pcm)).toBe(0);
    decoder.conceal(160, Uint8Array.of(0xff, 0xff, 0xff), pcm);
    decoder.close();
  });

  it('is silent and harmless after it was closed', () => {
    const codec = createOpusCodec('wasm');
    const [encoder, decoder] = [codec.createEncoder(8000, 160), codec.createDecoder(8000)];
    const packet = Uint8Array.from(encoder.encode(new ToneSource(440).next(160)));
    for (const coder of [encoder, decoder, encoder, decoder]) coder.close();
    const pcm = new Int16Array(960).fill(7);
    expect([encoder.encode(new Int16Array(160)).length, decoder.decode(packet, pcm)]).toEqual([0, 0]);
    decoder.conceal(160, undefined, pcm);
    expect(pcm.subarray(0, 160).every((value) => value === 0)).toBe(true);
  });

  it('gives its memory back: a thousand pairs of coders do not make it grow', () => {
    const codec = createOpusCodec('wasm');
    const cycle = (): void => {
      const coders = [codec.createEncoder(8000, 160), codec.createDecoder(8000)];
      for (const coder of coders) coder.close();
    };
    cycle();
    const before = OpusWasm.shared().lib.memory.buffer.byteLength;
    for (let i = 0; i < 1000; i++) cycle();
    expect(OpusWasm.shared().lib.memory.buffer.byteLength).toBe(before);
  });

  it('keeps coding when its memory grows under it', () => {
    const codec = createOpusCodec('wasm');
    const decoder = codec.createDecoder(8000);
    const encoder = codec.createEncoder(8000, 160);
    const before = OpusWasm.shared().lib.memory.buffer.byteLength;
    const coders = [];
    while (OpusWasm.shared().lib.memory.buffer.byteLength === before) coders.push(codec.createEncoder(8000, 160));
    const tone = new ToneSource(1000);
    const pcm = new Int16Array(960);
    const heard = Array.from({ length: 20 }, () => encoder.encode(tone.next(160))).map((p) => decoder.decode(p, pcm));
    expect(heard).toEqual(Array(20).fill(160));
    for (const coder of [...coders, decoder, encoder]) coder.close();
  });
});

describe('length of an Opus packet (RFC 6716 §3.1)', () => {
  it.each([
    ['SILK 10 ms', [0 << 3], 10],
    ['SILK 60 ms', [3 << 3], 60],
    ['hybrid 20 ms', [13 << 3], 20],
    ['CELT 2.5 ms', [16 << 3], 2.5],
    ['CELT 20 ms, the silence frame', [0xf8, 0xff, 0xfe], 20],
    ['two frames of 20 ms', [(1 << 3) | 1], 40],
    ['three frames of 20 ms by count', [(1 << 3) | 3, 3], 60],
    ['nothing', [], 0],
    ['a count of none', [(1 << 3) | 3, 0], 0],
    ['more than 120 ms', [(3 << 3) | 3, 3], 0],
  ])('%s', (_name, bytes, durationMs) => {
    expect(opusDurationMs(Uint8Array.from(bytes))).toBe(durationMs);
  });
});
