import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { SourceGuard, datagramKind } from '../../../src/media/source-guard.js';
import { silenceFrame } from '../../../src/media/webrtc-beat.js';
import { createWeriftEndpoint } from '../../../src/media/webrtc-endpoint.js';
import type { PacketPath } from '../../../src/media/werift-packets.js';
import { pace } from '../../support/pace.js';
import { boundSocket, type RelayRule } from '../../support/udp-relay.js';
import { WebRtcScene } from '../../support/webrtc-scene.js';
import { until } from '../../support/until.js';

let scene: WebRtcScene;
afterEach(() => scene.close());

const directions = ['user-initiated', 'business-initiated'] as const;
type Direction = (typeof directions)[number];

async function setUp(direction: Direction, edit?: (sdp: string) => string): Promise<void> {
  await (direction === 'user-initiated' ? scene.userInitiated(edit) : scene.businessInitiated(edit));
}

/** A call that is up, sends and receives. */
async function talking(direction: Direction, rule: RelayRule = () => 1, path?: PacketPath): Promise<void> {
  scene = new WebRtcScene(undefined, path);
  scene.relayRule = () => 1;
  await setUp(direction);
  await scene.connected();
  scene.relay!.rule = rule;
  scene.endpoint.openSending();
  scene.peer.play();
  await until(() => scene.received.length >= 10 && scene.rtpSent.length >= 10, 'packets both ways');
}

/** Packets flow both ways still: counted at us, and by libwebrtc. */
async function expectStillTalking(): Promise<void> {
  const heardByPeer = async () => Number((await scene.peer.stats('inbound-rtp'))[0]?.['packetsReceived']);
  const [received, atPeer] = [scene.received.length, await heardByPeer()];
  await until(() => scene.received.length >= received + 50, '50 more packets from the peer');
  expect(await heardByPeer()).toBeGreaterThan(atPeer + 40);
  expect(scene.saw('failed')).toBe(false);
}

const record = (type: number, epoch: number, ...body: number[]) =>
  Buffer.from([type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, 0, body.length, ...body]);
const forgedRecords = {
  'an unknown content type': record(63, 0, 1, 2),
  'a plaintext warning alert': record(21, 0, 1, 0),
  'a plaintext fatal alert': record(21, 0, 2, 40),
  // RFC 6347 §4.2.1: version, random, no session, no cookie, TLS_NULL_WITH_NULL_NULL, no compression
  'a ClientHello with the null cipher': record(
    22,
    0,
    ...[1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, 0xfe, 0xfd],
    ...Array<number>(32).fill(7),
    ...[0, 0, 0, 2, 0, 0, 1, 0],
  ),
};
/** A binding request with a user name but no MESSAGE-INTEGRITY. */
const unsignedCheck = Buffer.concat([
  Buffer.from([0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42]),
  Buffer.alloc(12, 5),
  Buffer.from([0, 6, 0, 3, 0x61, 0x3a, 0x62, 0]),
]);

