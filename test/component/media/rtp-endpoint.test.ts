import { afterEach, describe, expect, it } from 'vitest';
import type { CallId } from '../../../src/lib/ids.js';
import { systemClock } from '../../../src/lib/clock.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { MediaEndpointEvent } from '../../../src/media/media-engine.js';
import type { MediaPacket } from '../../../src/media/packet-port.js';
import { PortPool } from '../../../src/media/port-pool.js';
import { remoteNetworks } from '../../../src/media/remote-networks.js';
import { buildRtcp, parseRtcp } from '../../../src/media/rtcp-packet.js';
import type { UdpRtpEndpoint } from '../../../src/media/rtp-endpoint.js';
import { RtpSockets } from '../../../src/media/rtp-sockets.js';
import { eventually } from '../../support/eventually.js';
import { loopbackEndpoint, rtpPool } from '../../support/loopback-endpoint.js';
import { RtpPeer } from '../../support/rtp-peer.js';

const call = 'test' as CallId;
const frame = new Uint8Array(160).fill(0x55);
const closing: (() => Promise<void> | void)[] = [];

interface EndpointScene {
  readonly endpoint: UdpRtpEndpoint;
  readonly port: number;
  readonly events: MediaEndpointEvent[];
  readonly audio: MediaPacket[];
  readonly digits: MediaPacket[];
}

async function openEndpoint(
  options: { networks?: string[]; latch?: boolean; codecs?: ('PCMA' | 'PCMU')[] } = {},
): Promise<EndpointScene> {
  const { networks = ['127.0.0.0/8'], latch = false, codecs = ['PCMA', 'PCMU'] } = options;
  const { endpoint, rtpPort: port } = await loopbackEndpoint({
    codecs,
    maySendTo: remoteNetworks(networks),
    latch,
    logger: silentLogger.child({ call }),
  });
  closing.push(() => endpoint.close());
  const scene: EndpointScene = { endpoint, port, events: [], audio: [], digits: [] };
  endpoint.listen((event) => scene.events.push(event));
  const copy = (packet: MediaPacket): MediaPacket => ({ ...packet, payload: Uint8Array.from(packet.payload) });
  endpoint.port.onAudio = (packet) => scene.audio.push(copy(packet));
  endpoint.port.onTelephoneEvent = (packet) => scene.digits.push(copy(packet));
  return scene;
}

async function openPeer(): Promise<RtpPeer> {
  const peer = await RtpPeer.open();
  closing.push(() => peer.close());
  return peer;
}

