import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { metaError, type Reply } from '../support/graph-double.js';
import { NUMBER_ID, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';

/** What Meta says: its code, the HTTP status it comes with, the details. */
type Said = readonly [code: number, http: number, details?: string];
/** What the PBX gets, and what the record says. Retry-After 0: there is none. */
type Told = readonly [sip: number, q850: number, retryAfterS: number, code: string];

/** Errors about one call. Written from Meta's troubleshooting page and decision note 0050, not from the source. */
const aboutTheCall: readonly (readonly [Said, Told])[] = [
  [
    [100, 400, 'Fingerprint algo is not SHA256'],
    [500, 41, 0, 'internal'],
  ],
  [
    [100, 400, "Param 'to' must be a valid phone number format"],
    [484, 28, 0, 'bad_number'],
  ],
  [
    [100, 400, 'Recipient is not a WhatsApp user'],
    [404, 1, 0, 'not_found'],
  ],
  [
    [130497, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [131009, 400],
    [500, 41, 0, 'internal'],
  ],
  [
    [131026, 400],
    [480, 20, 0, 'unavailable'],
  ],
  [
    [131030, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [131044, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [131055, 400],
    [503, 41, 5, 'internal'],
  ],
  [
    [138000, 401],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [138001, 400],
    [404, 1, 0, 'not_found'],
  ],
  [
    [138003, 400],
    [486, 17, 0, 'busy'],
  ],
  [
    [138004, 500],
    [500, 41, 0, 'upstream'],
  ],
  [
    [138006, 401],
    [403, 21, 0, 'no_permission'],
  ],
  [
    [138007, 500],
    [504, 41, 0, 'media_failed'],
  ],
  [
    [138008, 400],
    [500, 41, 0, 'internal'],
  ],
  [
    [138009, 400],
    [403, 21, 0, 'no_permission'],
  ],
  [
    [138011, 400],
    [403, 21, 0, 'no_permission'],
  ],
  [
    [138012, 400],
    [403, 42, 3600, 'limit'],
  ],
  [
    [138013, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [138014, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [138015, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [138017, 400],
    [500, 41, 0, 'internal'],
  ],
  [
    [138018, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [138019, 400],
    [480, 20, 0, 'unavailable'],
  ],
  [
    [138020, 400],
    [480, 20, 0, 'unavailable'],
  ],
  [
    [138021, 400],
    [480, 102, 0, 'media_timeout'],
  ],
  [
    [138022, 400],
    [480, 102, 0, 'media_timeout'],
  ],
  [
    [138023, 400],
    [504, 41, 0, 'media_failed'],
  ],
  [
    [138024, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  [
    [138025, 400],
    [403, 21, 0, 'not_allowed'],
  ],
  // Nobody has documented these.
  [
    [138010, 400],
    [500, 41, 0, 'upstream'],
  ],
  [
    [138016, 400],
    [500, 41, 0, 'upstream'],
  ],
];

/** Errors about the number, the app or the token: the Graph client holds calls back after them, so that each has its bridge. */
const aboutMore: readonly (readonly [Said, Told])[] = [
  [
    [1, 500],
    [503, 41, 5, 'upstream'],
  ],
  [
    [2, 503],
    [503, 41, 5, 'upstream'],
  ],
  [
    [4, 400],
    [503, 42, 60, 'limit'],
  ],
  [
    [10, 403],
    [503, 41, 60, 'credentials'],
  ],
  [
    [102, 400],
    [503, 41, 60, 'credentials'],
  ],
  [
    [190, 401],
    [503, 41, 60, 'credentials'],
  ],
  [
    [200, 403],
    [503, 41, 60, 'credentials'],
  ],
  [
    [299, 403],
    [503, 41, 60, 'credentials'],
  ],
  [
    [613, 429],
    [503, 42, 5, 'limit'],
  ],
  [
    [80007, 429],
    [503, 42, 60, 'limit'],
  ],
  [
    [130429, 429],
    [503, 42, 60, 'limit'],
  ],
  [
    [131000, 500],
    [503, 41, 5, 'upstream'],
  ],
  [
    [131016, 500],
    [503, 41, 5, 'upstream'],
  ],
  [
    [138002, 429],
    [503, 42, 10, 'limit'],
  ],
  [
    [138005, 429],
    [503, 42, 3600, 'limit'],
  ],
];

const nameOf = (rows: typeof aboutMore) =>
  rows.map(([said, told]) => ({ said, told, name: `code ${said[0]}, HTTP ${said[1]}: SIP ${told[0]}` }));

/** The final response to an INVITE of the PBX, acknowledged, as Meta answers connect like this. */
function refused(bridge: ScriptedBridge, reply: Reply): Promise<PeerMessage> {
  bridge.graph.replies(reply);
  return bridge.refusalOf(bridge.pbxCalls());
}

/** One row through the whole daemon: HTTP answer in, SIP response and record out. */
async function expectRow(bridge: ScriptedBridge, [code, http, details]: Said, told: Told): Promise<void> {
  const words = details ?? 'Meta says why';
  const calls = bridge.records.length;
  const final = await refused(bridge, metaError(http, code, 'Title of the error', words));
  const [sip, q850, retryAfterS, endCode] = told;
  const record = await bridge.record(calls);
  expect(final.status).toBe(sip);
  expect(final.get('Reason')).toBe(`Q.850;cause=${q850};text="${code} ${words}"`);
  expect(final.get('Warning')).toBe(`399 sip2wa "${code} ${words}"`);
  expect(final.has('Retry-After') ? final.get('Retry-After') : '0').toBe(String(retryAfterS));
  expect(final.get('X-CID')).toBe(record.call);
  expect([final.all('X-WA-User'), final.all('X-WA-Number-Id')]).toEqual([[`+${USER}`], [NUMBER_ID]]);
  expect(record).toMatchObject({ code: endCode, sipStatus: sip, q850, metaCode: code, text: words, endedBy: 'b' });
}

describe('what Meta says to connect, as the PBX hears it', () => {
  describe('errors about the call, one bridge for all', () => {
    let bridge: ScriptedBridge;
    beforeAll(async () => {
      bridge = await ScriptedBridge.start();
    });
    afterAll(() => bridge.stop());

    it.each(nameOf(aboutTheCall))('$name', async ({ said, told }) => {
      await expectRow(bridge, said, told);
    });

    it('nothing was repeated, and nothing was left to terminate', () => {
      expect(bridge.actions).toEqual(aboutTheCall.map(() => 'connect'));
    });

    it('what would break a header arrives as text', async () => {
      const final = await refused(bridge, metaError(400, 138014, 'Paused', 'low "quality"\r\nX-Evil: 1\\'));
      expect(final.get('Reason')).toBe('Q.850;cause=21;text="138014 low \\"quality\\" X-Evil: 1\\\\"');
      expect(final.has('X-Evil')).toBe(false);
    });

    it('a time that Meta names is the Retry-After', async () => {
      const at = new Date(Date.now() + 7_200_000).toISOString();
      const final = await refused(bridge, metaError(400, 138012, 'Limit', `Next call allowed at ${at}`));
      expect(Number(final.get('Retry-After'))).toBeGreaterThan(7_100);
      expect(Number(final.get('Retry-After'))).toBeLessThanOrEqual(7_200);
    });
  });

  describe('errors about number, app or token, and answers of no use', () => {
    let bridge: ScriptedBridge;
    beforeEach(async () => {
      bridge = await ScriptedBridge.start();
    });
    afterEach(() => bridge.stop());

    it.each(nameOf(aboutMore))('$name', async ({ said, told }) => {
      await expectRow(bridge, said, told);
      expect(bridge.actions).toEqual(['connect']);
    });

    it.each<[string, Reply]>([
      ['a web page', { status: 200, text: '<html>Sign in</html>' }],
      ['JSON cut in half', { status: 200, text: '{"calls":[{"id":"wac' }],
      ['JSON of another form', { status: 200, json: { calls: 'none' } }],
      ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:9/' }, text: '' }],
    ])('%s fails the call at once; should it turn up all the same, it is terminated', async (_, reply) => {
      const final = await refused(bridge, reply);
      expect(final.status).toBe(503);
      expect(await bridge.record()).toMatchObject({ code: 'upstream', sipStatus: 503 });
      const opaque = bridge.graph.seen[0]?.body['biz_opaque_callback_data'];
      const status = { id: 'wacid.late', timestamp: bridge.now, type: 'call', status: 'RINGING', recipient_id: USER };
      await bridge.deliver(bridge.event({ statuses: [{ ...status, biz_opaque_callback_data: opaque }] }));
      await expect.poll(() => bridge.actions).toEqual(['connect', 'terminate']);
      expect(bridge.graph.seen[1]?.body['call_id']).toBe('wacid.late');
    });
  });
});
