import type { Leg } from '../../src/call/leg.js';
import { LegLog } from './leg-log.js';
import { PeerMessage, SipScriptPeer } from './sip-script-peer.js';
import { SipScene, type SceneOptions } from './sip-scene.js';

/** SDP of a scripted PBX. */
export const pbxAudio = ({ formats = '8', attribute = 'sendrecv', port = 30_000, host = '127.0.0.1' } = {}): string =>
  [
    'v=0',
    'o=pbx 1 1 IN IP4 127.0.0.1',
    's=-',
    `c=IN IP4 ${host}`,
    't=0 0',
    `m=audio ${port} RTP/AVP ${formats}`,
    `a=${attribute}`,
    '',
  ].join('\r\n');

export interface AskOptions {
  readonly body?: string;
  readonly headers?: readonly string[];
  /** Content-Type of the body; SDP by default. */
  readonly type?: string;
  /** CSeq number; the next one by default. */
  readonly cseq?: number;
}

/** A call that stands between a scene and a scripted PBX, whichever of the two placed it. */
export class StandingCall {
  #cseq = 1;

  private constructor(
    readonly scene: SipScene,
    readonly pbx: SipScriptPeer,
    readonly log: LegLog,
    readonly leg: Leg,
    private readonly inDialog: (method: string, cseq: number, headers: readonly string[], body: string) => string,
    /** How many things the media engine was asked for until the call stood. */
    private readonly asked: number,
  ) {}

  /** `us`: we are the UAC of its dialog; `them`: the PBX is. */
  static async by(caller: 'us' | 'them', options: SceneOptions = {}): Promise<StandingCall> {
    const scene = await SipScene.start(options);
    const pbx = await SipScriptPeer.udp();
    const parts = caller === 'us' ? await StandingCall.#ours(scene, pbx) : await StandingCall.#theirs(scene, pbx);
    const asked = scene.media.endpoints[0]?.log.length ?? 0;
    return new StandingCall(scene, pbx, parts.log, parts.leg, parts.inDialog, asked);
  }

  static async #ours(scene: SipScene, pbx: SipScriptPeer) {
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    const invite = await pbx.request('INVITE');
    pbx.reply(invite, 200, 'OK', { toTag: 'pbx1', body: pbxAudio() });
    await pbx.request('ACK');
    await log.saw('answered');
    const inDialog = (method: string, cseq: number, headers: readonly string[], body: string): string =>
      pbx.fromCallee(method, invite, 'pbx1', cseq, headers, body);
    return { leg, log, inDialog };
  }

  static async #theirs(scene: SipScene, pbx: SipScriptPeer) {
    const text = pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() });
    pbx.send(text, scene.address);
    const { leg } = await scene.call();
    const log = new LegLog(leg);
    leg.answer();
    const ok = await pbx.response(200, 'INVITE');
    const invite = new PeerMessage(text, pbx, undefined, 0);
    pbx.send(pbx.inDialog('ACK', invite, ok, { cseq: 1 }), scene.address);
    await log.saw('confirmed');
    const inDialog = (method: string, cseq: number, headers: readonly string[], body: string): string =>
      pbx.inDialog(method, invite, ok, { cseq, headers, body });
    return { leg, log, inDialog };
  }

  /** Sends a request of the PBX's in the dialog; returns its CSeq number. */
  ask(method: string, { body = '', headers = [], type = 'application/sdp', cseq }: AskOptions = {}): number {
    const number = cseq ?? this.#cseq + 1;
    this.#cseq = Math.max(this.#cseq, number);
    const text = this.inDialog(method, number, headers, body);
    this.pbx.send(text.replace('Content-Type: application/sdp', `Content-Type: ${type}`), this.scene.address);
    return number;
  }

  /** Sends a request and waits for its answer; an INVITE's is acknowledged with `ack` as body. */
  async answerTo(method: string, status: number, options: AskOptions & { ack?: string } = {}): Promise<PeerMessage> {
    const cseq = this.ask(method, options);
    const answer = await this.answer(status, method, cseq);
    if (method === 'INVITE') this.ask('ACK', { cseq, body: options.ack ?? '' });
    return answer;
  }

  /** The answer to the request of this number: a 200 of an earlier INVITE may come once more. */
  answer(status: number, method: string, cseq: number): Promise<PeerMessage> {
    const isIt = (it: PeerMessage): boolean => it.status === status && it.get('CSeq') === `${cseq} ${method}`;
    return this.pbx.next(isIt, `${status} to ${method} ${cseq}`);
  }

  /** What the media engine was asked for since the call stands. */
  get media(): string[] {
    return this.scene.media.endpoints[0]?.log.slice(this.asked) ?? [];
  }

  /** Has the PBX hang up, and stops everything. */
  async end(): Promise<void> {
    this.ask('BYE');
    await this.pbx.response(200, 'BYE');
    await this.log.saw('terminated');
    await this.scene.stop();
    await this.pbx.stop();
  }
}