/** A round trip through the endpoint's RTP socket: what was sent before has arrived by then. */
async function flush(scene: EndpointScene, peer: RtpPeer): Promise<void> {
  const before = scene.audio.length;
  peer.send(scene.port, { payloadType: 8, sequence: 60_000, timestamp: 0, payload: frame });
  await eventually(() => scene.audio.length > before, 'the flushing packet arrives');
  scene.audio.pop();
}

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('RTP endpoint, sending', () => {
  it('sends nothing before the answer, then one SSRC with unbroken sequence and timestamps', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    const offer = await scene.endpoint.createOffer();
    expect(offer).toContain(`m=audio ${scene.port} RTP/AVP 8 0 101`);
    scene.endpoint.port.sendAudio(frame, 20);
    await scene.endpoint.acceptAnswer(peer.sdp());
    for (let i = 0; i < 50; i++) scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.length === 50, 'all packets arrive');
    const first = peer.received[0]!;
    expect(first.marker).toBe(true);
    peer.received.forEach((packet, i) => {
      expect(packet).toMatchObject({
        payloadType: 8,
        ssrc: first.ssrc,
        sequence: (first.sequence + i) & 0xffff,
        timestamp: (first.timestamp + i * 160) >>> 0,
        marker: i === 0,
        fromPort: scene.port,
      });
      expect(packet.payload.equals(frame)).toBe(true);
    });
    expect(await scene.endpoint.stats()).toMatchObject({ codec: 'PCMA', packetsSent: 50 });
  });

  it('never sends to an address outside the networks of the trunk', async () => {
    const [scene, peer] = [await openEndpoint({ networks: ['127.0.0.2/32'] }), await openPeer()];
    await expect(scene.endpoint.createAnswer(peer.sdp())).rejects.toMatchObject({ endCode: 'not_allowed' });
    await scene.endpoint.createOffer();
    await expect(scene.endpoint.acceptAnswer(peer.sdp())).rejects.toMatchObject({ endCode: 'not_allowed' });
    for (let i = 0; i < 5; i++) scene.endpoint.port.sendAudio(frame, 20);
    scene.endpoint.sendDtmf('1', 100);
    await scene.endpoint.close();
    const witness = await openPeer();
    const other = await openEndpoint();
    await other.endpoint.createAnswer(witness.sdp());
    other.endpoint.port.sendAudio(frame, 20);
    await eventually(() => witness.received.length === 1, 'a packet sent later arrives');
    expect([peer.received.length, peer.receivedRtcp.length]).toEqual([0, 0]);
  });

  it('refuses an offer without a usable codec as `no_codec`', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await expect(scene.endpoint.createAnswer(peer.sdp({ formats: '18' }))).rejects.toMatchObject({
      endCode: 'no_codec',
    });
    await expect(scene.endpoint.createAnswer('junk')).rejects.toMatchObject({
      name: 'MediaError',
      endCode: 'bad_request',
    });
  });

  it('obeys hold and resume in the same dialog: codec, SSRC and numbers go on', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    const first = await scene.endpoint.createAnswer(peer.sdp({ formats: '0 8' }));
    expect(first).toContain('m=audio');
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.length === 1, 'audio before the hold');
    const held = await scene.endpoint.createAnswer(peer.sdp({ formats: '0 8', direction: 'sendonly' }));
    expect(held).toContain('a=recvonly');
    for (let i = 0; i < 10; i++) scene.endpoint.port.sendAudio(frame, 20);
    await scene.endpoint.createAnswer(peer.sdp({ formats: '0 8', direction: 'inactive' }));
    scene.endpoint.port.sendAudio(frame, 20);
    await scene.endpoint.createAnswer(peer.sdp({ formats: '0 8', address: '0.0.0.0' }));
    scene.endpoint.port.sendAudio(frame, 20);
    await scene.endpoint.createAnswer(peer.sdp({ formats: '0 8' }));
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.length === 2, 'audio after the hold');
    const [before, after] = peer.received;
    expect(after).toMatchObject({
      ssrc: before!.ssrc,
      payloadType: before!.payloadType,
      sequence: (before!.sequence + 1) & 0xffff,
      timestamp: (before!.timestamp + 13 * 160) >>> 0,
      marker: true,
    });
  });

  it.each([
    ['sendrecv', '127.0.0.1', false],
    // A hold: music may come, but many PBXs play none.
    ['sendonly', '127.0.0.1', true],
    ['recvonly', '127.0.0.1', true],
    ['inactive', '127.0.0.1', true],
    ['sendrecv', '0.0.0.0', true],
  ] as const)('may miss packets of a PBX that says a=%s from %s: %s', async (direction, address, quiet) => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    expect(scene.endpoint.port.quiet).toBe(false);
    await scene.endpoint.createAnswer(peer.sdp());
    await scene.endpoint.createAnswer(peer.sdp({ direction, address }));
    expect(scene.endpoint.port.quiet).toBe(quiet);
    await scene.endpoint.createAnswer(peer.sdp());
    expect(scene.endpoint.port.quiet).toBe(false);
  });

  it('still hears the music of a PBX that holds the call', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp({ direction: 'sendonly' }));
    peer.send(scene.port, { payloadType: 8, sequence: 1, timestamp: 160, payload: frame });
    await eventually(() => scene.audio.length === 1, 'music arrives');
  });

  it('counts the version of its description up only when it changes', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    const origin = (sdp: string): string => /^o=.*$/m.exec(sdp)![0];
    const first = await scene.endpoint.createAnswer(peer.sdp());
    const refreshed = await scene.endpoint.createAnswer(peer.sdp());
    const held = await scene.endpoint.createAnswer(peer.sdp({ direction: 'sendonly' }));
    expect(refreshed).toBe(first);
    expect(origin(first)).toMatch(/^o=- \d+ 1 IN IP4 127\.0\.0\.1\r?$/);
    expect(origin(held)).toBe(origin(first).replace(' 1 IN', ' 2 IN'));
  });

  it('keeps what was agreed when a later offer is unusable', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    await expect(scene.endpoint.createAnswer(peer.sdp({ formats: '18' }))).rejects.toThrow();
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.length === 1, 'audio still flows');
  });

  it('sends digits as events in place of audio, in the same numbering', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    scene.endpoint.port.sendAudio(frame, 20);
    scene.endpoint.sendDtmf('#', 100);
    for (let i = 0; i < 5; i++) scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.filter(({ payload }) => payload[1]! & 0x80).length === 3, 'the digit ends');
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.at(-1)!.payloadType === 8 && peer.received.length > 4, 'audio goes on');
    const events = peer.received.filter(({ payloadType }) => payloadType === 101);
    const start = (peer.received[0]!.timestamp + 160) >>> 0;
    expect(new Set(events.map(({ timestamp }) => timestamp))).toEqual(new Set([start]));
    expect(events.map(({ marker }) => marker)).toEqual(events.map((_, i) => i === 0));
    expect(events.at(-1)!.payload.readUInt16BE(2)).toBe(800);
    expect(peer.received.map(({ sequence }, i) => (sequence - peer.received[0]!.sequence - i) & 0xffff)).toEqual(
      peer.received.map(() => 0),
    );
    expect(peer.received.at(-1)!.timestamp).toBe((start + 800) >>> 0);
  });
});

