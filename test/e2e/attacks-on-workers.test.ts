import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeRtpHeader } from '../../src/media/rtp-packet.js';
import { Attacker } from '../support/media/attacker.js';
import { pbxFrames, userTone } from '../support/media/fleet-tones.js';
import {
  clientHellos,
  forgedSrtcpBye,
  plaintextAlerts,
  rtcpBye,
  stunCheck,
} from '../support/media/hostile-datagrams.js';
import { LitePeer, peerSsrc } from '../support/media/lite-peer.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { RtpPeer } from '../support/rtp-peer.js';
import { runsOf } from '../support/runs.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';

/** In full: a minute of each attack (SIP2WA_RUNS=60). */
const { runs: seconds, timeoutMs } = runsOf(1, 20_000);
const [callCount, workers] = [4, 2];
const pbxSsrc = 0x1234;
const frameMs = 20;

/** A call through the daemon: Meta's relay and the PBX's phone, each of which says a packet every 20 ms. */
interface LiveCall {
  readonly peer: LitePeer;
  readonly pbx: RtpPeer;
  readonly invite: PeerMessage;
  readonly tag: string;
  /** The daemon's port towards the PBX. */
  readonly rtpPort: number;
  /** What was sealed last, to be repeated. */
  readonly lately: Buffer[];
  heardByUser: number[];
}

type Shot = (call: LiveCall, shot: number, stranger: (datagram: Buffer, port: number) => void) => void;

const pick = <T>(all: readonly T[], shot: number): T => all[shot % all.length]!;
const userOf = ({ peer: { credentials } }: LiveCall): string => `${credentials.remote}:${credentials.local}`;

const attacks: Record<string, Shot> = {
  'STUN signed with the password of the SDP': (call, _, stranger) =>
    stranger(stunCheck(userOf(call), call.peer.credentials.remotePassword), call.peer.remote.port),
  'DTLS ClientHello': (call, shot, stranger) => stranger(pick(clientHellos, shot)(), call.peer.remote.port),
  'plaintext alerts with the address of the peer': (call, shot) => call.peer.sendDatagram(pick(plaintextAlerts, shot)),
  'SRTP replay with the address of the peer': (call, shot) => {
    if (call.lately.length > 0) call.peer.sendDatagram(pick(call.lately, shot));
  },
  'RTP injection on the side of the PBX': (call, shot, stranger) => {
    const datagram = Buffer.alloc(172, 0x2a);
    writeRtpHeader(datagram, 8, false, shot & 0xffff, shot * 160, pbxSsrc);
    stranger(datagram, call.rtpPort);
  },
  'RTCP BYE forged on both sides': (call, shot, stranger) => {
    stranger(rtcpBye(pbxSsrc), call.rtpPort + (shot % 2));
    call.peer.sendDatagram(pick([rtcpBye, forgedSrtcpBye], shot)(peerSsrc));
  },
};

class Scene {
  readonly logger = new RecordingLogger();
  readonly calls: LiveCall[] = [];
  #said = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(readonly bridge: ScriptedBridge) {}

