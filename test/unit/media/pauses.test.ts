import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { createOpusCodec, opusDurationMs, opusPause } from '../../../src/media/opus-codec.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { levelDbfs } from '../../../src/sandbox/audio/measure.js';
import { FakePacketPort, g711Audio, whatsAppAudio } from '../../support/packet-ports.js';
import { fromG711, fromOpus, toG711, ToneSource } from '../../support/tones.js';

class Scene {
  readonly clock = new FakeClock();
  readonly whatsApp = new FakePacketPort(whatsAppAudio);
  readonly bridge: TranscodingBridge;

  constructor(readonly pbx = new FakePacketPort(g711Audio('PCMA'))) {
    this.bridge = new TranscodingBridge({
      portOf: (id) => (id === 'wa' ? this.whatsApp : this.pbx),
      codecs: standardCodecs(),
      clock: this.clock,
      logger: silentLogger,
    });
    this.bridge.connect('wa', 'pbx');
  }

  /** What the beat of the WhatsApp side would send in `slots` empty slots. */
  slots(slots: number): Uint8Array[] {
    return Array.from({ length: slots }, () => {
      this.clock.advance(20);
      return Uint8Array.from(this.whatsApp.fillSlot?.() ?? []);
    });
  }
}

const dbfs = (payloads: readonly Uint8Array[]): number => levelDbfs(fromOpus(payloads));

describe('a PBX that says nothing in pauses', () => {
  const speak = (scene: Scene): void => {
    const tone = new ToneSource(500);
    for (let i = 0; i < 25; i++) {
      scene.pbx.receive(i, i * 160, toG711('PCMA', tone.next(160)));
      scene.clock.advance(20);
    }
  };

  it('and tells how loud they are: that loud the noise is, on and on, until it speaks again', () => {
    const scene = new Scene();
    speak(scene);
    scene.pbx.onComfortNoise?.({ sequence: 25, timestamp: 25 * 160, marker: false, payload: Uint8Array.of(50) });
    const pause = scene.slots(150);
    // 50 dB below overload are 47 dB below a sine of full scale.
    expect(Math.abs(dbfs(pause.slice(20)) + 47)).toBeLessThan(4);
    expect(Math.abs(dbfs(pause.slice(-25)) + 47)).toBeLessThan(4);
    scene.pbx.receive(26, 176 * 160, toG711('PCMA', new Int16Array(160)), true);
    expect(dbfs(scene.slots(30).slice(10))).toBeLessThan(-70);
  });

  it('takes no noise for background that is as loud as speech', () => {
    const scene = new Scene();
    speak(scene);
    scene.pbx.onComfortNoise?.({ sequence: 25, timestamp: 25 * 160, marker: false, payload: Uint8Array.of(0) });
    expect(dbfs(scene.slots(50).slice(10))).toBeLessThan(-30);
  });

  it('and nothing about them: the sound fades out within 60 ms, then there is silence', () => {
    const scene = new Scene();
    speak(scene);
    const pause = scene.slots(50);
    expect(dbfs(pause.slice(0, 1))).toBeGreaterThan(-25);
    expect(dbfs(pause.slice(8))).toBeLessThan(-60);
  });
});

describe('WhatsApp that pauses (DTX)', () => {
  it('is heard by the PBX as one stream without a hole: words whole, soft noise between them', () => {
    const scene = new Scene();
    const encoder = createOpusCodec('wasm').createEncoder(8000, 160);
    const tone = new ToneSource(500);
    let timestamp = 0;
    let sequence = 0;
    const before = (): number => scene.pbx.sent.length;
    for (let i = 0; i < 50; i++) {
      scene.whatsApp.receive(sequence++, (timestamp += 960), Uint8Array.from(encoder.encode(tone.next(160))));
      scene.clock.advance(20);
    }
    const spoken = before();
    const pause = opusPause(encoder.encode(new Int16Array(160))[0]!);
    // In a pause an encoder sends a frame without content every 400 ms, numbered without a gap.
    for (let i = 0; i < 5; i++) {
      scene.whatsApp.receive(sequence++, (timestamp += i === 0 ? 960 : 960 * 20), Uint8Array.of(pause));
      scene.clock.advance(400);
    }
    const paused = before();
    expect(Math.abs(paused - spoken - 100)).toBeLessThanOrEqual(3);
    timestamp += 960 * 19;
    for (let i = 0; i < 25; i++) {
      scene.whatsApp.receive(sequence++, (timestamp += 960), Uint8Array.from(encoder.encode(tone.next(160))), i === 0);
      scene.clock.advance(20);
    }
    const after = scene.pbx.sent.slice(paused).map(({ payload }) => payload);
    expect(levelDbfs(fromG711('PCMA', after.slice(5)))).toBeGreaterThan(-18);
    expect(Math.abs(after.length - 25)).toBeLessThanOrEqual(3);
  });
});

describe('Opus handed on to WhatsApp', () => {
  const opus = (i: number): Uint8Array => Uint8Array.of(0x48, i, 1, 2, 3);
  const scene = (): Scene => {
    const pbx = new FakePacketPort(whatsAppAudio);
    const made = new Scene(pbx);
    Object.defineProperty(made.whatsApp, 'leadMs', { value: 5 });
    for (let i = 0; i < 5; i++) pbx.receive(i, i * 960, opus(i));
    return made;
  };

  it('has a frame without content where a packet is missing, of the mode of the stream: the far decoder conceals it', () => {
    const slots = scene().slots(3);
    expect(slots.map((payload) => [...payload])).toEqual(Array(3).fill([0x48]));
    expect(slots.map(opusDurationMs)).toEqual([20, 20, 20]);
  });

  it('goes on pausing where the PBX pauses', () => {
    const paused = scene();
    paused.pbx.receive(5, 5 * 960, Uint8Array.of(0x48));
    expect([...paused.slots(1)[0]!]).toEqual([0x48]);
  });

  it('is not coded anew because of one odd packet', () => {
    const made = scene();
    made.pbx.receive(5, 5 * 960, Uint8Array.of(0x50, 1, 2));
    made.pbx.receive(6, 7 * 960, opus(6));
    expect([...made.whatsApp.sent.at(-1)!.payload]).toEqual([...opus(6)]);
  });

  it.each([10, 40, 60])(
    'is coded anew when it comes in packets of %i ms, for there are 20 ms in each to Meta',
    (ms) => {
      const pbx = new FakePacketPort({ ...whatsAppAudio, ptimeMs: ms });
      const made = new Scene(pbx);
      Object.defineProperty(made.whatsApp, 'leadMs', { value: 5 });
      const tone = new ToneSource(1000);
      const encoder = createOpusCodec('wasm').createEncoder(8000, 8 * ms);
      for (let at = 0; at < 1200; at += ms) {
        pbx.receive(at / ms, at * 48, Uint8Array.from(encoder.encode(tone.next(8 * ms))));
        made.clock.advance(ms);
      }
      const { sent } = made.whatsApp;
      // The first two of another length might be an accident, and are left out.
      expect(sent.length * 20).toBeGreaterThanOrEqual(1200 - 2 * ms);
      expect(sent.every(({ payload }) => opusDurationMs(payload) === 20)).toBe(true);
      const level = dbfs(sent.slice(20).map(({ payload }) => payload));
      expect(Math.abs(level - 20 * Math.log10(8000 / 32_768))).toBeLessThan(3);
    },
  );
});