describe('RTP endpoint, receiving', () => {
  it('delivers audio and events of the PBX, and says once that the first packet came', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    peer.send(scene.port, { payloadType: 8, sequence: 7, timestamp: 160, marker: true, payload: frame });
    peer.send(scene.port, { payloadType: 101, sequence: 8, timestamp: 320, payload: Uint8Array.of(5, 10, 0, 160) });
    peer.send(scene.port, { payloadType: 13, sequence: 9, timestamp: 480, payload: Uint8Array.of(60) });
    peer.send(scene.port, { payloadType: 18, sequence: 10, timestamp: 640, payload: frame });
    await flush(scene, peer);
    expect(scene.audio).toEqual([{ sequence: 7, timestamp: 160, marker: true, payload: frame }]);
    expect(scene.digits.map(({ payload }) => [...payload])).toEqual([[5, 10, 0, 160]]);
    expect(scene.events).toEqual([{ type: 'first_packet' }]);
    expect(scene.endpoint.port.heard).toBe(5);
  });

  it('ignores packets of another source, and answers none of them', async () => {
    const [scene, peer, stranger] = [await openEndpoint(), await openPeer(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    for (let i = 0; i < 20; i++) {
      stranger.send(scene.port, { payloadType: 8, sequence: i, timestamp: i * 160, payload: frame });
      stranger.sendRtcp(
        scene.port + 1,
        buildRtcp({ ssrc: 1, cname: 'x', sender: undefined, block: undefined, bye: true }),
      );
    }
    await eventually(() => scene.endpoint.foreignPackets === 40, 'all foreign packets are counted');
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.received.length === 1, 'audio goes to the PBX');
    expect([scene.audio.length, scene.events.length, stranger.received.length]).toEqual([0, 0, 0]);
    expect(scene.endpoint.port.heard).toBe(0);
  });

  it('learns another source only when told to, and only once', async () => {
    const [scene, peer, nat, late] = [
      await openEndpoint({ latch: true }),
      await openPeer(),
      await openPeer(),
      await openPeer(),
    ];
    await scene.endpoint.createAnswer(peer.sdp());
    nat.send(scene.port, { payloadType: 3, sequence: 1, timestamp: 0, payload: frame });
    for (const sequence of [2, 3, 4]) {
      nat.send(scene.port, { payloadType: 8, sequence, timestamp: sequence * 160, payload: frame });
    }
    await eventually(() => scene.audio.length === 3, 'audio from behind the NAT, from its first packet on');
    late.send(scene.port, { payloadType: 8, sequence: 5, timestamp: 800, payload: frame });
    await eventually(() => scene.endpoint.foreignPackets === 2, 'the late one is foreign');
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => nat.received.length === 1, 'audio goes back the same way');
    expect([peer.received.length, late.received.length, scene.audio.length]).toEqual([0, 0, 3]);
  });

  it('understands the other law of G.711 when the trunk lists it, and not otherwise', async () => {
    const [both, peer] = [await openEndpoint(), await openPeer()];
    await both.endpoint.createAnswer(peer.sdp({ formats: '8 0' }));
    peer.send(both.port, { payloadType: 0, sequence: 1, timestamp: 0, payload: Uint8Array.of(0xff, 0x80) });
    await eventually(() => both.audio.length === 1, 'the packet arrives');
    expect([...both.audio[0]!.payload]).toEqual([0xd5, 0xaa]);
    const [one, other] = [await openEndpoint({ codecs: ['PCMA'] }), await openPeer()];
    await one.endpoint.createAnswer(other.sdp());
    other.send(one.port, { payloadType: 0, sequence: 1, timestamp: 0, payload: frame });
    await flush(one, other);
    expect(one.audio).toHaveLength(0);
  });

  it('survives junk on both ports', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    for (let length = 0; length < 64; length++) {
      const junk = Uint8Array.from({ length }, (_, i) => (i * 97 + length * 31) & 0xff);
      peer.sendRaw(scene.port, junk);
      peer.sendRaw(scene.port, Uint8Array.from([0x81, 200, ...junk]));
      peer.sendRtcp(scene.port + 1, junk);
    }
    await flush(scene, peer);
    expect(scene.endpoint.foreignPackets).toBe(0);
  });

  it('throws away what is too long for audio, so that what waits for an answer stays small', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    const payload = new Uint8Array(40_000).fill(0x55);
    peer.send(scene.port, { payloadType: 8, sequence: 1, timestamp: 0, payload });
    await flush(scene, peer);
    expect(scene.audio).toHaveLength(0);
  });

  it('counts loss and jitter', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    for (const sequence of [1, 2, 3, 5, 6, 9]) {
      peer.send(scene.port, { payloadType: 8, sequence, timestamp: sequence * 160, payload: frame });
    }
    await eventually(() => scene.audio.length === 6, 'all arrive');
    const stats = await scene.endpoint.stats();
    expect(stats).toMatchObject({ packetsReceived: 6, packetsLost: 3 });
    expect(stats.jitterMs).toBeGreaterThan(0);
  });
});

