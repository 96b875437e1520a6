import { afterEach, describe, expect, it } from 'vitest';
import { metaError } from '../support/graph-double.js';
import { pbxSdp, ScriptedBridge, USER, type BridgeOptions } from '../support/scripted-bridge.js';
import { type PeerMessage, SipScriptPeer } from '../support/sip-script-peer.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const ID = 'wacid.double-1';

describe('the PBX calls a user, scripted PBX to libwebrtc', () => {
  let bridge: ScriptedBridge;
  let phone: WrtcPeer | undefined;

  const start = async (options: BridgeOptions = {}): Promise<void> => {
    bridge = await ScriptedBridge.start(options);
  };
  afterEach(async () => {
    phone?.close();
    phone = undefined;
    await bridge.stop();
  });

  const invite = (body = pbxSdp(40_000), user = `+${USER}`): PeerMessage => bridge.pbxCalls({ body, user });
  const answerOfPhone = async (): Promise<string> => {
    phone = new WrtcPeer();
    const session = bridge.session();
    expect(session.sdp_type).toBe('offer');
    return phone.answer(session.sdp);
  };
  const ring = async (): Promise<void> => {
    await bridge.step('graph.connect');
    await bridge.deliver(bridge.businessConnect(ID, await answerOfPhone()));
    await bridge.deliver(bridge.status(ID, 'RINGING'));
    await bridge.pbx.response(180, 'INVITE');
  };
  const pickUp = async (request: PeerMessage): Promise<PeerMessage> => {
    await ring();
    await bridge.deliver(bridge.status(ID, 'ACCEPTED'));
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(request, ok);
    return ok;
  };

  it('rings on RINGING, answers on ACCEPTED, and ends with the PBX hanging up', async () => {
    await start();
    const request = invite();
    const ok = await pickUp(request);
    expect(ok.body).toMatch(/m=audio \d+ RTP\/AVP 8 101/);
    expect(bridge.graph.seen[0]?.body).toMatchObject({ action: 'connect', to: USER, messaging_product: 'whatsapp' });
    await phone?.reaches('connected');
    bridge.pbx.send(bridge.pbx.inDialog('BYE', request, ok, { cseq: 2 }), bridge.sip);
    await bridge.pbx.response(200, 'BYE');
    expect(await bridge.record()).toMatchObject({ direction: 'business_initiated', code: 'hangup', endedBy: 'a' });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
  });

  it('says BYE to the PBX when the user hangs up', async () => {
    await start();
    await pickUp(invite());
    await bridge.deliver(bridge.terminate(ID, 'BUSINESS_INITIATED', { start_time: '1', end_time: '4', duration: 3 }));
    const bye = await bridge.pbx.request('BYE');
    expect(bye.get('Reason')).toContain('cause=16');
    bridge.pbx.reply(bye, 200, 'OK');
    expect(await bridge.record()).toMatchObject({ code: 'hangup', endedBy: 'b' });
    expect(bridge.actions).toEqual(['connect']);
  });

  it('takes ACCEPTED before connect', async () => {
    await start();
    const request = invite();
    await bridge.step('graph.connect');
    await bridge.deliver(bridge.status(ID, 'ACCEPTED'));
    await bridge.deliver(bridge.businessConnect(ID, await answerOfPhone()));
    const ok = await bridge.pbx.response(200, 'INVITE');
    await bridge.pbxAcknowledges(request, ok);
  });

  it('takes webhooks that outrun the reply to connect', async () => {
    await start();
    bridge.graph.replies((response) => {
      void (async () => {
        await bridge.deliver(bridge.status('wacid.fast', 'RINGING'));
        response.end(JSON.stringify({ messaging_product: 'whatsapp', calls: [{ id: 'wacid.fast' }] }));
      })();
    });
    invite();
    await bridge.pbx.response(180, 'INVITE');
  });

  it('answers 486 when the user declines', async () => {
    await start();
    invite();
    await ring();
    await bridge.deliver(bridge.status(ID, 'REJECTED'));
    const refusal = await bridge.pbx.response(486, 'INVITE');
    expect(refusal.get('Reason')).toContain('Q.850');
    await bridge.deliver(bridge.terminate(ID, 'BUSINESS_INITIATED'));
    expect(await bridge.record()).toMatchObject({ code: 'declined', endedBy: 'b' });
    expect(bridge.actions).toEqual(['connect']);
  });

  it('answers 480 when the user does not pick up', async () => {
    await start();
    invite();
    await ring();
    await bridge.deliver(bridge.terminate(ID, 'BUSINESS_INITIATED'));
    await bridge.pbx.response(480, 'INVITE');
    expect(await bridge.record()).toMatchObject({ code: 'no_answer', endedBy: 'b' });
  });

  it('ends the WhatsApp call when the PBX cancels', async () => {
    await start();
    const request = invite();
    await ring();
    bridge.pbxCancels(request);
    await bridge.pbx.response(200, 'CANCEL');
    await bridge.pbx.response(487, 'INVITE');
    expect(await bridge.record()).toMatchObject({ code: 'cancelled', endedBy: 'a' });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
  });

  it('gives up after the ring timeout: 480 and terminate', async () => {
    await start({ more: 'calls: { ring_timeout: 1s }' });
    invite();
    await ring();
    await bridge.pbx.response(480, 'INVITE');
    expect(await bridge.record()).toMatchObject({ code: 'no_answer', endedBy: 'bridge' });
    expect(bridge.actions).toEqual(['connect', 'terminate']);
  });

  it.each([
    [400, 138001, 404],
    [400, 138003, 486],
    [401, 138006, 403],
    [401, 138000, 403],
    [429, 138002, 503],
    [400, 138012, 403],
    [401, 190, 503],
    [500, 138007, 504],
  ])('answers HTTP %i code %i with SIP %i and Meta’s own words', async (http, code, status) => {
    await start();
    bridge.graph.replies(metaError(http, code, `(#${code}) what Meta says`, 'in detail'));
    invite();
    const refusal = await bridge.pbx.response(status, 'INVITE');
    expect(refusal.get('Warning')).toContain(String(code));
    expect(await bridge.record()).toMatchObject({ sipStatus: status, metaCode: code });
    expect(bridge.actions).toEqual(['connect']);
  });

  it('answers 488 without a usable codec before any Graph call', async () => {
    await start();
    invite(pbxSdp(40_000, '18').replace('a=rtpmap:8 PCMA/8000', 'a=rtpmap:18 G729/8000'));
    const refusal = await bridge.pbx.response(488, 'INVITE');
    expect(refusal.get('Warning')).toMatch(/PCMA/);
    expect(bridge.actions).toEqual([]);
  });

  it('answers 484 to a dial string that is no number', async () => {
    await start();
    invite(undefined, 'reception');
    await bridge.pbx.response(484, 'INVITE');
    expect(bridge.actions).toEqual([]);
  });

  it('takes no call from an address that is not listed', async () => {
    await start({
      trunks: (pbx) => `
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1, port: ${pbx.port} }], accept_from: [127.0.0.9/32] }]
numbers: [{ id: "105615555715855", number: "+15551112222", name: sales, trunk: pbx }]
`,
    });
    const listed = await SipScriptPeer.udp('127.0.0.9');
    try {
      invite();
      listed.send(listed.newRequest('OPTIONS', `sip:${bridge.sip.host}:${bridge.sip.port}`), bridge.sip);
      await listed.response(200, 'OPTIONS');
      // Beside a drachtio-server the list is asked by the application, which has to answer something.
      if (process.env['SIP2WA_TEST_DRACHTIO']) await bridge.pbx.response(403, 'INVITE');
      else expect(bridge.pbx.count(({ method }) => method !== 'OPTIONS')).toBe(0);
    } finally {
      await listed.stop();
    }
    expect(bridge.actions).toEqual([]);
    expect(bridge.records).toEqual([]);
  });
});

