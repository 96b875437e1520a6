import fc from 'fast-check';
import { expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { hostileText } from '../../support/hostile-text.js';
import { LegLog } from '../../support/leg-log.js';
import { runsOf } from '../../support/runs.js';
import { SipScriptPeer, type PeerMessage } from '../../support/sip-script-peer.js';
import { SipScene } from '../../support/sip-scene.js';
import { pbxAudio } from '../../support/standing-call.js';
import { strictHeaders, strictNameAddr, strictReason } from '../../support/strict-headers.js';

const { runs, timeoutMs } = runsOf(200, 30_000);
/** Calls up at once. */
const atOnce = 4;
/** Runs of one scene: a scripted peer keeps all that nobody asked for. */
const batch = 250;

let scene: SipScene;
let pbx: SipScriptPeer;

/** Without the mark of broken UTF-8, so that none of it means that nothing was broken. */
const text = hostileText.map((value) => value.replaceAll('\ufffd', 'x'));
const texts = fc.record({ user: text, name: text, id: text, payload: text, why: text });
type Texts = typeof texts extends fc.Arbitrary<infer T> ? T : never;

const mandatory = ['Via', 'Max-Forwards', 'From', 'To', 'Call-ID', 'CSeq', 'Content-Length'];
const ofInvite = [
  ...mandatory,
  ...['Contact', 'P-Asserted-Identity', 'User-Agent', 'Allow', 'Supported', 'Accept', 'Content-Type', 'X-CID'],
  ...['Session-Expires', 'Min-SE', 'X-WA-Direction'],
];
/** Left out where nothing of the text can be written. */
const facts = ['X-WA-User', 'X-WA-Name', 'X-WA-Number-Id', 'X-WA-Call-Id', 'X-WA-Payload', 'X-WA-Payload-Type'];

/** The message has these headers, each once, perhaps those facts, and no other. */
function expectHeaders(message: PeerMessage, always: readonly string[], perhaps: readonly string[]) {
  const headers = strictHeaders(message.raw);
  const names = headers.map(([name]) => name);
  expect(names.filter((name) => !perhaps.includes(name)).sort()).toEqual([...always].sort());
  expect(new Set(names).size).toBe(names.length);
  return new Map(headers);
}

/** A user with these texts calls, hears it ring and gives up for such a reason. */
async function userCalls({ user, name, id, payload, why }: Texts): Promise<void> {
  const whatsApp = {
    numberId: id,
    callId: id,
    direction: 'user_initiated',
    payload: { type: 'deeplink', text: payload },
  } as const;
  const { leg, log, call } = scene.outbound(scene.target(pbx), { caller: { user, name }, whatsApp });
  leg.dial();
  const isIts = (message: PeerMessage): boolean => message.method === 'INVITE' && message.get('X-CID') === call;
  const invite = await pbx.next(isIts, 'INVITE');
  const headers = expectHeaders(invite, ofInvite, facts);
  expect(headers.get('From')).toMatch(strictNameAddr);
  expect(headers.get('P-Asserted-Identity')).toMatch(strictNameAddr);
  pbx.reply(invite, 180, 'Ringing', { toTag: 'x' });
  await log.saw('progress');
  leg.hangup(endReason('hangup', { text: why }));
  const callId = invite.get('Call-ID');
  const cancel = await pbx.next((m) => m.method === 'CANCEL' && m.get('Call-ID') === callId, 'CANCEL');
  expect(expectHeaders(cancel, [...mandatory, 'Reason'], []).get('Reason')).toMatch(strictReason);
  pbx.reply(cancel, 200, 'OK', { noContact: true });
  pbx.reply(invite, 487, 'Request Terminated', { toTag: 'x', noContact: true });
  await log.saw('terminated');
}

/** The PBX calls, and is refused in Meta's words. */
async function pbxCalls({ user, id, why }: Texts, metaCode: number): Promise<void> {
  const sent = pbx.newRequest('INVITE', scene.uri(), { body: pbxAudio() });
  const callId = /^Call-ID: (.*)$/m.exec(sent)?.[1]?.trim() ?? '';
  pbx.send(sent, scene.address);
  const isIts = (message: PeerMessage): boolean => (message.status ?? 0) > 100 && message.get('Call-ID') === callId;
  const call = await arrival(
    () => pbx.send(sent, scene.address),
    () => scene.calls.find(({ leg }) => leg.facts['sipCallId'] === callId),
  );
  const log = new LegLog(call.leg);
  call.leg.reject(endReason('no_permission', { text: why, metaCode }), { waCallId: id, user });
  const refusal = await pbx.next(isIts, 'refusal');
  const always = [
    ...mandatory.filter((name) => name !== 'Max-Forwards'),
    'Reason',
    'Warning',
    'X-CID',
    'X-WA-Direction',
  ];
  const headers = expectHeaders(refusal, always, facts);
  expect(refusal.status).toBe(403);
  expect(headers.get('Reason')).toMatch(strictReason);
  expect(headers.get('Warning')).toMatch(/^399 sip2wa "(?:[^"\\]|\\.)*"$/u);
  await log.saw('terminated');
  scene.calls.splice(scene.calls.indexOf(call), 1);
}

/** What is looked for, however long it takes; a datagram may be lost, so it is sent again now and then. */
async function arrival<T>(sendAgain: () => void, look: () => T | undefined): Promise<T> {
  for (let turn = 1; turn <= 4_000; turn++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (turn % 250 === 0) sendAgain();
  }
  throw new Error('the call never arrived');
}

it(
  'whatever names, ids, payloads and reasons hold, calls work and nothing is added to their messages',
  { timeout: timeoutMs },
  async () => {
    const all = fc.sample(texts, { numRuns: runs, seed: 20_261_122 });
    for (let start = 0; start < all.length; start += batch) {
      scene = await SipScene.start();
      pbx = await SipScriptPeer.udp();
      const left = all.slice(start, start + batch);
      const worker = async (): Promise<void> => {
        for (let given = left.shift(); given; given = left.shift()) {
          await userCalls(given);
          await pbxCalls(given, 138_000 + (left.length % 20));
        }
      };
      await Promise.all(Array.from({ length: atOnce }, worker));
      await scene.stop();
      await pbx.stop();
      expect(scene.agent.legs).toBe(0);
    }
  },
);
