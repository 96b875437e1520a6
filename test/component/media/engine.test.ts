import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MediaBridge } from '../../../src/call/media-bridge.js';
import type { CallStep } from '../../../src/call/observer.js';
import { FakeClock, systemClock } from '../../../src/lib/clock.js';
import { systemIds, type CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { RtpEndpoint, WebRtcEndpoint } from '../../../src/media/media-engine.js';
import { RtpSockets } from '../../../src/media/rtp-sockets.js';
import { WeriftMediaEngine } from '../../../src/media/werift-media-engine.js';
import { levelDbfs, strongestHz, toneLoss } from '../../../src/sandbox/audio/measure.js';
import type { Pcm } from '../../../src/sandbox/audio/pcm.js';
import { eventually } from '../../support/eventually.js';
import { pace } from '../../support/pace.js';
import { rtpPorts } from '../../support/ports.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { RtpPeer } from '../../support/rtp-peer.js';
import { fromG711, toG711, ToneSource } from '../../support/tones.js';
import { WrtcPeer } from '../../support/wrtc-peer.js';

const call = 'test' as CallId;
const pbxHz = 1000;
const phoneHz = 440;
const pbxAmplitude = 8000;
/**
 * All parties share this process: where it is starved of processor time, packets are late and libwebrtc stretches what it has.
 * That nothing is lost on our side is proven with a clock that cannot be late, in the bridge's unit tests.
 */
const starvedLoss = 0.35;

/** A whole call's media: libwebrtc as WhatsApp, an RTP port as PBX, the engine in between. */
class Scene {
  readonly phone = new WrtcPeer(phoneHz);
  readonly steps: CallStep[] = [];
  readonly engine = new WeriftMediaEngine({
    listenIp: '127.0.0.1',
    advertisedIp: '',
    rtpPorts,
    webrtcPorts: [0, 0],
    remoteNetworks: ['127.0.0.0/8'],
    logger: silentLogger,
    clock: systemClock,
    ids: systemIds,
    observer: { step: (_call, step) => this.steps.push(step) },
  });
  pbx!: RtpPeer;
  whatsApp!: WebRtcEndpoint;
  rtp!: RtpEndpoint;
  rtpPort = 0;
  readonly bridge = this.engine.createBridge(call);
  readonly tone = new ToneSource(pbxHz, pbxAmplitude);

  /** Up to the point where both sides have answered. */
  async connect(ptimeMs = 20): Promise<void> {
    await this.engine.start();
    this.pbx = await RtpPeer.open();
    this.whatsApp = await this.engine.createWebRtcEndpoint({ call });
    this.whatsApp.listen(() => undefined);
    await this.phone.accept(await this.whatsApp.createAnswer(await this.phone.offer()));
    await this.whatsApp.start();
    this.rtp = await this.engine.createRtpEndpoint({ call, codecs: ['PCMA', 'PCMU'], remoteNetworks: ['127.0.0.0/8'] });
    this.rtp.listen(() => undefined);
    const offer = await this.rtp.createOffer();
    this.rtpPort = Number(/^m=audio (\d+)/m.exec(offer)?.[1]);
    await this.rtp.acceptAnswer(this.pbx.sdp({ ptimeMs }));
    await this.phone.reaches('connected');
    this.whatsApp.openSending();
    this.bridge.connect(this.whatsApp.id, this.rtp.id);
  }

  /** The PBX plays its tone for `ms`. */
  pbxPlays(ms: number, ptimeMs: number): Promise<void> {
    return pace(ms / ptimeMs, ptimeMs, (i) => {
      const payload = toG711('PCMA', this.tone.next(ptimeMs * 8));
      this.pbx.send(this.rtpPort, { payloadType: 8, sequence: i, timestamp: i * ptimeMs * 8, payload });
    });
  }

  heardByPbx(): Pcm {
    return fromG711(
      'PCMA',
      this.pbx.received.filter(({ payloadType }) => payloadType === 8).map(({ payload }) => payload),
    );
  }

  heardByPhone(): Pcm {
    const { samples, sampleRate } = this.phone.heard;
    return { rateHz: sampleRate, samples: Float32Array.from(samples, (value) => value / 32_768) };
  }

  async close(): Promise<void> {
    this.bridge.disconnect();
    await this.engine.stop();
    this.phone.close();
    this.pbx.close();
  }
}

/** The last `ms` of a sound. */
function tail(pcm: Pcm, ms: number): Pcm {
  return { ...pcm, samples: pcm.samples.subarray(Math.max(0, pcm.samples.length - (pcm.rateHz * ms) / 1000)) };
}

describe('media engine, PBX to libwebrtc and back', () => {
  let scene: Scene;
  beforeEach(() => (scene = new Scene()));
  afterEach(() => scene.close());

  it.each([20, 30])('carries a tone each way at once, with packets of %i ms on the PBX side', async (ptimeMs) => {
    await scene.connect(ptimeMs);
    scene.phone.play();
    await scene.pbxPlays(1200, ptimeMs);
    scene.phone.forget();
    scene.pbx.received.length = 0;
    await scene.pbxPlays(1500, ptimeMs);
    const [phone, pbx] = [tail(scene.heardByPhone(), 1000), tail(scene.heardByPbx(), 1000)];
    expect(strongestHz(phone)).toBeGreaterThan(pbxHz * 0.99);
    expect(strongestHz(phone)).toBeLessThan(pbxHz * 1.01);
    expect(Math.abs(levelDbfs(phone) - 20 * Math.log10(pbxAmplitude / 32_768))).toBeLessThan(3);
    expect(toneLoss(phone, pbxHz)).toBeLessThan(starvedLoss);
    expect(strongestHz(pbx)).toBeGreaterThan(phoneHz * 0.99);
    expect(strongestHz(pbx)).toBeLessThan(phoneHz * 1.01);
    expect(Math.abs(levelDbfs(pbx) - 20 * Math.log10(10_000 / 32_768))).toBeLessThan(3);
    expect(toneLoss(pbx, phoneHz)).toBeLessThan(starvedLoss);
    const { received } = scene.pbx;
    received.forEach((packet, i) => {
      const first = received[0]!;
      expect(packet.sequence).toBe((first.sequence + i) & 0xffff);
      expect(packet.timestamp).toBe((first.timestamp + i * ptimeMs * 8) >>> 0);
    });
    expect(new Set(scene.steps)).toEqual(
      new Set(['ice.connected', 'dtls.connected', 'media.first_from_whatsapp', 'media.first_from_pbx']),
    );
  });

  it('gives the PBX a packet every 20 ms, and libwebrtc an unbroken stream, while nobody speaks', async () => {
    await scene.connect();
    scene.phone.forget();
    const start = performance.now();
    await eventually(() => scene.pbx.received.length >= 60, 'a second of silence at the PBX');
    const tookMs = performance.now() - start;
    expect(tookMs).toBeGreaterThan(900);
    expect(tookMs).toBeLessThan(1700);
    expect(levelDbfs(scene.heardByPbx())).toBeLessThan(-50);
    const [inbound] = await scene.phone.stats('inbound-rtp');
    expect(Number(inbound?.['packetsReceived'])).toBeGreaterThan(40);
    expect(Number(inbound?.['packetsLost'])).toBe(0);
  });

  it('keeps WhatsApp fed while the PBX holds the call, and goes on with the same stream afterwards', async () => {
    await scene.connect();
    await scene.pbxPlays(200, 20);
    const before = scene.pbx.received.at(-1)!;
    await scene.rtp.createAnswer(scene.pbx.sdp({ direction: 'inactive' }));
    await scene.pbxPlays(60, 20);
    const [atHold, [phoneBefore]] = [scene.pbx.received.length, await scene.phone.stats('inbound-rtp')];
    await scene.pbxPlays(600, 20);
    expect(scene.pbx.received.length).toBe(atHold);
    const [phoneAfter] = await scene.phone.stats('inbound-rtp');
    const fed = Number(phoneAfter?.['packetsReceived']) - Number(phoneBefore?.['packetsReceived']);
    expect(fed).toBeGreaterThan(20);
    expect(phoneAfter?.['ssrc']).toBe(phoneBefore?.['ssrc']);
    await scene.rtp.createAnswer(scene.pbx.sdp());
    await eventually(() => scene.pbx.received.length > atHold + 5, 'audio at the PBX again');
    expect(scene.pbx.received.at(-1)!.ssrc).toBe(before.ssrc);
    expect(scene.pbx.received[atHold]).toMatchObject({
      sequence: (scene.pbx.received[atHold - 1]!.sequence + 1) & 0xffff,
      marker: true,
    });
  });

  it('stops at once when parted, and forgets endpoints that are closed', async () => {
    await scene.connect();
    scene.phone.play();
    await eventually(() => scene.pbx.received.length > 10, 'audio at the PBX');
    scene.bridge.disconnect();
    await scene.pbxPlays(100, 20);
    const before = scene.pbx.received.length;
    await scene.pbxPlays(200, 20);
    expect(scene.pbx.received.length).toBe(before);
    await scene.rtp.close();
    scene.bridge.connect(scene.whatsApp.id, scene.rtp.id);
    await scene.pbxPlays(100, 20);
    expect(scene.pbx.received.length).toBe(before);
  });

  it('makes nothing any more once it is stopped', async () => {
    await scene.connect();
    await scene.engine.stop();
    const options = { call, codecs: ['PCMA'] as const, remoteNetworks: ['127.0.0.0/8'] };
    await expect(scene.engine.createRtpEndpoint(options)).rejects.toMatchObject({ endCode: 'unavailable' });
  });
});

describe('media engine, its ports', () => {
  const engineWith = (
    rtpPorts: readonly [number, number],
    listenIp = '0.0.0.0',
    advertisedIp = '',
  ): WeriftMediaEngine =>
    new WeriftMediaEngine({
      listenIp,
      advertisedIp,
      rtpPorts,
      webrtcPorts: [0, 0],
      remoteNetworks: [],
      logger: silentLogger,
      clock: systemClock,
      ids: systemIds,
    });
  const options = { call, codecs: ['PCMA'] as const, localAddress: '127.0.0.1', remoteNetworks: ['127.0.0.0/8'] };

  it('refuses a call with `limit` when its ports are used up, also right after one became free', async () => {
    const engine = engineWith([rtpPorts[0], rtpPorts[0] + 5]);
    const endpoints = await Promise.all([1, 2, 3].map(() => engine.createRtpEndpoint(options)));
    await expect(engine.createRtpEndpoint(options)).rejects.toMatchObject({ endCode: 'limit' });
    await endpoints[0]?.close();
    await expect(engine.createRtpEndpoint(options)).rejects.toMatchObject({ endCode: 'limit' });
    await engine.stop();
  });

  it('shows and binds the address the PBX is reached from when it listens on all', async () => {
    const engine = engineWith(rtpPorts);
    const endpoint = await engine.createRtpEndpoint(options);
    expect(await endpoint.createOffer()).toContain('c=IN IP4 127.0.0.1');
    await expect(engine.createRtpEndpoint({ call, codecs: ['PCMA'], remoteNetworks: [] })).rejects.toMatchObject({
      endCode: 'internal',
    });
    await engine.stop();
  });

  it.each([
    // listens on, public address, reached from, networks of the PBX: bound, shown
    ['0.0.0.0', '', '127.0.0.1', ['127.0.0.0/8'], '127.0.0.1', '127.0.0.1'],
    ['::', '', '127.0.0.1', ['127.0.0.0/8'], '127.0.0.1', '127.0.0.1'],
    ['::', '', '::1', ['::1/128'], '::1', '::1'],
    ['0.0.0.0', '', '::1', ['::1/128'], '::1', '::1'],
    ['::1', '', '127.0.0.1', ['::1/128'], '::1', '::1'],
    ['127.0.0.1', '198.51.100.7', '127.0.0.1', ['127.0.0.0/8'], '127.0.0.1', '198.51.100.7'],
    ['::1', '2001:db8::7', undefined, ['::1/128'], '::1', '2001:db8::7'],
    // The public address is of one version: the other one is not translated.
    ['::1', '198.51.100.7', undefined, ['::1/128'], '::1', '::1'],
    ['127.0.0.1', '2001:db8::7', undefined, ['127.0.0.0/8'], '127.0.0.1', '127.0.0.1'],
    ['::', '198.51.100.7', '::1', ['2600::/16'], '::1', '::1'],
    ['::', '198.51.100.7', '127.0.0.1', ['8.8.8.0/24'], '127.0.0.1', '198.51.100.7'],
    ['::', '198.51.100.7', '127.0.0.1', ['127.0.0.0/8'], '127.0.0.1', '127.0.0.1'],
    ['::', '198.51.100.7', undefined, ['127.0.0.0/8'], '127.0.0.1', '198.51.100.7'],
    ['0.0.0.0', '2001:db8::7', undefined, ['::1/128'], '::1', '2001:db8::7'],
  ] as const)(
    'on %s, public %j, from %s to %j: bound to %s, shown as %s',
    async (listenIp, advertisedIp, localAddress, remoteNetworks, bound, shown) => {
      const engine = engineWith(rtpPorts, listenIp, advertisedIp);
      const local = localAddress === undefined ? {} : { localAddress };
      const endpoint = await engine.createRtpEndpoint({ call, codecs: ['PCMA'], remoteNetworks, ...local });
      let isHeard = false;
      endpoint.listen(({ type }) => (isHeard ||= type === 'first_packet'));
      const offer = await endpoint.createOffer();
      const version = shown.includes(':') ? 6 : 4;
      expect(offer).toMatch(new RegExp(`^c=IN IP${version} ${shown}\r$`, 'm'));
      expect(offer).toMatch(new RegExp(`^o=- \\d+ \\d+ IN IP${version} ${shown}\r$`, 'm'));
      const peer = await RtpPeer.open(bound);
      if (remoteNetworks[0] !== '8.8.8.0/24' && remoteNetworks[0] !== '2600::/16' && isSameVersion(bound, shown)) {
        await endpoint.acceptAnswer(peer.sdp());
        const payload = new Uint8Array(160);
        const port = Number(/^m=audio (\d+)/m.exec(offer)?.[1]);
        peer.send(port, { payloadType: 8, sequence: 1, timestamp: 0, payload });
        await eventually(() => isHeard, 'the packet comes in where we are bound');
      }
      peer.close();
      await engine.stop();
    },
  );

  it('refuses codecs that are not built in, and does not leave sockets behind when stopped meanwhile', async () => {
    const engine = engineWith(rtpPorts);
    await expect(engine.createRtpEndpoint({ ...options, codecs: [] })).rejects.toMatchObject({
      endCode: 'no_codec',
    });
    const opening = engine.createRtpEndpoint(options);
    await engine.stop();
    await expect(opening).rejects.toMatchObject({ endCode: 'unavailable' });
  });
});

describe('media engine, an exception', () => {
  let clock: FakeClock;
  let logger: RecordingLogger;
  let engine: WeriftMediaEngine;
  beforeEach(() => {
    clock = new FakeClock();
    logger = new RecordingLogger();
    engine = new WeriftMediaEngine({
      listenIp: '127.0.0.1',
      advertisedIp: '',
      rtpPorts,
      webrtcPorts: [0, 0],
      remoteNetworks: ['127.0.0.0/8'],
      logger,
      clock,
      ids: systemIds,
    });
  });

  /** Two PBX legs of one call, joined, so that timers have something to send. */
  async function joined(): Promise<{ bridge: MediaBridge; peer: RtpPeer; ports: number[] }> {
    const options = { call, codecs: ['PCMA'] as const, remoteNetworks: ['127.0.0.0/8'] };
    const peer = await RtpPeer.open();
    const endpoints = await Promise.all([1, 2].map(() => engine.createRtpEndpoint(options)));
    const ports: number[] = [];
    for (const endpoint of endpoints) {
      ports.push(Number(/^m=audio (\d+)/m.exec(await endpoint.createAnswer(peer.sdp()))?.[1]));
    }
    const bridge = engine.createBridge(call);
    const [a, b] = endpoints as [RtpEndpoint, RtpEndpoint];
    bridge.connect(a.id, b.id);
    return { bridge, peer, ports };
  }

  afterEach(async () => {
    vi.restoreAllMocks();
    await engine.stop();
  });

  it('in a timer is logged once for the call; audio both ways, reports and the watchdog go on after it', async () => {
    const { bridge, peer } = await joined();
    const timeouts: string[] = [];
    bridge.onTimeout((kind) => timeouts.push(kind));
    clock.advance(200);
    await eventually(() => peer.received.length > 0, 'silence at the PBX');
    const broken = vi.spyOn(RtpSockets.prototype, 'sendRtp').mockImplementation(() => {
      throw new Error('the socket is broken');
    });
    vi.spyOn(RtpSockets.prototype, 'sendRtcp').mockImplementation(() => {
      throw new Error('the other socket is broken');
    });
    clock.advance(10_000);
    expect(broken.mock.calls.length).toBeGreaterThan(400);
    const faults = logger.lines.filter(({ level }) => level === 'error');
    expect(faults.every(({ message, fields }) => message === 'media timer failed' && fields['call'] === call)).toBe(
      true,
    );
    // Once for the reports of each leg, once for the bridge's beat.
    const texts = ['the other socket is broken', 'the other socket is broken', 'the socket is broken'];
    expect(faults.map(({ fields }) => (fields['err'] as Error).message).sort()).toEqual(texts);
    vi.restoreAllMocks();
    peer.received.length = peer.receivedRtcp.length = 0;
    clock.advance(10_000);
    const legs = () => new Set(peer.received.map(({ ssrc }) => ssrc)).size;
    // So much at once is too much for a socket: some of each leg's packets is all that can be asked.
    await eventually(() => legs() === 2, 'audio of both legs');
    await eventually(() => peer.receivedRtcp.length >= 2, 'reports');
    expect(timeouts).toEqual(['first']);
    bridge.disconnect();
    peer.close();
  });

  it('for a packet that comes in is logged once, and the next packets are taken', async () => {
    const { bridge, peer, ports } = await joined();
    const rtp = vi.spyOn(RtpSockets.prototype, 'sendRtp').mockImplementation(() => {
      throw new Error('the socket is broken');
    });
    const play = (sequence: number): void => {
      const payload = new Uint8Array(160);
      peer.send(ports[0]!, { payloadType: 8, sequence, timestamp: sequence * 160, payload });
    };
    for (let i = 0; i < 5; i++) play(i);
    await eventually(() => rtp.mock.calls.length >= 5, 'five packets were taken');
    expect(logger.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'media packet failed', fields: { call, err: { message: 'the socket is broken' } } },
    ]);
    vi.restoreAllMocks();
    for (let i = 5; i < 10; i++) play(i);
    await eventually(() => peer.received.length >= 5, 'audio of the other leg');
    bridge.disconnect();
    peer.close();
  });
});

function isSameVersion(a: string, b: string): boolean {
  return a.includes(':') === b.includes(':');
}
