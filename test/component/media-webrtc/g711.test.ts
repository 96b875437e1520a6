import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds, type CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { RtpEndpoint, WebRtcEndpoint, WebRtcEndpointOptions } from '../../../src/media/media-engine.js';
import { WeriftMediaEngine } from '../../../src/media/werift-media-engine.js';
import { amplitudeAt } from '../../../src/sandbox/audio/measure.js';
import { pace } from '../../support/pace.js';
import { rtpPorts } from '../../support/ports.js';
import { RtpPeer } from '../../support/rtp-peer.js';
import { fromG711, toG711, ToneSource } from '../../support/tones.js';
import { WrtcPeer } from '../../support/wrtc-peer.js';

const call = 'g711' as CallId;
const networks = ['127.0.0.0/8'];
const [phoneHz, pbxHz, amplitude] = [440, 1000, 10_000];
type Law = 'PCMA' | 'PCMU';
const payloadTypes = { PCMA: 8, PCMU: 0 } as const;
/** ±1 dB: nothing codes between the ends but libwebrtc. */
const [least, most] = [10 ** (-1 / 20), 10 ** (1 / 20)];

/** libwebrtc that speaks G.711 beside Opus, the engine, and a PBX that speaks G.711 alone. */
class Scene {
  readonly phone = new WrtcPeer(phoneHz, ['127.0.0.1'], [8, 0]);
  readonly engine = new WeriftMediaEngine({
    ...{ listenIp: '127.0.0.1', advertisedIp: '', rtpPorts, webrtcPorts: [0, 0] },
    ...{ remoteNetworks: networks, logger: silentLogger, clock: systemClock, ids: systemIds },
  });
  pbx!: RtpPeer;
  rtp!: RtpEndpoint;
  whatsApp!: WebRtcEndpoint;
  /** What libwebrtc was sent, by lines that begin so. */
  ourSdp = '';

  /** The PBX calls a user: its codec is known before Meta hears of the call. */
  async fromPbx(law: Law, options: Omit<WebRtcEndpointOptions, 'call'>, ptimeMs = 20): Promise<void> {
    await this.#startPbx(law, ptimeMs);
    this.whatsApp = await this.engine.createWebRtcEndpoint({ call, ...options });
    this.ourSdp = await this.whatsApp.createOffer();
    await this.whatsApp.acceptAnswer(await this.phone.answer(this.ourSdp));
    await this.#join();
  }

  /** A user calls: Meta is answered before the PBX is. */
  async fromUser(law: Law, options: Omit<WebRtcEndpointOptions, 'call'>, ptimeMs = 20): Promise<void> {
    await this.engine.start();
    this.whatsApp = await this.engine.createWebRtcEndpoint({ call, ...options });
    this.ourSdp = await this.whatsApp.createAnswer(await this.phone.offer());
    await this.phone.accept(this.ourSdp);
    await this.whatsApp.start();
    await this.#startPbx(law, ptimeMs);
    await this.#join();
  }

  get formats(): string | undefined {
    return /^m=audio \d+ \S+ (.*)\r$/m.exec(this.ourSdp)?.[1];
  }

  /** A tone each way for 3 s; its levels as shares of what was said. */
  async talk(law: Law, ptimeMs = 20): Promise<{ atPhone: number; atPbx: number }> {
    this.phone.play();
    const tone = new ToneSource(pbxHz, amplitude);
    await pace(3000 / ptimeMs, ptimeMs, (i) => {
      const payload = toG711(law, tone.next(ptimeMs * 8));
      const timing = { sequence: i, timestamp: i * ptimeMs * 8 };
      this.pbx.send(this.rtp.rtpPort, { payloadType: payloadTypes[law], ...timing, payload });
    });
    const { samples, sampleRate } = this.phone.heard;
    const heard = this.pbx.received.filter(({ payloadType }) => payloadType === payloadTypes[law]);
    const atPbx = fromG711(
      law,
      heard.map(({ payload }) => payload),
    );
    const atPhone = Float32Array.from(samples, (value) => value / 32_768);
    return { atPhone: shareOf(atPhone, sampleRate, pbxHz), atPbx: shareOf(atPbx.samples, 8000, phoneHz) };
  }

  /** What libwebrtc says it hears, by its own statistics. */
  async codecAtPhone(): Promise<unknown> {
    const [inbound] = await this.phone.stats('inbound-rtp');
    const codecs = await this.phone.stats('codec');
    return codecs.find(({ id }) => id === inbound?.['codecId'])?.['mimeType'];
  }

  async close(): Promise<void> {
    await this.engine.stop();
    this.phone.close();
    this.pbx.close();
  }

