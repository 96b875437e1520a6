import type { Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.js';
import { systemIds, type CallId } from '../../src/lib/ids.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { RtpEndpoint } from '../../src/media/media-engine.js';
import type { UdpRtpEndpoint } from '../../src/media/rtp-endpoint.js';
import { WeriftMediaEngine } from '../../src/media/werift-media-engine.js';
import { cryptoLines, srtpSuites, type SrtpKey } from '../../src/sdp/sdes.js';
import { boundSocket } from '../support/bound-socket.js';
import { pace } from '../support/pace.js';
import { address } from '../support/peers/addresses.js';
import { RtpEngine } from '../support/peers/rtpengine.js';
import { Scene } from '../support/peers/scene.js';
import { sequenceWalk, wrapsOf } from '../support/peers/sequence-walk.js';
import { until } from '../support/peers/until.js';
import { RtpPeer } from '../support/rtp-peer.js';
import { KeepingSrtpReceiver, KeepingSrtpSender, testKey } from '../support/srtp-keys.js';

const gap = 5_000;
const frames = 100;
const replace = ['origin', 'session-connection'];
const plain = { 'transport-protocol': 'RTP/AVP', replace };
const secured = { 'transport-protocol': 'RTP/SAVP', replace };

let scene: Scene;
let relay: RtpEngine;
beforeEach(async () => {
  scene = new Scene();
  relay = scene.add(await RtpEngine.start(address.rtpengine));
});
afterEach(() => scene.close());

const portOf = (sdp: string): number => Number(/m=audio (\d+)/.exec(sdp)?.[1]);
const keyIn = (sdp: string): SrtpKey => {
  const [line] = cryptoLines(sdp.split('\r\n'));
  if (!line) throw new Error(`no key in ${sdp}`);
  return line.key;
};

describe.each(srtpSuites)('packets between us and rtpengine, %s', (suite) => {
  const packets = sequenceWalk(400, gap);
  const hex = (all: readonly (Buffer | undefined)[]): (string | undefined)[] => all.map((one) => one?.toString('hex'));

  it('are taken, and are the same bytes, over every wrap and gap of 5,000', async () => {
    expect(wrapsOf(packets).filter((step) => step === gap).length).toBeGreaterThan(0);
    const [inside, outside] = [await Wire.open(address.relay), await Wire.open(address.relayBehind)];
    const ours = testKey(suite, 0x3c);
    const offered = await relay.rewrite('offer', inside.sdp('RTP/SAVP', `a=crypto:1 ${suite} ${ours.inline}`), plain);
    expect(offered).toMatch(/m=audio \d+ RTP\/AVP /);
    const answered = await relay.rewrite('answer', outside.sdp('RTP/AVP'), secured);
    const theirs = keyIn(answered);
    expect(theirs.suite).toBe(suite);

    const sender = new KeepingSrtpSender(ours);
    await pace(packets.length, 2, (i) => inside.send(portOf(answered), sender.sealRtp(packets[i]!)));
    await until(
      () => `all packets in the clear, ${outside.got.length} came; ${relay.log.slice(-2000)}`,
      5_000,
      () => outside.got.length >= packets.length || undefined,
    );
    expect(hex(outside.got)).toEqual(hex(packets));

    await pace(packets.length, 2, (i) => outside.send(portOf(offered), packets[i]!));
    await until(
      () => `all packets sealed, ${inside.got.length} came; ${relay.log.slice(-2000)}`,
      5_000,
      () => inside.got.length >= packets.length || undefined,
    );
    const same = new KeepingSrtpSender(theirs);
    expect(hex(inside.got)).toEqual(hex(packets.map((packet) => same.sealRtp(packet))));
    const refused = { unauthentic: 0, replayed: 0 };
    const receiver = new KeepingSrtpReceiver(theirs, refused);
    expect(hex(inside.got.map((one) => receiver.openRtp(one)))).toEqual(hex(packets));
    expect(refused).toEqual({ unauthentic: 0, replayed: 0 });
    expect(relay.log).not.toMatch(/SRTP.*(?:fail|discard)/i);
  });
});

describe.each([
  ['we offer', true],
  ['rtpengine offers', false],
] as const)('a leg of ours with keys in the SDP, %s', (_, isOurOffer) => {
  it.each(srtpSuites)('is heard through rtpengine, and hears, by %s', async (suite) => {
    const engine = scene.add(
      new WeriftMediaEngine({
        ...{ listenIp: address.bridge, advertisedIp: '', rtpPorts: [20_000, 20_099], webrtcPorts: [10_000, 10_099] },
        ...{ remoteNetworks: ['127.0.0.0/8'], logger: silentLogger, clock: systemClock, ids: systemIds },
      }),
    );
    const leg = await engine.createRtpEndpoint({
      ...{ call: 'srtp' as CallId, codecs: ['PCMA'], remoteNetworks: [`${address.rtpengine}/32`] },
      srtp: { mode: 'required', suites: [suite] },
    });
    const peer = await RtpPeer.open(address.relayBehind);
    peer.peerHost = address.rtpengine;
    scene.add({ stop: () => peer.close() });
    const towardsPeer = await (isOurOffer ? offeredBy(leg, peer) : offeredTo(leg, peer));
    const { port } = leg as unknown as UdpRtpEndpoint;
    const heard: string[] = [];
    port.onAudio = ({ payload }) => heard.push(Buffer.from(payload).toString('hex'));
    const frame = (i: number, side: number): Buffer => Buffer.alloc(160, (i * 2 + side) & 0xff);
    await pace(frames, 10, (i) => {
      port.sendAudio(frame(i, 0), 20);
      peer.send(towardsPeer, { payloadType: 8, sequence: i, timestamp: i * 160, payload: frame(i, 1) });
    });
    await until('all audio', 5_000, () => (heard.length >= frames && peer.received.length >= frames) || undefined);
    const sent = (side: number): string[] =>
      Array.from({ length: frames }, (_none, i) => frame(i, side).toString('hex'));
    expect(heard).toEqual(sent(1));
    expect(peer.received.map(({ payload }) => payload.toString('hex'))).toEqual(sent(0));
    expect(relay.log).not.toMatch(/SRTP.*(?:fail|discard)/i);
  });
});

/** Our offer, encrypted, becomes a plain one for the peer; gives the port that the peer is to send to. */
async function offeredBy(leg: RtpEndpoint, peer: RtpPeer): Promise<number> {
  const offer = await leg.createOffer();
  expect(offer).toContain('RTP/SAVP');
  const offered = await relay.rewrite('offer', offer, plain);
  expect(offered).not.toContain('a=crypto');
  await leg.acceptAnswer(await relay.rewrite('answer', peer.sdp(), secured));
  return portOf(offered);
}

/** The peer's plain offer comes to us encrypted. */
async function offeredTo(leg: RtpEndpoint, peer: RtpPeer): Promise<number> {
  const answer = await leg.createAnswer(await relay.rewrite('offer', peer.sdp(), secured));
  return portOf(await relay.rewrite('answer', answer, plain));
}

/** One UDP port that keeps what comes, as it stood on the wire. */
class Wire {
  readonly got: Buffer[] = [];

  private constructor(private readonly socket: Socket) {
    socket.on('message', (datagram) => this.got.push(datagram));
    scene.add({ stop: () => void socket.close() });
  }

  static async open(host: string): Promise<Wire> {
    return new Wire(await boundSocket(host));
  }

  sdp(protocol: string, ...lines: readonly string[]): string {
    const { address: host, port } = this.socket.address();
    const media = [`m=audio ${port} ${protocol} 8`, 'a=rtpmap:8 PCMA/8000', ...lines, 'a=sendrecv', ''];
    return ['v=0', `o=- 1 1 IN IP4 ${host}`, 's=-', `c=IN IP4 ${host}`, 't=0 0', ...media].join('\r\n');
  }

  send(port: number, datagram: Buffer): void {
    this.socket.send(datagram, port, address.rtpengine);
  }
}
