import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { standardCodecs } from '../../../src/media/codec-registry.js';
import { createOpusCodec, opusDurationMs } from '../../../src/media/opus-codec.js';
import { TranscodingBridge } from '../../../src/media/transcoding-bridge.js';
import { gaps, levelDbfs, strongestHz, toneLoss } from '../../../src/sandbox/audio/measure.js';
import { FakePacketPort, g711Audio, whatsAppAudio } from '../../support/packet-ports.js';
import { fromG711, fromOpus, toG711, ToneSource } from '../../support/tones.js';

const amplitude = 8000;
const amplitudeDbfs = 20 * Math.log10(amplitude / 32_768);
const codecs = standardCodecs();

class Scene {
  readonly clock = new FakeClock();
  readonly whatsApp = new FakePacketPort(whatsAppAudio);
  readonly timeouts: string[] = [];
  readonly bridge: TranscodingBridge;
  readonly #encoder = createOpusCodec('wasm').createEncoder(8000, 160);
  readonly #tone: ToneSource;
  #sequence = 65_530;
  #timestamp = 0xffff_f000;

  constructor(
    readonly pbx = new FakePacketPort(g711Audio('PCMA')),
    toneHz = 1000,
  ) {
    this.#tone = new ToneSource(toneHz, amplitude);
    const ports = new Map([
      ['wa', this.whatsApp],
      ['pbx', this.pbx],
    ]);
    this.bridge = new TranscodingBridge({
      portOf: (id) => ports.get(id),
      codecs,
      clock: this.clock,
      logger: silentLogger,
    });
    this.bridge.onTimeout((kind) => this.timeouts.push(kind));
  }

  connect(): this {
    this.bridge.connect('wa', 'pbx');
    return this;
  }