describe('RTP endpoint, RTCP and closing', () => {
  it('reports on what it receives, and says BYE when it closes, once', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    peer.send(scene.port, { payloadType: 8, sequence: 1, timestamp: 160, ssrc: 0xabc, payload: frame });
    peer.sendRtcp(
      scene.port + 1,
      buildRtcp({
        ssrc: 0xabc,
        cname: 'pbx',
        sender: { ntpSeconds: 1, ntpFraction: 0x8000_0000, rtpTimestamp: 0, packets: 1, octets: 160 },
        block: undefined,
        bye: false,
      }),
    );
    await eventually(() => scene.endpoint.port.heard === 2, 'both are heard');
    scene.endpoint.port.sendAudio(frame, 20);
    await Promise.all([scene.endpoint.close(), scene.endpoint.close()]);
    await eventually(() => peer.receivedRtcp.length === 1 && peer.received.length === 1, 'the goodbye arrives');
    const content = parseRtcp(peer.receivedRtcp[0]!)!;
    expect(content.byes).toEqual([peer.received[0]!.ssrc]);
    expect(content.blocks).toMatchObject([{ ssrc: 0xabc, highestSequence: 1, lastSenderReport: 0x0001_8000 }]);
    expect(peer.receivedRtcp[0]![1]).toBe(200);
  });

  it('is deaf and mute after closing, and its ports are free', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    const taken = rtpPool.taken;
    await scene.endpoint.close();
    scene.endpoint.port.sendAudio(frame, 20);
    scene.endpoint.sendDtmf('1', 100);
    await expect(scene.endpoint.createAnswer(peer.sdp())).rejects.toMatchObject({ endCode: 'internal' });
    expect(rtpPool.taken).toBe(taken - 1);
    const witness = await openPeer();
    witness.send(peer.port, { payloadType: 8, sequence: 1, timestamp: 0, payload: frame });
    await eventually(
      () => peer.received.some(({ fromPort }) => fromPort === witness.port),
      'what was sent later arrives',
    );
    expect(peer.received.map(({ fromPort }) => fromPort)).toEqual([witness.port]);
  });

  it('outlives a PBX whose port is closed (ICMP)', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp());
    peer.close();
    closing.pop();
    for (let i = 0; i < 10; i++) scene.endpoint.port.sendAudio(frame, 20);
    const other = await openPeer();
    await scene.endpoint.createAnswer(other.sdp());
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => other.received.length === 1, 'audio to the new address');
  });

  it('copes with a PBX that has no port left above its RTP port', async () => {
    const [scene, peer] = [await openEndpoint(), await openPeer()];
    await scene.endpoint.createAnswer(peer.sdp().replace(`m=audio ${peer.port} `, 'm=audio 65535 '));
    scene.endpoint.port.sendAudio(frame, 20);
    await expect(scene.endpoint.close()).resolves.toBeUndefined();
  });

  it('passes over a port that another process holds', async () => {
    const held = await RtpPeer.open();
    closing.push(() => held.close());
    const even = held.port % 2 === 0 ? held.port : held.port + 1;
    const first = even - 2;
    const small = new PortPool({
      range: [first, first + 5],
      clock: systemClock,
      random: () => 0.4,
      quarantineMs: 60_000,
    });
    const sockets = await RtpSockets.open(small, '127.0.0.1', systemClock);
    expect([first, first + 4]).toContain(sockets.rtpPort);
    await sockets.close();
  });
});

