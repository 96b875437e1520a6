import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { PeerAddress, PeerMessage } from '../../support/sip-script-peer.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import type { Dice } from '../../support/dice.js';
import type { HostileScene, UpCall } from './hostile-scene.js';
import { UNANSWERED } from './hostile-scene.js';
import { hopByHop } from '../../support/hop-by-hop.js';
import { read } from './bench.js';

const OUTSIDE = ['OPTIONS', 'REGISTER', 'MESSAGE', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'REFER', 'INFO', 'BYE', 'UPDATE'];
const INSIDE: readonly (readonly [method: string, headers: readonly string[], body: string])[] = [
  ['INVITE', [], PEER_SDP],
  ['INVITE', ['Session-Expires: 90;refresher=uas', 'Supported: timer'], PEER_SDP],
  ['UPDATE', ['Contact: <sip:peer@127.0.0.1:9>'], PEER_SDP],
  ['ACK', [], ''],
  ['BYE', ['Reason: Q.850;cause=16;text="bye"'], ''],
  ['CANCEL', [], ''],
  ['PRACK', ['RAck: 1 1 INVITE'], ''],
  ['REFER', ['Refer-To: <sip:200@127.0.0.1:9>', 'Referred-By: <sip:a@b>'], ''],
  ['REFER', ['Refer-To: <sip:200@127.0.0.1:9?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>'], ''],
  ['INFO', ['Content-Type: application/dtmf-relay'], 'Signal=5\r\nDuration=160\r\n'],
  ['NOTIFY', ['Event: refer', 'Subscription-State: active', 'Content-Type: message/sipfrag'], 'SIP/2.0 200 OK'],
  ['OPTIONS', [], ''],
  ['MESSAGE', ['Content-Type: text/plain'], 'hello'],
];
const ANSWERS: readonly (readonly [status: number, reason: string, headers: readonly string[], body: string])[] = [
  [100, 'Trying', [], ''],
  [180, 'Ringing', [], ''],
  [183, 'Session Progress', ['Require: 100rel', 'RSeq: 1'], PEER_SDP],
  [200, 'OK', ['Record-Route: <sip:127.0.0.1:9;lr>'], PEER_SDP],
  [200, 'OK', ['Session-Expires: 90;refresher=uac', 'Require: timer'], PEER_SDP],
  [302, 'Moved Temporarily', ['Contact: <sip:x@127.0.0.1:9>;q=0.5'], ''],
  [401, 'Unauthorized', ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=MD5'], ''],
  [407, 'Proxy Authentication Required', ['Proxy-Authenticate: Digest realm="r", nonce="n"'], ''],
  [422, 'Session Interval Too Small', ['Min-SE: 1800'], ''],
  [486, 'Busy Here', ['Reason: Q.850;cause=17'], ''],
  [503, 'Service Unavailable', ['Retry-After: 10 (soon);duration=5'], ''],
];

/**
 * One stranger with live dialogs of every kind: one that is up, one that rings, and a call of ours that waits for the answer.
 * What it says next is drawn from all that could be said in them.
 */
export class Attacker {
  #cseq = 10;
  #live: { readonly up: UpCall; readonly early: PeerMessage; readonly offered: PeerMessage | undefined } | undefined;

  private constructor(
    private readonly scene: HostileScene,
    readonly peer: SipScriptPeer,
    private to: Socket | PeerAddress,
  ) {}

  static async open(scene: HostileScene, transport: 'udp' | 'tcp'): Promise<Attacker> {
    const peer = transport === 'udp' ? await SipScriptPeer.udp() : await SipScriptPeer.tcp();
    const attacker = new Attacker(scene, peer, scene.at);
    await attacker.renew();
    return attacker;
  }

  /** Live dialogs anew, after the old ones have been mangled; over TCP on a connection of their own. */
  async renew(): Promise<void> {
    const { scene, peer } = this;
    if ('destroy' in this.to) this.to.destroy();
    if (peer.transport === 'tcp') this.to = await peer.dial(scene.at);
    const up = await scene.call(peer, { to: this.to });
    const text = peer.newRequest('INVITE', scene.uri(UNANSWERED), { body: PEER_SDP, headers: ['Supported: 100rel'] });
    peer.send(text, this.to);
    await peer.response(180, 'INVITE');
    scene.dial(peer);
    const offered = await peer.request('INVITE');
    this.#live = { up, early: read(text), offered };
  }

  get isOpen(): boolean {
    return !('destroy' in this.to) || !this.to.destroyed;
  }

  /** A sound message of one of the dialogs, or of none. */
  say(dice: Dice): string {
    const { scene, peer } = this;
    if (!this.#live) throw new Error('no dialogs');
    const { up, early, offered } = this.#live;
    const kind = dice.next();
    if (kind < 0.2 && offered) return this.#answer(offered, dice);
    if (kind < 0.55) {
      const [method, headers, body] = dice.pick(INSIDE);
      return peer.inDialog(method, up.invite, up.ok, { cseq: this.#cseq++, headers, body });
    }
    if (kind < 0.65) return dice.next() < 0.5 ? hopByHop('CANCEL', early) : early.raw;
    if (kind < 0.85) {
      const headers = dice.pick([
        [],
        ['Require: 100rel', 'Supported: 100rel, timer'],
        ['Session-Expires: 200', 'Min-SE: 90'],
      ]);
      return peer.newRequest('INVITE', scene.uri(), { body: PEER_SDP, headers });
    }
    if (kind < 0.95) return peer.newRequest(dice.pick(OUTSIDE), scene.uri(), { headers: ['Refer-To: <sip:a@b>'] });
    const asked = peer.received.filter(({ method }) => method !== undefined && method !== 'ACK');
    const request = asked.length > 0 ? dice.pick(asked) : offered;
    return request ? this.#answer(request, dice) : up.invite.raw;
  }

  #answer(request: PeerMessage, dice: Dice): string {
    const [status, reason, headers, body] = dice.pick(ANSWERS);
    return this.peer.responseText(request, status, reason, { toTag: randomBytes(3).toString('hex'), headers, body });
  }

  send(message: Buffer): void {
    this.peer.send(message, this.to);
  }

  async stop(): Promise<void> {
    await this.peer.stop();
  }
}