describe.each(directions)('a %s call', (direction) => {
  it('survives forged datagrams of a stranger and answers none', async () => {
    await talking(direction);
    const attacker = await boundSocket('127.0.0.2');
    let answers = 0;
    attacker.on('message', () => answers++);
    const target = scene.relay!.callerPort;
    const forged = [...Object.values(forgedRecords), unsignedCheck];
    for (let round = 0; round < 20; round++) for (const data of forged) attacker.send(data, target, '127.0.0.1');
    await until(() => scene.endpoint.dropped.foreign >= 100, 'the guard saw them all');
    await expectStillTalking();
    attacker.close();
    expect(answers).toBe(0);
    expect(scene.logger.lines.filter(({ message }) => message.includes('DTLS closed'))).toEqual([]);
  });

  it('survives forged datagrams with the address of the peer', async () => {
    await talking(direction);
    const forged = [...Object.values(forgedRecords), unsignedCheck];
    for (const data of forged) scene.relay!.forge(data);
    await until(() => scene.endpoint.dropped.forged >= forged.length, 'the guard saw them all');
    await expectStillTalking();
    expect(scene.logger.lines.filter(({ message }) => message.includes('DTLS closed'))).toEqual([]);
  });

  it.each(['own', 'werift'] as const)('delivers each packet once, however often it comes: by %s', async (path) => {
    await talking(direction, (data, way) => (way === 'from_peer' && datagramKind(data) === 'srtp' ? 3 : 1), path);
    await until(() => scene.endpoint.dropped.replayed >= 100, '100 replays');
    const sequences = scene.received.map(({ sequence }) => sequence);
    expect(new Set(sequences).size).toBe(sequences.length);
    expect((await scene.endpoint.stats()).packetsReceived).toBeLessThanOrEqual(sequences.length + 1);
  });

  it('fails, without a packet of media, if the certificate is not that of the SDP', async () => {
    scene = new WebRtcScene();
    const other = Array<string>(32).fill('AB').join(':');
    await setUp(direction, (sdp) => sdp.replace(/(a=fingerprint:sha-256 )\S+/, `$1${other}`));
    scene.endpoint.openSending();
    await until(() => scene.saw('failed'), 'failed', 8000);
    expect(scene.events.map(({ type }) => type)).toEqual(['ice_connected', 'failed']);
    expect(scene.events[1]).toMatchObject({ reason: { code: 'media_failed', sipStatus: 488 } });
    expect(scene.rtpSent).toEqual([]);
  });

  it.each([1, 2, 3])('comes up although a quarter of all packets is lost (seed %i)', async (seed) => {
    scene = new WebRtcScene();
    let state = seed;
    scene.relayRule = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // a linear congruential generator, its high bits
      return state / 2 ** 32 < 0.25 ? 0 : 1;
    };
    await setUp(direction);
    await until(() => scene.saw('dtls_connected'), 'dtls_connected', 15_000);
  });

  it('connects when the path opens long after ICE would have given up', async () => {
    scene = new WebRtcScene();
    let isOpen = false;
    scene.relayRule = () => (isOpen ? 1 : 0);
    await setUp(direction);
    // werift alone gives a pair up after 1.55 s and then sends nothing more; so many checks prove that it was woken.
    await until(() => scene.sent.length >= 12, 'twelve checks into the void', 12_000);
    const openedAtMs = performance.now();
    isOpen = true;
    await until(() => scene.saw('ice_connected'), 'ice_connected', 4000);
    expect(performance.now() - openedAtMs).toBeLessThan(2000);
    await scene.connected();
  });
});

describe('a business-initiated call', () => {
  it('answers a ClientHello that came before ICE was done; an OpenSSL peer repeats it a second later only', async () => {
    scene = new WebRtcScene();
    let hellos = 0;
    let hellosAtIce = 0;
    scene.endpoint.listen((event) => {
      scene.events.push(event);
      if (event.type === 'ice_connected') hellosAtIce = hellos;
    });
    scene.relayRule = (data, way) => {
      if (way === 'to_peer') return 1;
      // Handshake message 0 of type 1; libwebrtc repeats it after 50 ms, and only the first one may get through.
      const isHello = data[0] === 22 && data[13] === 1 && data.readUInt16BE(17) === 0;
      if (isHello && hellos++ > 0) return 0;
      // Our checks stay unanswered until the peer has sent it.
      return hellos === 0 && data.readUInt16BE(0) === 0x0101 ? 0 : 1;
    };
    await setUp('business-initiated');
    await until(() => scene.saw('dtls_connected'), 'dtls_connected');
    expect(hellosAtIce).toBeGreaterThan(0);
  });
});

describe('a user-initiated call', () => {
  it('comes up although the last flight of the handshake was lost: our Finished is repeated as a new record', async () => {
    scene = new WebRtcScene();
    let lost = 0;
    const isLastFlight = (data: Buffer) => data[0] === 20 || (data[0] === 22 && data.readUInt16BE(3) === 1);
    scene.relayRule = (data, way) => (way === 'from_peer' && isLastFlight(data) && lost++ < 2 ? 0 : 1);
    await setUp('user-initiated');
    await scene.connected(10_000);
    expect(lost).toBeGreaterThanOrEqual(2);
  });
});

describe('without the guard', () => {
  it('a stranger closes DTLS with one datagram: what the guard is for', async () => {
    await talking('user-initiated');
    vi.spyOn(SourceGuard.prototype, 'admits').mockReturnValue(true);
    const attacker = await boundSocket('127.0.0.2');
    attacker.send(forgedRecords['a plaintext warning alert'], scene.relay!.callerPort, '127.0.0.1');
    const closed = () => scene.logger.lines.some(({ message }) => message.includes('DTLS closed'));
    await until(closed, 'DTLS closed');
    attacker.close();
    // Even so the call goes on: DTLS that closes is believed only with silence.
    await expectStillTalking();
  });
});

