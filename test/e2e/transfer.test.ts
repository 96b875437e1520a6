import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toG711, ToneSource } from '../support/tones.js';
import { RtpPeer } from '../support/rtp-peer.js';
import { ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';
import { toneLevel, WrtcPeer } from '../support/wrtc-peer.js';

const [agentHz, colleagueHz, userHz] = [700, 1300, 440];
/** Well above what a codec leaves of another tone, well below what was played. */
const audible = 0.03;

/** A telephone of the PBX's that speaks a tone to wherever its SDP's answer says. */
class Telephone {
  readonly #tone: ToneSource;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    readonly rtp: RtpPeer,
    hz: number,
  ) {
    this.#tone = new ToneSource(hz);
  }

  static async open(hz: number): Promise<Telephone> {
    return new Telephone(await RtpPeer.open(), hz);
  }

  speak(sdp: string): void {
    const port = Number(/m=audio (\d+)/.exec(sdp)?.[1]);
    const startMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      for (; sent * 20 <= performance.now() - startMs; sent++) {
        const payload = toG711('PCMA', this.#tone.next(160));
        this.rtp.send(port, { payloadType: 8, sequence: sent & 0xffff, timestamp: sent * 160, payload });
      }
    }, 5);
  }

  close(): void {
    clearInterval(this.#timer);
    this.rtp.close();
  }
}

describe('a call that the PBX puts through', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer;
  let agent: Telephone;
  let colleague: Telephone;

  beforeEach(async () => {
    phone = new WrtcPeer(userHz);
    [agent, colleague] = [await Telephone.open(agentHz), await Telephone.open(colleagueHz)];
    bridge = await ScriptedBridge.start();
  });
  afterEach(async () => {
    phone.close();
    agent.close();
    colleague.close();
    await bridge.stop();
  });

  const hears = async (hz: number): Promise<void> => {
    phone.forget();
    const level = (): number => toneLevel({ ...phone.heard, samples: phone.heard.samples.slice(-9600) }, hz);
    await until(() => phone.heard.samples.length > 9600 && level() > audible, `${hz} Hz heard`, 10_000);
  };

  /** The PBX has sent REFER to 610: takes the NOTIFYs, and the call to its colleague, who answers. */
  const putThrough = async (): Promise<PeerMessage> => {
    const { pbx } = bridge;
    await pbx.response(202, 'REFER');
    pbx.reply(await pbx.request('NOTIFY'), 200, 'OK');
    const invite = await pbx.request('INVITE');
    expect(invite.uri).toBe(`sip:610@127.0.0.1:${pbx.port}`);
    expect(invite.get('X-WA-User')).toMatch(new RegExp(`^\\+?${USER}$`));
    await hears(agentHz);
    pbx.reply(invite, 200, 'OK', { toTag: 'colleague', body: colleague.rtp.sdp() });
    await pbx.request('ACK');
    colleague.speak(invite.body);
    const done = await pbx.request('NOTIFY');
    expect(done.body).toBe('SIP/2.0 200 OK\r\n');
    pbx.reply(done, 200, 'OK');
    return invite;
  };

  /** Both hear each other, nothing more was said to Meta, and the colleague hangs up. */
  const talk = async (invite: PeerMessage, actions: readonly string[]): Promise<void> => {
    const { pbx } = bridge;
    await hears(colleagueHz);
    const before = colleague.rtp.received.length;
    await until(() => colleague.rtp.received.length > before + 20, 'the user is heard');
    expect(toneLevel({ ...phone.heard, samples: phone.heard.samples.slice(-4800) }, agentHz)).toBeLessThan(audible);
    expect(bridge.actions).toEqual(actions);
    pbx.send(pbx.fromCallee('BYE', invite, 'colleague', 1), bridge.sip);
    await pbx.response(200, 'BYE');
  };

  it('a user call: the colleague takes over, WhatsApp hears no word of it', async () => {
    const { pbx } = bridge;
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const first = await pbx.request('INVITE');
    pbx.reply(first, 200, 'OK', { toTag: 'agent', body: agent.rtp.sdp() });
    await pbx.request('ACK');
    await bridge.connected();
    const session = bridge.session();
    phone.play();
    await phone.accept(session.sdp);
    await phone.reaches('connected');
    agent.speak(first.body);
    await hears(agentHz);
    const extras = [`Contact: ${pbx.contact}`, `Refer-To: <sip:610@127.0.0.1:${pbx.port}>`];
    pbx.send(pbx.fromCallee('REFER', first, 'agent', 1, extras), bridge.sip);
    const second = await putThrough();
    pbx.send(pbx.fromCallee('BYE', first, 'agent', 2), bridge.sip);
    await pbx.response(200, 'BYE');
    await talk(second, ['pre_accept', 'accept']);
    expect(await bridge.record()).toMatchObject({
      ...{ direction: 'user_initiated', code: 'hangup', endedBy: 'b', waCallId: 'wacid.1' },
      sipCallIdB: second.get('Call-ID'),
    });
    expect(bridge.actions).toEqual(['pre_accept', 'accept', 'terminate']);
  });

  it('a business call: the colleague takes over, and the agent who stays silent is hung up', async () => {
    const { pbx } = bridge;
    const id = 'wacid.double-1';
    const first = bridge.pbxCalls({ body: agent.rtp.sdp() });
    await bridge.step('graph.connect');
    const session = bridge.session();
    await bridge.deliver(bridge.businessConnect(id, await phone.answer(session.sdp)));
    await bridge.deliver(bridge.status(id, 'ACCEPTED'));
    const ok = await pbx.response(200, 'INVITE');
    pbx.send(pbx.inDialog('ACK', first, ok, { cseq: 1 }), bridge.sip);
    await bridge.connected();
    phone.play();
    await phone.reaches('connected');
    agent.speak(ok.body);
    await hears(agentHz);
    const headers = [`Contact: ${pbx.contact}`, `Refer-To: <sip:610@127.0.0.1:${pbx.port}>`];
    pbx.send(pbx.inDialog('REFER', first, ok, { cseq: 2, headers }), bridge.sip);
    const second = await putThrough();
    const bye = await pbx.request('BYE');
    expect(bye.get('Call-ID')).toBe(first.get('Call-ID'));
    pbx.reply(bye, 200, 'OK');
    await talk(second, ['connect']);
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', code: 'hangup', endedBy: 'a' });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
  });
});
