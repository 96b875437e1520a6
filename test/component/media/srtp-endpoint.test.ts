import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { systemIds } from '../../../src/lib/ids.js';
import type { MediaEndpointEvent } from '../../../src/media/media-engine.js';
import { parseRtcp } from '../../../src/media/rtcp-packet.js';
import type { UdpRtpEndpoint } from '../../../src/media/rtp-endpoint.js';
import { emptyRtpFields, isRtcp, parseRtp, writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.js';
import type { SrtpSuite } from '../../../src/routing/types.js';
import { cryptoLines, srtpSuites, type CryptoLine, type SrtpKey } from '../../../src/sdp/sdes.js';
import type { SrtpPolicy } from '../../../src/sdp/srtp-negotiation.js';
import { eventually } from '../../support/eventually.js';
import { loopbackEndpoint } from '../../support/loopback-endpoint.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { KeepingSrtpSender, testKey } from '../../support/srtp-keys.js';

const frame = Buffer.alloc(160, 0x55);
const plainFrame = frame.toString('hex');
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const cryptoOf = (sdp: string): CryptoLine[] => cryptoLines(sdp.split('\r\n'));

interface EndpointScene {
  readonly endpoint: UdpRtpEndpoint;
  readonly port: number;
  readonly events: MediaEndpointEvent[];
  readonly audio: string[];
  readonly digits: string[];
  readonly logger: RecordingLogger;
}

async function openEndpoint(srtp?: SrtpPolicy): Promise<EndpointScene> {
  const logger = new RecordingLogger();
  const { endpoint, rtpPort: port } = await loopbackEndpoint({ logger, srtp });
  closing.push(() => endpoint.close());
  const scene: EndpointScene = { endpoint, port, events: [], audio: [], digits: [], logger };
  endpoint.listen((event) => scene.events.push(event));
  return scene;
}

/** The bridge takes hold. */
function join({ endpoint, audio, digits }: EndpointScene): void {
  endpoint.port.onAudio = ({ payload }) => audio.push(Buffer.from(payload).toString('hex'));
  endpoint.port.onTelephoneEvent = ({ payload }) => digits.push(Buffer.from(payload).toString('hex'));
  endpoint.port.recall?.();
}

/** A PBX's two media ports: keeps what comes as it stood on the wire. */
class WirePeer {
  readonly datagrams: Buffer[] = [];
  #sequence = 0;

  private constructor(
    private readonly rtp: Socket,
    rtcp: Socket,
  ) {
    for (const socket of [rtp, rtcp]) socket.on('message', (datagram) => this.datagrams.push(datagram));
    closing.push(() => {
      rtp.close();
      rtcp.close();
    });
  }

  static async open(): Promise<WirePeer> {
    for (let attempt = 0; attempt < 20; attempt++) {
      const rtp = await bound(0);
      const rtcp = await bound(rtp.address().port + 1).catch(() => undefined);
      if (rtcp) return new WirePeer(rtp, rtcp);
      rtp.close();
    }
    throw new Error('no two neighbouring ports are free');
  }

  sdp(protocol: string, crypto: readonly string[] = [], direction = 'sendrecv'): string {
    return [
      'v=0',
      'o=peer 1 1 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=audio ${this.rtp.address().port} ${protocol} 8 101`,
      'a=rtpmap:101 telephone-event/8000',
      ...crypto,
      `a=${direction}`,
      '',
    ].join('\r\n');
  }

  /** The next packet of its stream, plain. */
  packet(text = plainFrame): Buffer {
    const payload = Buffer.from(text, 'hex');
    const datagram = Buffer.alloc(12 + payload.length);
    const sequence = this.#sequence++;
    writeRtpHeader(datagram, 8, false, sequence, sequence * 160, 0xbeef);
    payload.copy(datagram, 12);
    return datagram;
  }

  send(port: number, datagram: Buffer): void {
    this.rtp.send(datagram, port, '127.0.0.1');
  }
}

async function bound(port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind({ port, address: '127.0.0.1', exclusive: true });
  await once(socket, 'listening');
  return socket;
}

const lineOf = (tag: number, key: SrtpKey): string => `a=crypto:${tag} ${key.suite} ${key.inline}`;
const required = (...suites: SrtpSuite[]): SrtpPolicy => ({ mode: 'required', suites });
const optional: SrtpPolicy = { mode: 'optional', suites: srtpSuites };
const s80 = 'AES_CM_128_HMAC_SHA1_80';
const s32 = 'AES_CM_128_HMAC_SHA1_32';

/** A secured leg that was offered to the peer and answered with the peer's key. */
async function securedLeg(suite: SrtpSuite, mode: SrtpPolicy['mode'] = 'required') {
  const peerKey = testKey(suite, 0x21);
  const [scene, peer] = [await openEndpoint({ mode, suites: [suite] }), await WirePeer.open()];
  const [line] = cryptoOf(await scene.endpoint.createOffer());
  if (!line) throw new Error('nothing was offered');
  await scene.endpoint.acceptAnswer(peer.sdp('RTP/SAVP', [lineOf(1, peerKey)]));
  join(scene);
  const sender = new KeepingSrtpSender(peerKey);
  /** What was sent before has arrived by then. */
  const flush = async (by = sender): Promise<void> => {
    const mark = systemIds.hex(20);
    peer.send(scene.port, by.sealRtp(peer.packet(mark)));
    await eventually(() => scene.audio.includes(mark), 'the flushing packet arrives');
    scene.audio.splice(scene.audio.indexOf(mark), 1);
  };
  return { scene, peer, ourKey: line.key, sender, flush };
}

describe.each(srtpSuites)('a leg with %s', (suite) => {
  it('speaks to another of its kind: audio, digits and reports both ways', async () => {
    const [a, b] = [await openEndpoint(required(suite)), await openEndpoint(optional)];
    const offer = await a.endpoint.createOffer();
    const answer = await b.endpoint.createAnswer(offer);
    await a.endpoint.acceptAnswer(answer);
    for (const scene of [a, b]) join(scene);
    for (let i = 0; i < 20; i++) {
      a.endpoint.port.sendAudio(Buffer.alloc(160, i), 20);
      b.endpoint.port.sendAudio(Buffer.alloc(160, 0x80 + i), 20);
    }
    await eventually(() => a.audio.length === 20 && b.audio.length === 20, 'all audio arrives');
    expect(b.audio).toEqual(Array.from({ length: 20 }, (_, i) => Buffer.alloc(160, i).toString('hex')));
    expect(a.audio).toEqual(Array.from({ length: 20 }, (_, i) => Buffer.alloc(160, 0x80 + i).toString('hex')));
    a.endpoint.sendDtmf('5', 100);
    await eventually(() => b.digits.some((digit) => digit.startsWith('058')), 'the digit arrives to its end');
    for (const { events } of [a, b]) expect(events).toContainEqual({ type: 'secured', suite });
    const heard = b.endpoint.port.heard ?? 0;
    await a.endpoint.close();
    await eventually(() => (b.endpoint.port.heard ?? 0) > heard, 'the last report arrives');
  });

  it('puts nothing on the wire that its offered key did not seal, goodbye included', async () => {
    const { scene, peer, ourKey } = await securedLeg(suite);
    for (let i = 0; i < 10; i++) scene.endpoint.port.sendAudio(frame, 20);
    scene.endpoint.sendDtmf('7', 60);
    await eventually(() => peer.datagrams.length >= 13, 'audio and digits arrive');
    await scene.endpoint.close();
    await eventually(() => peer.datagrams.some(isRtcp), 'the goodbye arrives');
    const refused = { unauthentic: 0, replayed: 0 };
    const receiver = new SrtpReceiver(ourKey, refused);
    for (const datagram of peer.datagrams) {
      expect(datagram.toString('hex')).not.toContain('5555555555');
      const opened = isRtcp(datagram) ? receiver.openRtcp(datagram) : receiver.openRtp(datagram);
      expect(opened && (isRtcp(opened) ? parseRtcp(opened) : parseRtp(opened, emptyRtpFields()))).toBeTruthy();
    }
    expect(refused).toEqual({ unauthentic: 0, replayed: 0 });
  });

  it('takes no plain packet, no forged one and none twice, counts them, and goes on', async () => {
    const { scene, peer, sender, flush } = await securedLeg(suite);
    const stranger = new KeepingSrtpSender(testKey(suite, 0x77));
    const sealed = sender.sealRtp(peer.packet());
    for (let i = 0; i < 5; i++) peer.send(scene.port, sealed);
    for (let i = 0; i < 5; i++) peer.send(scene.port, peer.packet());
    for (let i = 0; i < 5; i++) peer.send(scene.port, stranger.sealRtp(peer.packet()));
    await flush();
    expect(scene.audio).toEqual([plainFrame]);
    await scene.endpoint.close();
    expect(scene.logger.lines.at(-1)?.fields).toMatchObject({ unauthentic: 10, replayed: 4 });
    expect(scene.events.filter(({ type }) => type === 'failed')).toEqual([]);
  });
});

describe('before the answer', () => {
  it('nothing is sent, and what came shortly before is heard once its key is known', async () => {
    const [scene, peer] = [await openEndpoint(required(s80)), await WirePeer.open()];
    await scene.endpoint.createOffer();
    const key = testKey(s80, 0x21);
    const sender = new KeepingSrtpSender(key);
    scene.endpoint.port.sendAudio(frame, 20);
    for (let i = 0; i < 3; i++) peer.send(scene.port, sender.sealRtp(peer.packet(`0${i}`.repeat(80))));
    // The endpoint tells of nothing that it cannot open yet: a round trip by another socket shows that they are there.
    await once(await echo(), 'message');
    await scene.endpoint.acceptAnswer(peer.sdp('RTP/SAVP', [lineOf(1, key)]));
    join(scene);
    expect(scene.audio).toEqual(['00', '01', '02'].map((byte) => byte.repeat(80)));
    expect(peer.datagrams).toEqual([]);
  });

  it('plain packets are not heard if the answer brings a key, and are if it does not', async () => {
    for (const [crypto, heard] of [[[lineOf(2, testKey(s80, 0x21))], 0] as const, [[], 1] as const]) {
      const [scene, peer] = [await openEndpoint(optional), await WirePeer.open()];
      expect(await scene.endpoint.createOffer()).toMatch(/m=audio \d+ RTP\/AVP [\s\S]*a=crypto:3 /);
      peer.send(scene.port, peer.packet());
      await once(await echo(), 'message');
      await scene.endpoint.acceptAnswer(peer.sdp('RTP/AVP', crypto));
      join(scene);
      expect(scene.audio).toHaveLength(heard);
    }
  });
});

/** A socket that sends itself a datagram: loopback keeps the order, so that what was sent before has been received by then. */
async function echo(): Promise<Socket> {
  const socket = await bound(0);
  closing.push(() => {
    socket.close();
  });
  socket.send('x', socket.address().port, '127.0.0.1');
  return socket;
}

describe('a new description in the dialog', () => {
  it('with the same key changes nothing: our key, the version and the counters stay', async () => {
    const peerKey = testKey(s80, 0x21);
    const [scene, peer] = [await openEndpoint(optional), await WirePeer.open()];
    const first = await scene.endpoint.createAnswer(peer.sdp('RTP/SAVP', [lineOf(4, peerKey)]));
    join(scene);
    const sender = new KeepingSrtpSender(peerKey);
    const sealed = sender.sealRtp(peer.packet());
    peer.send(scene.port, sealed);
    await eventually(() => scene.audio.length === 1, 'the packet arrives');
    scene.endpoint.port.sendAudio(frame, 20);
    const second = await scene.endpoint.createAnswer(peer.sdp('RTP/SAVP', [lineOf(4, peerKey)]));
    expect(second).toBe(first);
    peer.send(scene.port, sealed);
    peer.send(scene.port, sender.sealRtp(peer.packet('aa'.repeat(160))));
    await eventually(() => scene.audio.length > 1, 'the next packet arrives');
    expect(scene.audio).toEqual([plainFrame, 'aa'.repeat(160)]);
    scene.endpoint.port.sendAudio(frame, 20);
    await eventually(() => peer.datagrams.length === 2, 'both packets arrive');
    const [own] = cryptoOf(first);
    const receiver = new SrtpReceiver(own?.key as SrtpKey, { unauthentic: 0, replayed: 0 });
    expect(peer.datagrams.map((datagram) => receiver.openRtp(datagram)?.length)).toEqual([172, 172]);
    expect(scene.events.filter(({ type }) => type === 'secured')).toHaveLength(1);
  });

  it('with a new key of the peer takes it, its counters begun anew, and hears what the old one sealed meanwhile', async () => {
    const { scene, peer, sender, flush } = await securedLeg(s80);
    await flush();
    const newKey = testKey(s80, 0x22);
    const onTheWay = sender.sealRtp(peer.packet('bb'.repeat(160)));
    const answer = await scene.endpoint.createAnswer(peer.sdp('RTP/SAVP', [lineOf(1, newKey)]));
    expect(cryptoOf(answer)).toHaveLength(1);
    peer.send(scene.port, onTheWay);
    await eventually(() => scene.audio.includes('bb'.repeat(160)), 'the packet of the old key arrives');
    const renewed = new KeepingSrtpSender(newKey);
    await flush(renewed);
    peer.send(scene.port, sender.sealRtp(peer.packet('cc'.repeat(160))));
    await flush(renewed);
    expect(scene.audio).not.toContain('cc'.repeat(160));
  });

  it('with another suite brings another key of ours, and never the former again', async () => {
    const [scene, peer] = [await openEndpoint(optional), await WirePeer.open()];
    const keys: string[] = [];
    for (const suite of [s80, s32, s80] as const) {
      const sdp = await scene.endpoint.createAnswer(peer.sdp('RTP/SAVP', [lineOf(1, testKey(suite, 0x21))]));
      const [line] = cryptoOf(sdp);
      expect(line?.key.suite).toBe(suite);
      keys.push(line?.key.inline ?? '');
    }
    expect(new Set(keys).size).toBe(3);
    expect(scene.events.filter(({ type }) => type === 'secured')).toHaveLength(3);
  });

  it.each(['required', 'optional'] as const)(
    'without a key is refused, and the leg stays as it was, %s',
    async (mode) => {
      const { scene, peer, ourKey, flush } = await securedLeg(s80, mode);
      for (const offer of [peer.sdp('RTP/AVP'), peer.sdp('RTP/SAVP')]) {
        await expect(scene.endpoint.createAnswer(offer)).rejects.toMatchObject({ endCode: 'no_codec' });
      }
      await flush();
      scene.endpoint.port.sendAudio(frame, 20);
      await eventually(() => peer.datagrams.length === 1, 'a packet arrives');
      const receiver = new SrtpReceiver(ourKey, { unauthentic: 0, replayed: 0 });
      expect(receiver.openRtp(peer.datagrams[0] as Buffer)?.subarray(12)).toEqual(frame);
    },
  );

  it('of ours repeats profile and key of what was agreed on, first', async () => {
    const [scene, peer] = [await openEndpoint(optional), await WirePeer.open()];
    const answer = await scene.endpoint.createAnswer(peer.sdp('RTP/SAVP', [lineOf(1, testKey(s32, 0x21))]));
    const offer = await scene.endpoint.createOffer();
    expect(offer).toMatch(/m=audio \d+ RTP\/SAVP /);
    const lines = cryptoOf(offer);
    expect(lines.map(({ key }) => key.suite)).toEqual([s32, 'AEAD_AES_128_GCM', s80]);
    expect(lines[0]?.key.inline).toBe(cryptoOf(answer)[0]?.key.inline);
  });
});

it('every leg has keys of its own, one a suite', async () => {
  const offers = await Promise.all([1, 2, 3].map(async () => (await openEndpoint(optional)).endpoint.createOffer()));
  const keys = offers.flatMap((offer) => cryptoOf(offer).map(({ key }) => key.inline));
  expect(keys).toHaveLength(9);
  expect(new Set(keys).size).toBe(9);
});
