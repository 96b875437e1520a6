import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { NUMBER_ID, pbxSdp, ScriptedBridge, USER, BUSINESS } from '../support/scripted-bridge.js';
import { strictHeaders, strictNameAddr } from '../support/strict-headers.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

let bridge: ScriptedBridge;
let phone: WrtcPeer;
let offer: string;
let calls = 0;

beforeAll(async () => {
  bridge = await ScriptedBridge.start();
  phone = new WrtcPeer();
  offer = await phone.offer();
});
afterAll(async () => {
  phone.close();
  await bridge.stop();
});

const always = [
  ...['Via', 'Max-Forwards', 'From', 'To', 'Call-ID', 'CSeq', 'Contact', 'P-Asserted-Identity', 'User-Agent', 'Allow'],
  ...['Supported', 'Accept', 'Session-Expires', 'Min-SE', 'Content-Type', 'Content-Length'],
  ...['X-CID', 'X-WA-User', 'X-WA-Number-Id', 'X-WA-Call-Id', 'X-WA-Direction'],
];
const tail = `<sip:+${USER}@`;

/** `written`: the display name as it stands in From; `told`: X-WA-Name, undefined where nothing is left of the name. */
it.each<[string, string, string, string | undefined]>([
  ['plain', 'Anna', '"Anna" ', 'Anna'],
  ['quotes', 'Anna "A" Ørsted', '"Anna \\"A\\" Ørsted" ', 'Anna "A" Ørsted'],
  ['backslashes', '\\Anna\\', '"\\\\Anna\\\\" ', '\\Anna\\'],
  [
    'a quote and a header',
    'E" <sip:evil@x>\r\nX-Evil: 1',
    '"E\\" <sip:evil@x> X-Evil: 1" ',
    'E" <sip:evil@x> X-Evil: 1',
  ],
  ['CR LF CR LF and a body', 'E\r\n\r\nv=0', '"E v=0" ', 'E v=0'],
  ['a bare LF', 'E\nX-Evil: 2', '"E X-Evil: 2" ', 'E X-Evil: 2'],
  ['NUL and controls', 'A\u0000n\u0007n\u007fa\u0085', '"A n n a" ', 'A n n a'],
  ['Unicode line ends', 'A\u2028b\u2029c', '"A b c" ', 'A b c'],
  ['right-to-left marks', '\u200fأحمد\u200e', '"أحمد" ', 'أحمد'],
  ['bidi overrides', 'photo\u202egnp.exe\u2066x', '"photo gnp.exe x" ', 'photo gnp.exe x'],
  ['emoji', '👩‍👩‍👧 🎉', '"👩‍👩‍👧 🎉" ', '👩‍👩‍👧 🎉'],
  ['half an emoji', 'A\ud83c', '"A" ', 'A'],
  ['5,000 characters', '💬'.repeat(5_000), `"${'💬'.repeat(64)}" `, '💬'.repeat(64)],
  ['5,000 quotes', '"'.repeat(5_000), `"${'\\"'.repeat(64)}" `, '"'.repeat(64)],
  ['only spaces', ' \t\u2028 ', '', undefined],
  ['nothing', '', '', undefined],
  ['percent and pipe', '100%|#1 localhost', '"100%|#1 localhost" ', '100%|#1 localhost'],
])('a user named with %s calls, and the INVITE has the headers it always has', async (_what, name, written, told) => {
  const id = `wacid.${++calls}`;
  const call = { id, to: BUSINESS, from: USER, event: 'connect', timestamp: bridge.now, direction: 'USER_INITIATED' };
  const contacts = [{ profile: { name }, wa_id: USER }];
  const session = { sdp_type: 'offer', sdp: offer };
  expect(await bridge.deliver(bridge.event({ contacts, calls: [{ ...call, session }] }))).toBe(200);
  const invite = await bridge.pbx.request('INVITE');

  const headers = strictHeaders(invite.raw);
  const expected = told === undefined ? always : [...always, 'X-WA-Name'];
  expect(headers.map(([header]) => header).sort()).toEqual([...expected].sort());
  const value = new Map(headers);
  for (const header of ['From', 'P-Asserted-Identity']) {
    expect(value.get(header)).toMatch(strictNameAddr);
    expect(value.get(header)?.startsWith(written + tail)).toBe(true);
  }
  expect(value.get('X-WA-Name')).toBe(told);
  expect(value.get('X-WA-Number-Id')).toBe(NUMBER_ID);

  bridge.pbx.reply(invite, 200, 'OK', { toTag: id, body: pbxSdp(30_000) });
  await bridge.pbx.request('ACK');
  await eventually(() => bridge.actions.filter((action) => action === 'accept').length === calls, 'accept');
  bridge.pbx.send(bridge.pbx.fromCallee('BYE', invite, id, 1), bridge.sip);
  await bridge.pbx.response(200, 'BYE');
  expect(await bridge.record(calls - 1)).toMatchObject({ code: 'hangup', endedBy: 'b', waCallId: id });
});