describe('a number served by its settings alone', () => {
  let bridge: ScriptedBridge;
  afterEach(() => bridge.stop());

  // A drachtio-server refuses parameters in the user part, and the configuration says so.
  const tgrp = process.env['SIP2WA_TEST_DRACHTIO'] ? '' : ';tgrp=whatsapp';
  const params = tgrp === '' ? '' : ', request_uri_user_params: { tgrp: whatsapp }';
  const settingsOnly: BridgeOptions = {
    trunks: (pbx) => `
trunk_defaults: { codecs: [PCMU], qualify: 0s }
numbers:
  - id: "105615555715855"
    number: "+15551112222"
    name: sales
    settings:
      calling:
        sip:
          status: DISABLED
          servers: [{ hostname: localhost, port: ${pbx.port}${params} }]
`,
  };

  it('rings its SIP server for users, with the Request-URI that Meta would build', async () => {
    bridge = await ScriptedBridge.start(settingsOnly);
    const phone = new WrtcPeer();
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    const request = await bridge.pbx.request('INVITE');
    expect(request.uri).toBe(`sip:+15551112222${tgrp}@localhost:${bridge.pbx.port}`);
    expect(request.body).toMatch(/m=audio \d+ RTP\/AVP 0 /);
    phone.close();
  });

  it('takes calls from that server’s address', async () => {
    bridge = await ScriptedBridge.start(settingsOnly);
    const sdp = pbxSdp(40_000, '0').replace('a=rtpmap:8 PCMA/8000', 'a=rtpmap:0 PCMU/8000');
    bridge.pbxCalls({ body: sdp });
    await bridge.step('graph.connect');
    await bridge.deliver(bridge.status(ID, 'RINGING'));
    await bridge.pbx.response(180, 'INVITE');
    expect(bridge.actions).toEqual(['connect']);
  });
});