  async #startPbx(law: Law, ptimeMs: number): Promise<void> {
    await this.engine.start();
    this.pbx = await RtpPeer.open();
    this.rtp = await this.engine.createRtpEndpoint({ call, codecs: ['PCMA', 'PCMU'], remoteNetworks: networks });
    await this.rtp.createAnswer(this.pbx.sdp({ formats: `${payloadTypes[law]} 101`, ptimeMs }));
  }

  async #join(): Promise<void> {
    await this.phone.reaches('connected');
    this.whatsApp.openSending();
    this.engine.createBridge(call).connect(this.whatsApp.id, this.rtp.id);
  }
}

/**
 * A tone's level in the last two seconds as a share of what was said: the median of quarters of a second, since a machine under load
 * makes libwebrtc stretch and conceal now and then, which breaks the wave.
 */
function shareOf(samples: Float32Array, rateHz: number, hz: number): number {
  const size = rateHz / 4;
  const levels = Array.from({ length: 8 }, (_, i) => {
    const end = samples.length - i * size;
    return amplitudeAt(samples.subarray(end - size, end), rateHz, hz) / (amplitude / 32_768);
  });
  return levels.sort((a, b) => a - b)[4] ?? 0;
}

describe('G.711 between libwebrtc and a PBX', () => {
  let scene: Scene;
  afterEach(() => scene.close());

  it.each([
    ['PCMA', 20],
    ['PCMU', 20],
    ['PCMA', 30],
    ['PCMU', 60],
  ] as const)('is passed on in a call from the PBX: %s in packets of %i ms', async (law, ptimeMs) => {
    scene = new Scene();
    await scene.fromPbx(law, { additionalCodecs: ['PCMU', 'PCMA'], trunkCodecs: ['opus'] }, ptimeMs);
    expect(scene.formats).toBe(`${payloadTypes[law]} 111 126`);
    const { atPhone, atPbx } = await scene.talk(law, ptimeMs);
    expect(await scene.codecAtPhone()).toBe(`audio/${law}`);
    for (const level of [atPhone, atPbx]) {
      expect(level).toBeGreaterThan(least);
      expect(level).toBeLessThan(most);
    }
    expect(new Set(scene.pbx.received.map(({ payload }) => payload.length))).toEqual(new Set([ptimeMs * 8]));
    expect((await scene.whatsApp.stats()).codec).toBe(law);
  });

  it.each(['PCMA', 'PCMU'] as const)(
    'is passed on in a call of a user, as the trunk will speak it: %s',
    async (law) => {
      scene = new Scene();
      await scene.fromUser(law, { additionalCodecs: [law], trunkCodecs: [law, 'opus'] });
      expect(scene.formats).toBe(`${payloadTypes[law]} 126`);
      const { atPhone, atPbx } = await scene.talk(law);
      expect(await scene.codecAtPhone()).toBe(`audio/${law}`);
      for (const level of [atPhone, atPbx]) {
        expect(level).toBeGreaterThan(least);
        expect(level).toBeLessThan(most);
      }
    },
  );

  it('the PBX answers with the other law than its trunk likes best: recoded without Opus', async () => {
    scene = new Scene();
    await scene.fromUser('PCMU', { additionalCodecs: ['PCMA'], trunkCodecs: ['PCMA', 'PCMU'] });
    const { atPhone, atPbx } = await scene.talk('PCMU');
    expect(await scene.codecAtPhone()).toBe('audio/PCMA');
    for (const level of [atPhone, atPbx]) {
      expect(level).toBeGreaterThan(least);
      expect(level).toBeLessThan(most);
    }
  });

  it.each([
    ['the settings have none', [], ['PCMA']],
    ['the settings have the other law alone', ['PCMU'], ['PCMA']],
    ['the trunk likes Opus best', ['PCMA'], ['opus', 'PCMA']],
    ['no trunk is known', ['PCMA'], []],
  ] as const)('is not used in a call of a user when %s', async (_, additionalCodecs, trunkCodecs) => {
    scene = new Scene();
    await scene.fromUser('PCMA', { additionalCodecs, trunkCodecs });
    expect(scene.formats).toBe('111 126');
    expect((await scene.whatsApp.stats()).codec).toBe('opus');
  });

  it('is not offered for a PBX that speaks another law, or where the settings have none', async () => {
    scene = new Scene();
    await scene.fromPbx('PCMU', { additionalCodecs: ['PCMA'], trunkCodecs: ['PCMA'] });
    expect(scene.formats).toBe('111 126');
    const other = await scene.engine.createWebRtcEndpoint({ call, trunkCodecs: ['PCMU'] });
    expect(await other.createOffer()).toContain('SAVPF 111 126\r\n');
  });
});
