import type { Leg } from '../../../src/call/leg.js';
import type { MediaBridge } from '../../../src/call/media-bridge.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import type { MediaEngine, RtpEndpoint, RtpEndpointOptions } from '../../../src/media/media-engine.js';
import { WeriftMediaEngine } from '../../../src/media/werift-media-engine.js';
import { eventually } from '../../support/eventually.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { rtpPorts } from '../../support/ports.js';
import { RtpPeer } from '../../support/rtp-peer.js';
import type { PeerMessage } from '../../support/sip-script-peer.js';
import { SipScriptPeer } from '../../support/sip-script-peer.js';
import type { HostileScene, UpCall } from './hostile-scene.js';

const PTIME_MS = 20;
const SAMPLES = 160;

/** Real RTP for the calls that are watched, none for those of strangers, which come by the thousand. */
export class TwofoldMedia implements MediaEngine {
  readonly real = new WeriftMediaEngine({
    listenIp: '127.0.0.1',
    advertisedIp: '',
    rtpPorts,
    webrtcPorts: [0, 0],
    remoteNetworks: ['127.0.0.0/8'],
    logger: silentLogger,
    clock: systemClock,
    ids: systemIds,
  });
  readonly fake = new FakeMediaEngine();
  isReal = true;

  start(): Promise<void> {
    return this.real.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.real.stop(), this.fake.stop()]);
  }

  createRtpEndpoint(options: RtpEndpointOptions): Promise<RtpEndpoint> {
    return this.isReal ? this.real.createRtpEndpoint(options) : this.fake.createRtpEndpoint(options);
  }

  createWebRtcEndpoint(): never {
    throw new Error('no WebRTC here');
  }

  createBridge(call: Parameters<MediaEngine['createBridge']>[0]): MediaBridge {
    return this.real.createBridge(call);
  }
}

/** A call that nobody attacks: a telephone calls in, is joined to one that we call, and both speak all the time. */
export class Bystander {
  #cseq = 2;
  #sequence = 0;
  readonly #speech: NodeJS.Timeout;

  private constructor(
    private readonly caller: UpCall,
    private readonly callerRtp: RtpPeer,
    private readonly callee: { readonly peer: SipScriptPeer; readonly invite: PeerMessage },
    private readonly calleeRtp: RtpPeer,
    readonly legs: readonly [Leg, Leg],
    private readonly bridge: MediaBridge,
    private readonly ended: () => string[],
  ) {
    this.#speech = setInterval(() => this.#speak(), PTIME_MS);
  }

  static async up(scene: HostileScene, media: TwofoldMedia, transport: 'udp' | 'tcp'): Promise<Bystander> {
    const [callerRtp, calleeRtp] = [await RtpPeer.open(), await RtpPeer.open()];
    const peer = transport === 'udp' ? await SipScriptPeer.udp() : await SipScriptPeer.tcp();
    const to = transport === 'udp' ? scene.at : await peer.dial(scene.at);
    const caller = await scene.call(peer, { to, body: callerRtp.sdp() });
    const answered = scene.legs.at(-1);
    const other = transport === 'udp' ? await SipScriptPeer.udp() : await SipScriptPeer.tcp();
    const dialled = scene.dial(other);
    const invite = await other.request('INVITE');
    other.reply(invite, 200, 'OK', { toTag: 'callee', body: calleeRtp.sdp() });
    await dialled.log.saw('answered');
    if (!answered) throw new Error('no leg');
    await answered.log.saw('confirmed');
    const bridge = media.createBridge(systemIds.callId());
    bridge.connect(answered.leg.mediaId ?? '', dialled.leg.mediaId ?? '');
    const events = (): string[] => [...answered.log.types, ...dialled.log.types];
    const callee = { peer: other, invite };
    return new Bystander(caller, callerRtp, callee, calleeRtp, [answered.leg, dialled.leg], bridge, events);
  }

  /** Media flows both ways, and either side's dialog still answers. */
  async isWell(): Promise<void> {
    const before = [this.callerRtp.received.length, this.calleeRtp.received.length] as const;
    const isHeard = (): boolean =>
      this.callerRtp.received.length > before[0] + 3 && this.calleeRtp.received.length > before[1] + 3;
    await eventually(isHeard, 'speech of both sides of a call that nobody attacked', 5000);
    this.callerRtp.received.length = this.calleeRtp.received.length = 0;
    const { peer, invite, ok, to } = this.caller;
    const cseq = this.#cseq++;
    peer.send(peer.inDialog('OPTIONS', invite, ok, { cseq }), to);
    await peer.next(({ status, cseq: seq }) => status === 200 && seq === cseq, '200 to OPTIONS in the dialog');
    const ends = this.ended().filter((type) => type === 'ended' || type === 'failed' || type === 'terminated');
    if (ends.length > 0) throw new Error(`a call that nobody attacked ended: ${ends.join(', ')}`);
  }

  /** Each side hangs up in its turn. */
  async end(scene: HostileScene): Promise<void> {
    clearInterval(this.#speech);
    this.bridge.disconnect();
    await scene.hangUp(this.caller, this.#cseq++);
    const { peer, invite } = this.callee;
    peer.send(peer.fromCallee('BYE', invite, 'callee', 2), invite.connection ?? scene.at);
    await peer.response(200, 'BYE');
    this.callerRtp.close();
    this.calleeRtp.close();
    await Promise.all([peer.stop(), this.caller.peer.stop()]);
  }

  #speak(): void {
    const sequence = this.#sequence++;
    const packet = { payloadType: 8, sequence: sequence & 0xffff, timestamp: sequence * SAMPLES, payload: SPEECH };
    this.callerRtp.send(portOf(this.caller.ok.body), packet);
    this.calleeRtp.send(portOf(this.callee.invite.body), packet);
  }
}

/** Something to hear: a square wave in A-law. */
const SPEECH = Buffer.from(Array.from({ length: SAMPLES }, (_, i) => (i % 16 < 8 ? 0x85 : 0x05)));
const portOf = (sdp: string): number => Number(/^m=audio (\d+)/m.exec(sdp)?.[1]);