describe('RTP endpoint, around the answer', () => {
  /** An endpoint that nobody listens to yet. */
  const openUnheard = async (): Promise<EndpointScene> => {
    const scene = await openEndpoint();
    scene.endpoint.port.onAudio = undefined;
    await scene.endpoint.createOffer();
    return scene;
  };
  const say = (scene: EndpointScene, peer: RtpPeer, sequence: number): void =>
    peer.send(scene.port, { payloadType: 8, sequence, timestamp: sequence * 160, payload: frame });
  /** What is heard once somebody listens, and what comes after that. */
  const listen = (scene: EndpointScene): number[] => {
    const heard: number[] = [];
    scene.endpoint.port.onAudio = ({ sequence }) => heard.push(sequence);
    scene.endpoint.port.recall?.();
    return heard;
  };
  /** A round trip through the socket: a second endpoint's answer proves that what was sent before has been read. */
  const settle = async (): Promise<void> => {
    const [witness, peer] = [await openEndpoint(), await openPeer()];
    await witness.endpoint.createAnswer(peer.sdp());
    await flush(witness, peer);
  };

  it('keeps the first packets of a PBX whose RTP outruns its 200, and what came before anybody listened', async () => {
    const [scene, peer] = [await openUnheard(), await openPeer()];
    for (const sequence of [1, 2, 3]) say(scene, peer, sequence);
    await settle();
    await scene.endpoint.acceptAnswer(peer.sdp());
    for (const sequence of [4, 5]) say(scene, peer, sequence);
    await settle();
    const heard = listen(scene);
    expect(heard).toEqual([1, 2, 3, 4, 5]);
    say(scene, peer, 6);
    await eventually(() => heard.length === 6, 'live packets follow');
    expect(scene.endpoint.foreignPackets).toBe(0);
  });

  it('forgets what came from elsewhere than the answer says: another port, an address of nobody', async () => {
    const [scene, peer, stranger] = [await openUnheard(), await openPeer(), await openPeer()];
    say(scene, stranger, 90);
    say(scene, peer, 1);
    say(scene, stranger, 91);
    await settle();
    await scene.endpoint.acceptAnswer(peer.sdp());
    expect(listen(scene)).toEqual([1]);
    say(scene, stranger, 92);
    await eventually(() => scene.endpoint.foreignPackets === 1, 'the stranger is foreign now');
  });

  it('hands nothing over twice, and keeps nothing once somebody listens', async () => {
    const [scene, peer] = [await openUnheard(), await openPeer()];
    await scene.endpoint.acceptAnswer(peer.sdp());
    say(scene, peer, 1);
    await settle();
    expect(listen(scene)).toEqual([1]);
    expect(listen(scene)).toEqual([]);
    scene.endpoint.port.onAudio = undefined;
    say(scene, peer, 2);
    await settle();
    expect(listen(scene)).toEqual([]);
  });

  it('recodes the other law once', async () => {
    const [scene, peer] = [await openUnheard(), await openPeer()];
    const heard: Uint8Array[] = [];
    await scene.endpoint.acceptAnswer(peer.sdp());
    peer.send(scene.port, { payloadType: 0, sequence: 1, timestamp: 0, payload: new Uint8Array(160).fill(0xff) });
    await settle();
    scene.endpoint.port.onAudio = ({ payload }) => heard.push(Uint8Array.from(payload));
    scene.endpoint.port.recall?.();
    expect(heard.map((payload) => payload[0])).toEqual([0xd5]);
  });
});
