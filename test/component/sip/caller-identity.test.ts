import { afterEach, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { Trunk } from '../../../src/routing/types.js';
import { LegLog } from '../../support/leg-log.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { SipScene } from '../../support/sip-scene.js';

let scene: SipScene;
let pbx: SipScriptPeer;

async function arriving(trustIdentity: boolean, headers: string[], from?: string, otherTrunk?: Partial<Trunk>) {
  scene = await SipScene.start({ trunk: { trustIdentity }, ...(otherTrunk ? { otherTrunk } : {}) });
  pbx = await SipScriptPeer.udp();
  const text = pbx.newRequest('INVITE', scene.uri(), { body: PEER_SDP, headers });
  pbx.send(from === undefined ? text : text.replace(/"Alice" <[^>]*>/, from), scene.address);
  const call = await scene.call();
  return { call, log: new LegLog(call.leg) };
}

afterEach(async () => {
  scene.calls[0]?.leg.reject(endReason('busy'));
  await pbx.response(486, 'INVITE');
  await scene.stop();
  await pbx.stop();
});

const identity = [
  'P-Asserted-Identity: "Sales, all" <sip:+15551112222@pbx;user=phone>',
  'P-Asserted-Identity: tel:+15551112223',
  'Diversion: <sip:+15553334444@pbx>;reason=unconditional',
  'Privacy: none',
];

it('takes the word of a trusted PBX for who calls, and for whom', async () => {
  const { call } = await arriving(true, identity);
  expect(call).toMatchObject({
    callerUser: 'alice',
    assertedUsers: ['+15551112222', '+15551112223'],
    divertedBy: ['+15553334444'],
  });
  expect(call.leg.facts).toMatchObject({ caller: '***2222', divertedBy: '***4444' });
});

it('believes nothing of it from any other', async () => {
  const { call } = await arriving(false, identity);
  expect(call).toMatchObject({ callerUser: 'alice', assertedUsers: [], divertedBy: [] });
  expect(call.leg.facts).toMatchObject({ caller: 'alice' });
  expect(call.leg.facts).not.toHaveProperty('divertedBy');
});

it('believes it of trunks that share an address only if it does so of each of them', async () => {
  const { call } = await arriving(true, identity, undefined, { trustIdentity: false });
  expect(call).toMatchObject({ assertedUsers: [], divertedBy: [] });
});

it('takes a call of a caller who is told to nobody', async () => {
  const { call } = await arriving(false, ['Privacy: id;critical'], '"Anonymous" <sip:anonymous@anonymous.invalid>');
  expect(call.callerUser).toBeUndefined();
  expect(call.leg.facts).toMatchObject({ caller: 'anonymous' });
});
