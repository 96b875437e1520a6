import { afterEach, describe, expect, it } from 'vitest';
import { pbxSdp, ScriptedBridge } from '../support/scripted-bridge.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const key = 'AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e';
const line = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}`;

let bridge: ScriptedBridge;
afterEach(() => bridge.stop());

const start = async (trunk: string): Promise<void> => {
  bridge = await ScriptedBridge.start({ trunk });
};

/** The PBX calls with an offer of this profile; its final response. */
const offered = async (profile: string, lines: string[]) => {
  const body = pbxSdp(40_000, '8 101', lines).replace('RTP/AVP', profile);
  expect(body).toContain(` ${profile} `);
  bridge.pbxCalls({ body });
  return bridge.pbx.next(({ status }) => (status ?? 0) >= 180, 'a response');
};

describe('an offer whose security the trunk does not have is 488 before anything is asked of Meta', () => {
  it.each([
    ['RTP/SAVP to srtp: off (F-47)', 'srtp: off', 'RTP/SAVP', [line]],
    ['RTP/SAVP to srtp: optional, its key having come in the clear', 'srtp: optional', 'RTP/SAVP', [line]],
    ['RTP/AVP to srtp: required', 'srtp: required, srtp_without_tls: true', 'RTP/AVP', []],
    ['DTLS', 'srtp: optional, srtp_without_tls: true', 'UDP/TLS/RTP/SAVPF', ['a=fingerprint:sha-256 00']],
  ])('%s', async (_what, srtp, profile, lines) => {
    await start(srtp);
    const began = performance.now();
    const refusal = await offered(profile, lines);
    expect(refusal.status).toBe(488);
    expect(performance.now() - began).toBeLessThan(1_000);
    expect(refusal.get('Warning')).toMatch(/^305 sip2wa /);
    expect(refusal.get('Reason')).toMatch(/^Q\.850;cause=\d+;text="SDP offer has no /);
    expect(bridge.graph.seen).toEqual([]);
  });
});

it('a call to a PBX that must be secured offers RTP/SAVP; an answer without a key ends it with BYE and 488', async () => {
  await start('srtp: required, srtp_without_tls: true');
  const phone = new WrtcPeer();
  try {
    await bridge.deliver(bridge.userConnect('wacid.plain', await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    expect(invite.body).toMatch(/m=audio \d+ RTP\/SAVP /);
    expect(invite.body.match(/a=crypto:/g)).toHaveLength(3);
    bridge.pbx.reply(invite, 200, 'OK', { toTag: 'p1', body: pbxSdp(40_000) });
    await bridge.pbx.request('ACK');
    const bye = await bridge.pbx.request('BYE');
    expect(bye.get('Reason')).toMatch(/^SIP;cause=488;text="SDP answer is without SRTP/);
    bridge.pbx.reply(bye, 200, 'OK', {});
    expect(await bridge.record(0)).toMatchObject({ code: 'no_codec' });
  } finally {
    phone.close();
  }
});