  static async start(): Promise<Scene> {
    const logger = new RecordingLogger();
    const scene = new Scene(await ScriptedBridge.start({ logger, workers }));
    const ready = (): number => logger.lines.filter(({ message }) => message === 'media worker ready').length;
    await until(() => ready() === workers, 'both workers', 20_000);
    for (let i = 0; i < callCount; i++) scene.calls.push(await scene.#connect(`wacid.${i}`));
    scene.#talk();
    return scene;
  }

  /** Processes that the calls are in, by the metrics. */
  async figures(name: string): Promise<number[]> {
    const { text } = await this.bridge.daemon.metrics.read();
    const lines = text.split('\n').filter((line) => line.startsWith(`sip2wa_media_worker_${name}{`));
    return lines.map((line) => Number(line.split(' ')[1]));
  }

  /** Counts anew what each side hears. */
  listen(): void {
    for (const call of this.calls) {
      call.heardByUser = [];
      call.pbx.received.length = 0;
    }
  }

  async hangUp(): Promise<void> {
    const { bridge } = this;
    for (const { invite, tag } of this.calls) {
      bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, tag, 1), bridge.sip);
      await bridge.pbx.response(200, 'BYE');
    }
    await bridge.record(callCount - 1);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.bridge.stop();
    for (const { peer, pbx } of this.calls) {
      pbx.close();
      await peer.close();
    }
  }

  async #connect(id: string): Promise<LiveCall> {
    const { bridge } = this;
    const [peer, pbx] = [new LitePeer(), await RtpPeer.open()];
    const before = bridge.graph.seen.length;
    expect(await bridge.deliver(bridge.userConnect(id, await peer.offer()))).toBe(200);
    const invite = await bridge.pbx.request('INVITE');
    bridge.pbx.reply(invite, 200, 'OK', { toTag: id, body: pbx.sdp() });
    await bridge.pbx.request('ACK');
    await until(() => bridge.graph.seen.length >= before + 2, 'accept', 10_000);
    const session = bridge.session(before);
    await peer.accept(session.sdp);
    await peer.connected(10_000);
    const rtpPort = Number(/^m=audio (\d+)/m.exec(invite.body)?.[1]);
    const call: LiveCall = { peer, pbx, invite, tag: id, rtpPort, lately: [], heardByUser: [] };
    peer.onRtp = ({ header }) => void call.heardByUser.push(header.sequenceNumber);
    return call;
  }

  #talk(): void {
    const startMs = performance.now();
    this.#timer = setInterval(() => {
      for (; this.#said * frameMs <= performance.now() - startMs; this.#said++) this.#say(this.#said);
    }, 5);
  }

  #say(number: number): void {
    for (const { peer, pbx, rtpPort, lately } of this.calls) {
      const fromUser = { payloadType: 111, sequence: number, timestamp: number * 960, payload: pick(userTone, number) };
      lately.push(peer.sendRtp(fromUser));
      if (lately.length > 100) lately.shift();
      const fromPbx = { payloadType: 8, sequence: number, timestamp: number * 160, payload: pick(pbxFrames, number) };
      pbx.send(rtpPort, { ...fromPbx, ssrc: pbxSsrc });
    }
  }
}

/** Sequence numbers missing in a run of them. */
const holes = (sequences: readonly number[]): number =>
  sequences.slice(1).reduce((sum, each, i) => sum + Math.max(0, ((each - sequences[i]!) & 0xffff) - 1), 0);

describe(`the daemon with ${workers} media workers and ${callCount} calls, a thousand packets a second for ${seconds} s`, () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await Scene.start();
  }, 60_000);
  afterAll(() => scene.stop());

  it('has its calls in both workers', async () => {
    expect(await scene.figures('calls')).toEqual([callCount / workers, callCount / workers]);
  });

  it.each(Object.keys(attacks))(
    '%s: no call ends, none falls silent, nothing comes back, no worker dies',
    async (name) => {
      let shot = 0;
      const attacker = await Attacker.open((_, send) => {
        attacks[name]!(pick(scene.calls, shot), Math.floor(shot / callCount), send);
        shot++;
      });
      scene.listen();
      const startMs = performance.now();
      attacker.start();
      await until(() => performance.now() - startMs >= seconds * 1000, 'the end of the attack', timeoutMs);
      attacker.stop();
      const lastedMs = performance.now() - startMs;
      expect(attacker.shots).toBeGreaterThan(seconds * 900);
      expect(attacker.received).toBe(0);
      attacker.close();

      expect(scene.bridge.records).toEqual([]);
      expect(scene.bridge.daemon.calls()).toBe(callCount);
      expect(await scene.figures('restarts_total')).toEqual(Array<number>(workers).fill(0));
      for (const { heardByUser, pbx } of scene.calls) {
        // Both are fed by the bridge every 20 ms; a loaded machine is late with some.
        expect(heardByUser.length).toBeGreaterThan((lastedMs / frameMs) * 0.9 - 5);
        expect(pbx.received.length).toBeGreaterThan((lastedMs / frameMs) * 0.9 - 5);
        expect(holes(heardByUser) + holes(pbx.received.map(({ sequence }) => sequence))).toBeLessThanOrEqual(2);
      }
    },
    timeoutMs,
  );

  it('and ends its calls as ever', async () => {
    await scene.hangUp();
    expect(scene.bridge.records.map(({ code, endedBy }) => `${code} ${endedBy}`)).toEqual(
      Array<string>(callCount).fill('hangup b'),
    );
  });
});
