import { afterEach, describe, expect, it } from 'vitest';
import { pbxSdp, ScriptedBridge, USER, type BridgeOptions } from '../support/scripted-bridge.js';

const SALES = { id: '105615555715855', number: '+15551112222' };
const SUPPORT = { id: '105615555715856', number: '+15551113333' };

/** Two numbers without a trunk, whose settings name the same PBX. */
const settingsOnly: BridgeOptions = {
  trunks: ({ port }) => `
numbers:
  - { id: "${SALES.id}", number: "${SALES.number}", name: sales, settings: { calling: { sip: { servers: [{ hostname: 127.0.0.1, port: ${port} }] } } } }
  - { id: "${SUPPORT.id}", number: "${SUPPORT.number}", name: support, settings: { calling: { sip: { servers: [{ hostname: 127.0.0.1, port: ${port} }] } } } }
`,
};

/** Two trunks of the file to the same PBX, which differ in their codecs. */
const twoTrunks: BridgeOptions = {
  trunks: ({ port }) => `
trunks:
  - { name: alaw, servers: [{ hostname: 127.0.0.1, port: ${port} }], accept_from: [127.0.0.0/24], codecs: [PCMA] }
  - { name: ulaw, servers: [{ hostname: 127.0.0.1, port: ${port} }], accept_from: [127.0.0.77/24], codecs: [PCMU] }
numbers:
  - { id: "${SALES.id}", number: "${SALES.number}", name: sales, trunk: alaw }
  - { id: "${SUPPORT.id}", number: "${SUPPORT.number}", name: support, trunk: ulaw }
`,
};

describe('one PBX with two numbers', () => {
  let bridge: ScriptedBridge;
  afterEach(() => bridge.stop());

  /** The PBX calls a user with this user part in From. */
  const invite = (caller: string, { headers = [] as string[], sdp = pbxSdp(40_000) } = {}): void => {
    const uri = `sip:+${USER}@${bridge.sip.host}:${bridge.sip.port}`;
    const text = bridge.pbx.newRequest('INVITE', uri, { body: sdp, headers });
    bridge.pbx.send(text.replace('<sip:alice@', `<sip:${caller}@`), bridge.sip);
  };
  /** The number that the Graph API was asked to call with. */
  const placedWith = async (): Promise<string> => {
    await bridge.step('graph.connect');
    return bridge.graph.seen.map(({ path }) => path).join();
  };

  it.each([
    ['sales', '+15551112222', SALES.id],
    ['support', '15551113333', SUPPORT.id],
  ])('places a call with %s when that is the caller', async (name, caller, id) => {
    bridge = await ScriptedBridge.start(settingsOnly);
    invite(caller);
    expect(await placedWith()).toContain(`/${id}/calls`);
    await bridge.deliver(bridge.terminate('wacid.double-1', 'BUSINESS_INITIATED'));
    expect(await bridge.record()).toMatchObject({ number: name, trunk: `settings:${name}` });
  });

  it('places a call with the number that X-WA-Number-Id names, whoever calls', async () => {
    bridge = await ScriptedBridge.start(settingsOnly);
    invite('+15551112222', { headers: ['X-WA-Number-Id: support'] });
    expect(await placedWith()).toContain(`/${SUPPORT.id}/calls`);
  });

  it.each([
    ['nothing tells which', []],
    ['X-WA-Number-Id names neither', ['X-WA-Number-Id: 4711']],
  ])('refuses a call when %s', async (_what, headers) => {
    bridge = await ScriptedBridge.start(settingsOnly);
    invite('100', { headers });
    await bridge.pbx.response(403, 'INVITE');
    expect(await bridge.record()).toMatchObject({ code: 'not_allowed' });
    expect(bridge.actions).toEqual([]);
  });

  it('negotiates with the codecs of the trunk that has the number', async () => {
    bridge = await ScriptedBridge.start(twoTrunks);
    invite('+15551113333', { sdp: pbxSdp(40_000, '0').replace('a=rtpmap:8 PCMA', 'a=rtpmap:0 PCMU') });
    expect(await placedWith()).toContain(`/${SUPPORT.id}/calls`);
    invite('+15551112222', { sdp: pbxSdp(40_002, '0').replace('a=rtpmap:8 PCMA', 'a=rtpmap:0 PCMU') });
    const refusal = await bridge.pbx.response(488, 'INVITE');
    expect(refusal.get('Warning')).toContain('PCMA');
  });
});