  /** 20 ms of the tone from WhatsApp, `lost` on its way or not, and 20 ms of time. */
  whatsAppFrame(lost = false): void {
    const payload = Uint8Array.from(this.#encoder.encode(this.#tone.next(160)));
    if (!lost) this.whatsApp.receive(this.#sequence, this.#timestamp, payload);
    this.#sequence++;
    this.#timestamp += 960;
    this.clock.advance(20);
  }

  /** A packet of the tone from the PBX, and its time. */
  pbxPacket(durationMs: number, lost = false): void {
    const { codec } = this.pbx.audio!;
    const payload = toG711(codec as 'PCMA', this.#tone.next(durationMs * 8));
    if (!lost) this.pbx.receive(this.#sequence, this.#timestamp, payload);
    this.#sequence++;
    this.#timestamp += durationMs * 8;
    this.clock.advance(durationMs);
  }
}

describe('transcoding bridge, WhatsApp to PBX', () => {
  it.each([
    ['PCMA', 10],
    ['PCMA', 20],
    ['PCMU', 30],
    ['PCMU', 40],
    ['PCMA', 60],
  ] as const)('turns Opus into %s packets of %i ms: tone and level kept, none missing', (codec, ptimeMs) => {
    const scene = new Scene(new FakePacketPort(g711Audio(codec, ptimeMs))).connect();
    for (let i = 0; i < 120; i++) scene.whatsAppFrame();
    const { sent } = scene.pbx;
    expect(new Set(sent.map(({ payload, durationMs }) => `${payload.length} ${durationMs}`))).toEqual(
      new Set([`${ptimeMs * 8} ${ptimeMs}`]),
    );
    expect(sent.length * ptimeMs).toBeGreaterThanOrEqual(2400 - ptimeMs);
    const heard = fromG711(
      codec,
      sent.map(({ payload }) => payload),
    );
    const steady = { ...heard, samples: heard.samples.subarray(1600) };
    expect(strongestHz(steady)).toBeGreaterThan(990);
    expect(strongestHz(steady)).toBeLessThan(1010);
    expect(Math.abs(levelDbfs(steady) - amplitudeDbfs)).toBeLessThan(3);
    expect(toneLoss(steady, 1000)).toBe(0);
  });

  it('covers 5 % loss: the stream to the PBX stays whole and the tone is never cut', () => {
    const scene = new Scene().connect();
    for (let i = 0; i < 200; i++) scene.whatsAppFrame(i % 20 === 7);
    expect(Math.abs(scene.pbx.sent.length - 200)).toBeLessThanOrEqual(3);
    const heard = fromG711(
      'PCMA',
      scene.pbx.sent.map(({ payload }) => payload),
    );
    const steady = { ...heard, samples: heard.samples.subarray(1600) };
    expect(gaps(steady)).toEqual([]);
    expect(strongestHz(steady)).toBeCloseTo(1000, -1);
  });

  it('sends silence every 20 ms from the joining on while WhatsApp says nothing', () => {
    const scene = new Scene().connect();
    scene.clock.advance(1000);
    expect(scene.pbx.sent.length).toBeGreaterThanOrEqual(47);
    expect(
      scene.pbx.sent.every(({ payload }) => payload.length === 160 && payload.every((octet) => octet === 0xd5)),
    ).toBe(true);
  });

  it('fades out and goes on with silence when WhatsApp falls silent', () => {
    const scene = new Scene().connect();
    for (let i = 0; i < 50; i++) scene.whatsAppFrame();
    const before = scene.pbx.sent.length;
    scene.clock.advance(2000);
    const after = scene.pbx.sent.slice(before);
    expect(Math.abs(after.length - 98)).toBeLessThanOrEqual(2);
    expect(after.slice(-40).every(({ payload }) => payload.every((octet) => octet === 0xd5))).toBe(true);
  });

  it('drops what arrives before the joining and after the parting', () => {
    const scene = new Scene();
    expect(scene.whatsApp.onAudio).toBeUndefined();
    scene.connect();
    scene.whatsAppFrame();
    scene.bridge.disconnect();
    const before = scene.pbx.sent.length;
    for (let i = 0; i < 10; i++) scene.whatsAppFrame();
    expect([scene.pbx.sent.length, scene.clock.armed]).toEqual([before, 0]);
  });

  it('makes a new path when a later answer changes the codec', () => {
    const scene = new Scene().connect();
    for (let i = 0; i < 10; i++) scene.whatsAppFrame();
    scene.pbx.audio = g711Audio('PCMU', 30);
    scene.pbx.sent.length = 0;
    for (let i = 0; i < 60; i++) scene.whatsAppFrame();
    expect(scene.pbx.sent.every(({ payload }) => payload.length === 240)).toBe(true);
    const heard = fromG711(
      'PCMU',
      scene.pbx.sent.map(({ payload }) => payload),
    );
    expect(strongestHz({ ...heard, samples: heard.samples.subarray(1600) })).toBeCloseTo(1000, -1);
  });

  it('waits for the codec when an endpoint is not negotiated yet', () => {
    const scene = new Scene(new FakePacketPort(undefined)).connect();
    for (let i = 0; i < 5; i++) scene.whatsAppFrame();
    expect(scene.pbx.sent).toHaveLength(0);
    scene.pbx.audio = g711Audio('PCMA');
    for (let i = 0; i < 5; i++) scene.whatsAppFrame();
    expect(scene.pbx.sent.length).toBeGreaterThanOrEqual(5);
  });
});

describe('transcoding bridge, PBX to WhatsApp', () => {
  it.each([10, 20, 30, 40, 60])('turns G.711 packets of %i ms into Opus frames of 20 ms', (ptimeMs) => {
    const scene = new Scene().connect();
    for (let ms = 0; ms < 2400; ms += ptimeMs) scene.pbxPacket(ptimeMs);
    const { sent } = scene.whatsApp;
    expect(sent).toHaveLength(120);
    expect(sent.every(({ payload, durationMs }) => durationMs === 20 && opusDurationMs(payload) === 20)).toBe(true);
    const heard = fromOpus(sent.map(({ payload }) => payload));
    const steady = { ...heard, samples: heard.samples.subarray(1600) };
    expect(strongestHz(steady)).toBeGreaterThan(990);
    expect(strongestHz(steady)).toBeLessThan(1010);
    expect(Math.abs(levelDbfs(steady) - amplitudeDbfs)).toBeLessThan(3);
  });

  it('makes up for lost packets when the next one comes: every frame is there, and nothing is sent late', () => {
    const scene = new Scene().connect();
    for (let i = 0; i < 100; i++) scene.pbxPacket(20, i % 20 === 7);
    expect(scene.whatsApp.sent).toHaveLength(100);
    const heard = fromOpus(scene.whatsApp.sent.map(({ payload }) => payload));
    expect(toneLoss({ ...heard, samples: heard.samples.subarray(1600) }, 1000)).toBe(0);
    scene.clock.advance(5000);
    expect(scene.whatsApp.sent).toHaveLength(100);
  });

  it('does not make up again for what the beat of the WhatsApp side has asked for already', () => {
    const scene = new Scene().connect();
    const beat: Uint8Array[] = [];
    for (let i = 0; i < 100; i++) {
      const lost = i % 20 === 7;
      scene.pbxPacket(20, lost);
      if (lost) beat.push(Uint8Array.from(scene.whatsApp.fillSlot?.() ?? []));
    }
    expect([scene.whatsApp.sent.length, beat.length]).toEqual([95, 5]);
  });
});

describe('transcoding bridge, Opus on both sides', () => {
  it('hands packets on unchanged and shows losses', () => {
    const scene = new Scene(new FakePacketPort(whatsAppAudio)).connect();
    const payloads = Array.from({ length: 6 }, (_, i) => Uint8Array.of(0xf8, i));
    for (const i of [0, 1, 3, 4, 5]) scene.whatsApp.receive(i, i * 960, payloads[i]!);
    expect(scene.pbx.sent.map(({ payload }) => payload[1])).toEqual([0, 1, 3, 4, 5]);
    expect(scene.pbx.skipped).toEqual([{ durationMs: 20, packets: 1 }]);
    scene.pbx.receive(1, 960, payloads[2]!);
    expect(scene.whatsApp.sent.map(({ payload }) => [...payload])).toEqual([[0xf8, 2]]);
  });
});

describe('transcoding bridge, DTMF', () => {
  it('passes digits both ways, each once, with their length', () => {
    const scene = new Scene().connect();
    for (let i = 1; i <= 6; i++) {
      scene.whatsApp.receiveEvent(48_000, 5, i * 160, i === 6);
      scene.pbx.receiveEvent(8000, 11, i * 160, i === 6);
      scene.clock.advance(20);
    }
    expect(scene.pbx.digits).toEqual([{ digit: '5', durationMs: 120 }]);
    expect(scene.whatsApp.digits).toEqual([{ digit: '#', durationMs: 120 }]);
  });

  it('hears the end of a digit whose end packets are lost', () => {
    const scene = new Scene().connect();
    scene.whatsApp.receiveEvent(48_000, 1, 800);
    scene.clock.advance(1000);
    expect(scene.pbx.digits).toEqual([{ digit: '1', durationMs: 100 }]);
  });

  it('sends silence, not the tone, while a key is down', () => {
    const scene = new Scene().connect();
    for (let i = 0; i < 20; i++) scene.whatsAppFrame();
    scene.pbx.sent.length = 0;
    for (let i = 1; i <= 10; i++) {
      scene.whatsApp.receiveEvent(1, 5, i * 160);
      scene.whatsAppFrame();
    }
    expect(scene.pbx.sent.length).toBeGreaterThanOrEqual(9);
    expect(scene.pbx.sent.every(({ payload }) => payload.every((octet) => octet === 0xd5))).toBe(true);
    scene.whatsApp.receiveEvent(1, 5, 1600, true);
    scene.pbx.sent.length = 0;
    for (let i = 0; i < 20; i++) scene.whatsAppFrame();
    expect(
      levelDbfs(
        fromG711(
          'PCMA',
          scene.pbx.sent.slice(5).map(({ payload }) => payload),
        ),
      ),
    ).toBeGreaterThan(-20);
  });
});

describe('transcoding bridge, watchdog', () => {
  const pass = (scene: Scene, ms: number, from: { whatsApp?: boolean; pbx?: boolean }): void => {
    for (let passed = 0; passed < ms; passed += 100) {
      if (from.whatsApp) scene.whatsApp.receive(passed / 100, passed * 48, Uint8Array.of(0xf8, 0xff, 0xfe));
      if (from.pbx) scene.pbx.receive(passed / 100, passed * 8, new Uint8Array(160));
      scene.clock.advance(100);
    }
  };

  it('says `first`, once, when one side has sent nothing for 20 s', () => {
    const scene = new Scene().connect();
    pass(scene, 19_900, { pbx: true });
    expect(scene.timeouts).toEqual([]);
    pass(scene, 200, { pbx: true });
    expect(scene.timeouts).toEqual(['first']);
    pass(scene, 60_000, { pbx: true });
    expect(scene.timeouts).toEqual(['first']);
  });

  it('says `idle` when a side falls silent for 30 s', () => {
    const scene = new Scene().connect();
    pass(scene, 1000, { whatsApp: true, pbx: true });
    pass(scene, 29_800, { whatsApp: true });
    expect(scene.timeouts).toEqual([]);
    pass(scene, 500, { whatsApp: true });
    expect(scene.timeouts).toEqual(['idle']);
  });

  it('counts RTCP as a sign of life', () => {
    const scene = new Scene().connect();
    for (let i = 0; i < 20; i++) {
      scene.pbx.heard = i;
      pass(scene, 5000, { whatsApp: true });
    }
    expect(scene.timeouts).toEqual([]);
  });

  it('does not expect a side to speak that has announced silence, and counts anew from the end of the hold', () => {
    const scene = new Scene().connect();
    pass(scene, 1000, { whatsApp: true, pbx: true });
    scene.pbx.quiet = true;
    pass(scene, 120_000, {});
    expect(scene.timeouts).toEqual([]);
    scene.pbx.quiet = false;
    pass(scene, 29_800, {});
    expect(scene.timeouts).toEqual([]);
    pass(scene, 500, {});
    expect(scene.timeouts).toEqual(['idle']);
  });

  it('counts anew after parting and joining, and not at all in between', () => {
    const scene = new Scene().connect();
    pass(scene, 15_000, {});
    scene.bridge.disconnect();
    pass(scene, 60_000, {});
    scene.connect();
    pass(scene, 15_000, {});
    expect(scene.timeouts).toEqual([]);
    pass(scene, 6000, {});
    expect(scene.timeouts).toEqual(['first']);
  });

  const said = (port: FakePacketPort): string[] =>
    port.troubles.map(({ kind, isOver, silentMs }) => `${kind}${isOver ? ' over' : ''} ${silentMs ?? ''}`.trim());

  it('tells of audio in one direction alone after 5 s, of the side it does not come from, once, and when it comes', () => {
    const scene = new Scene().connect();
    pass(scene, 4900, { pbx: true });
    expect(said(scene.whatsApp)).toEqual([]);
    pass(scene, 2000, { pbx: true });
    expect(said(scene.whatsApp)).toEqual(['one_way_audio 5000']);
    pass(scene, 1000, { whatsApp: true, pbx: true });
    pass(scene, 5500, { whatsApp: true });
    expect(said(scene.whatsApp)).toEqual(['one_way_audio 5000', 'one_way_audio over']);
    expect(said(scene.pbx)).toEqual([expect.stringMatching(/^one_way_audio 50\d\d$/)]);
    expect(scene.timeouts).toEqual([]);
  });

  it('tells of no one-way audio where neither side speaks, or one is held', () => {
    const scene = new Scene().connect();
    pass(scene, 7000, {});
    expect([said(scene.whatsApp), said(scene.pbx)]).toEqual([[], []]);
    scene.pbx.quiet = true;
    pass(scene, 60_000, { whatsApp: true });
    expect([said(scene.whatsApp), said(scene.pbx)]).toEqual([[], []]);
  });

  it('tells of a peer that may be dead within 10 s, RTCP being a sign of life, and when it is heard again', () => {
    const scene = new Scene().connect();
    pass(scene, 1000, { whatsApp: true, pbx: true });
    for (let i = 1; i <= 4; i++) {
      scene.whatsApp.heard = i;
      pass(scene, 5000, { pbx: true });
    }
    expect(said(scene.whatsApp).filter((line) => line.startsWith('peer'))).toEqual([]);
    pass(scene, 4000, { pbx: true });
    expect(said(scene.whatsApp).at(-1)).toMatch(/^peer_silent 80\d\d$/);
    scene.whatsApp.heard = 9;
    pass(scene, 100, { pbx: true });
    expect(said(scene.whatsApp).at(-1)).toBe('peer_silent over');
    expect(scene.timeouts).toEqual([]);
  });

  it('waits for a side that said goodbye for 5 s only, and ends nothing while it still speaks', () => {
    const scene = new Scene().connect();
    pass(scene, 1000, { whatsApp: true, pbx: true });
    scene.whatsApp.departed = true;
    pass(scene, 20_000, { whatsApp: true, pbx: true });
    expect(scene.timeouts).toEqual([]);
    pass(scene, 4800, { pbx: true });
    expect(scene.timeouts).toEqual([]);
    pass(scene, 400, { pbx: true });
    expect(scene.timeouts).toEqual(['idle']);
    expect(said(scene.whatsApp).at(-1)).toMatch(/^idle_timeout 50\d\d$/);
  });

  it('tells the endpoint of the silence that the call is ended for', () => {
    const scene = new Scene().connect();
    pass(scene, 21_000, { pbx: true });
    expect(said(scene.whatsApp)).toEqual(['one_way_audio 5000', 'peer_silent 8000', 'first_timeout 20000']);
    expect(said(scene.pbx)).toEqual([]);
  });

  it('can be stopped from its own alarm', () => {
    const scene = new Scene().connect();
    scene.bridge.onTimeout(() => scene.bridge.disconnect());
    scene.clock.advance(21_000);
    expect(scene.clock.armed).toBe(0);
  });
});

describe('transcoding bridge, joining', () => {
  it('does nothing for the same pair again, and nothing for an endpoint that is gone', () => {
    const scene = new Scene().connect();
    const listener = scene.pbx.onAudio;
    scene.connect();
    scene.bridge.connect('pbx', 'wa');
    expect([scene.pbx.onAudio === listener, scene.clock.armed]).toEqual([true, 1]);
    scene.bridge.connect('wa', 'nobody');
    expect([scene.pbx.onAudio, scene.clock.armed]).toEqual([undefined, 0]);
    scene.bridge.disconnect();
  });
});

describe('a slot that stays empty towards WhatsApp', () => {
  /** How much the level of the tone moves, at most, in the 20 ms pieces behind one missing frame, in dB. */
  const unrestBehind = (silenceOf: (scene: Scene) => Uint8Array | undefined): number => {
    const scene = new Scene(undefined, 840).connect();
    for (let i = 0; i < 25; i++) scene.pbxPacket(20);
    const silence = silenceOf(scene);
    if (silence) scene.whatsApp.sent.push({ payload: Uint8Array.from(silence), durationMs: 20 });
    for (let i = 0; i < 30; i++) scene.pbxPacket(20);
    scene.bridge.disconnect();
    const { rateHz, samples } = fromOpus(scene.whatsApp.sent.map(({ payload }) => payload));
    const levels = Array.from({ length: 10 }, (_, i) =>
      levelDbfs({ rateHz, samples: samples.subarray((29 + i) * 160, (30 + i) * 160) }),
    );
    return Math.max(...levels) - Math.min(...levels);
  };

  it('is filled by the encoder of the stream, so that what follows stays as loud as it is', () => {
    expect(unrestBehind((scene) => scene.whatsApp.fillSlot?.())).toBeLessThan(2.5);
    // Silence that another coder made is what this is for: the level then jumps about for half a second.
    expect(unrestBehind(() => Uint8Array.of(0xf8, 0xff, 0xfe))).toBeGreaterThan(3);
  });

  it('gets the samples that wait for the rest of their frame, and the port is let go at the end', () => {
    const scene = new Scene(new FakePacketPort(g711Audio('PCMA', 30))).connect();
    scene.pbxPacket(30);
    expect(scene.whatsApp.sent).toHaveLength(1);
    expect(scene.whatsApp.fillSlot?.().length).toBeGreaterThan(0);
    scene.pbxPacket(30);
    expect(scene.whatsApp.sent).toHaveLength(2);
    scene.bridge.disconnect();
    expect(scene.whatsApp.fillSlot).toBeUndefined();
  });
});
