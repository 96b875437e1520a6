import { endReason } from '../../../../src/call/end-reason.js';
import type { DialledLeg } from '../../../../src/call/leg.js';
import type { LegLog } from '../../../support/leg-log.js';
import { SipScene, type SceneOptions } from '../../../support/sip-scene.js';
import { SipScriptPeer, type PeerMessage } from '../../../support/sip-script-peer.js';

export const sdp = (port: number): string =>
  `v=0\r\no=pbx 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/AVP 8\r\na=sendrecv\r\n`;

/** A PBX with a call of ours, and another peer that it may put it through to. */
export class TransferScene {
  #cseq = 10;

  private constructor(
    readonly scene: SipScene,
    readonly pbx: SipScriptPeer,
    readonly other: SipScriptPeer,
    readonly leg: DialledLeg,
    readonly log: LegLog,
    readonly invite: PeerMessage,
  ) {}

  /** Its call stands. */
  static async start(options: SceneOptions = {}): Promise<TransferScene> {
    const scene = await SipScene.start(options);
    const [pbx, other] = [await SipScriptPeer.udp(), await SipScriptPeer.udp()];
    const { leg, log } = scene.outbound(scene.target(pbx));
    leg.dial();
    const invite = await pbx.request('INVITE');
    pbx.reply(invite, 200, 'OK', { toTag: 'pbx1', body: sdp(30_000) });
    await pbx.request('ACK');
    await log.saw('answered');
    return new TransferScene(scene, pbx, other, leg, log, invite);
  }

  /** Sends a REFER in the PBX's dialog. */
  refer(to = this.to('610'), extras: readonly string[] = []): number {
    const cseq = this.#cseq++;
    this.fromPbx('REFER', cseq, [`Refer-To: ${to}`, 'Referred-By: <sip:agent@pbx.example>', ...extras]);
    return cseq;
  }

  fromPbx(method: string, cseq = this.#cseq++, extras: readonly string[] = []): void {
    const contact = method === 'REFER' ? [`Contact: ${this.pbx.contact}`] : [];
    this.pbx.send(this.pbx.fromCallee(method, this.invite, 'pbx1', cseq, [...contact, ...extras]), this.scene.address);
  }

  /** An address of the other peer's. */
  to(user: string, headers = ''): string {
    return `<sip:${user}@${this.other.place}${headers === '' ? '' : `?${headers}`}>`;
  }

  /** Takes the next NOTIFY: what it says, and of which state the subscription is. */
  async notice(status = 200): Promise<string> {
    const notify = await this.pbx.request('NOTIFY');
    this.pbx.reply(notify, status, 'OK', { noContact: true });
    const state = notify.get('Subscription-State').split(';', 1)[0];
    return `${notify.get('Event')}: ${notify.body.trim()} (${state})`;
  }

  /** The successor's INVITE, answered 100 at once so that nobody asks whether the peer lives. */
  async called(): Promise<PeerMessage> {
    const invite = await this.other.request('INVITE');
    this.other.reply(invite, 100, 'Trying');
    return invite;
  }

  async answered(invite: PeerMessage, port = 31_000): Promise<void> {
    this.other.reply(invite, 200, 'OK', { toTag: 'other1', body: sdp(port) });
    await this.other.request('ACK');
  }

  /** Ends whatever is left, both peers taking every BYE and CANCEL. */
  async stop(): Promise<void> {
    this.leg.hangup(endReason('hangup'));
    const isOver = this.log.saw('terminated', 9000);
    let over = false;
    void isOver.finally(() => (over = true));
    const letGo = async (peer: SipScriptPeer): Promise<void> => {
      while (!over) {
        const request = await peer.next(({ method }) => method === 'BYE' || method === 'CANCEL', 'the end', 10_000);
        peer.reply(request, 200, 'OK', { noContact: true });
        if (request.method !== 'CANCEL') continue;
        const invite = peer.received.find(
          (message) => message.branch === request.branch && message.method === 'INVITE',
        );
        if (invite) peer.reply(invite, 487, 'Request Terminated', { toTag: 'gone' });
      }
    };
    const quiet = (peer: SipScriptPeer): Promise<void> => letGo(peer).catch(() => undefined);
    await Promise.race([isOver, Promise.all([quiet(this.pbx), quiet(this.other)])]);
    await isOver;
    await this.scene.stop();
    await Promise.all([this.pbx.stop(), this.other.stop()]);
  }
}