describe('a peer that hangs up its media', () => {
  const linesAbout = (text: string) =>
    scene.logger.lines.filter(({ message }) => message.includes(text)).map(({ level }) => level);

  it('is given up, with a warning, when DTLS is closed and 5 s were silent', async () => {
    await talking('user-initiated');
    const closedAtMs = performance.now();
    scene.peer.close();
    await until(() => scene.saw('failed'), 'failed', 10_000);
    expect(performance.now() - closedAtMs).toBeGreaterThan(4500);
    expect(scene.events.at(-1)).toMatchObject({ type: 'failed', reason: { code: 'media_failed' } });
    expect(linesAbout('DTLS')).toEqual(['debug', 'warn']);
  });

  it('is nothing to warn of when the call ends as well', async () => {
    await talking('user-initiated');
    scene.peer.close();
    await until(() => linesAbout('DTLS closed').length > 0, 'DTLS closed');
    await scene.endpoint.close();
    expect(scene.clock.armed).toBe(0);
    expect(linesAbout('DTLS')).toEqual(['debug']);
    expect(scene.saw('failed')).toBe(false);
  });
});

describe("Meta's own addresses", () => {
  const fixture = (name: string) => readFileSync(new URL(`../../fixtures/sdp/${name}.sdp`, import.meta.url), 'utf8');

  it('are refused before a packet leaves when only loopback is allowed', async () => {
    scene = new WebRtcScene();
    const refused = { code: 'SIP2WA_MEDIA', endCode: 'not_allowed' };
    await expect(scene.endpoint.createAnswer(fixture('meta-user-initiated-offer-from-meta'))).rejects.toMatchObject(
      refused,
    );
    await scene.endpoint.createOffer();
    const answer = fixture('meta-business-initiated-answer-from-meta');
    await expect(scene.endpoint.acceptAnswer(answer)).rejects.toMatchObject(refused);
    await scene.endpoint.start();
    expect(scene.sent).toEqual([]);
  });
});

describe('ports', () => {
  const onPorts = (ports: readonly [number, number]) =>
    createWeriftEndpoint({
      call: 'call' as CallId,
      id: 'media',
      listenIp: '127.0.0.1',
      advertisedIp: '127.0.0.1',
      ports,
      remoteAllowed: () => true,
      logger: silentLogger,
      clock: systemClock,
    });

  it('that are all taken refuse the call with a limit; a closed call gives its port back', async () => {
    scene = new WebRtcScene();
    const probe = await boundSocket('127.0.0.1');
    const { port } = probe.address();
    const refused = onPorts([port, port]);
    await expect(refused.createOffer()).rejects.toMatchObject({ code: 'SIP2WA_MEDIA', endCode: 'limit' });
    await new Promise<void>((resolve) => probe.close(() => resolve()));
    for (let i = 0; i < 2; i++) {
      const endpoint = onPorts([port, port]);
      await expect(endpoint.createOffer()).resolves.toContain('a=setup:actpass');
      await endpoint.close();
    }
    await refused.close();
  });

  it('are given back when the call ends while it is set up', async () => {
    scene = new WebRtcScene();
    const endpoint = onPorts([0, 0]);
    const offer = endpoint.createOffer();
    await endpoint.close();
    await expect(offer).rejects.toMatchObject({ code: 'SIP2WA_MEDIA', endCode: 'cancelled' });
    await until(() => !process.getActiveResourcesInfo().includes('UDPWrap'), 'no socket left');
  });
});

describe('closing', () => {
  it('leaves no socket and no timer, at any stage', async () => {
    const alive = () =>
      process.getActiveResourcesInfo().filter((name) => name === 'UDPWrap' || name === 'Timeout').length;
    scene = new WebRtcScene();
    const before = alive();
    expect(scene.clock.armed).toBe(0);
    await setUp('user-initiated');
    await scene.connected();
    scene.endpoint.openSending();
    await until(() => scene.rtpSent.length >= 5, 'some packets');
    // The beat and the reports: both have to be counted for their absence to mean anything.
    expect(scene.clock.armed).toBeGreaterThanOrEqual(2);
    await scene.endpoint.close();
    await scene.endpoint.close();
    expect(scene.clock.armed).toBe(0);
    const sent = scene.sent.length;
    scene.peer.close();
    await until(() => alive() <= before, `back to ${before} handles`, 2000);
    // Ten beats with a frame for each, and all the deadlines of a call.
    scene.clock.skip(60_000);
    await pace(10, 20, () => scene.endpoint.port.sendAudio(silenceFrame, 20));
    expect(scene.sent.length).toBe(sent);
    expect(scene.events.map(({ type }) => type)).not.toContain('failed');
  });
});
