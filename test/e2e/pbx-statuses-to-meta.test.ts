import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFixture } from '../support/fixtures.js';
import { loopbackSdp } from '../support/loopback-sdp.js';
import { ScriptedBridge } from '../support/scripted-bridge.js';

const offer = loopbackSdp(readFixture('sdp/meta-user-initiated-offer-from-meta.sdp'));

/** A final status of IANA's registry and what the record says of the call: end code, SIP status, Q.850 cause (RFC 3398). */
type Row = readonly [status: number, phrase: string, code: string, sip: number, q850: number];

const rows: readonly Row[] = [
  [300, 'Multiple Choices', 'unavailable', 480, 20],
  [301, 'Moved Permanently', 'unavailable', 480, 20],
  [302, 'Moved Temporarily', 'unavailable', 480, 20],
  [305, 'Use Proxy', 'unavailable', 480, 20],
  [380, 'Alternative Service', 'unavailable', 480, 20],
  [400, 'Bad Request', 'bad_request', 400, 41],
  [401, 'Unauthorized', 'not_allowed', 401, 21],
  [402, 'Payment Required', 'not_allowed', 402, 21],
  [403, 'Forbidden', 'not_allowed', 403, 21],
  [404, 'Not Found', 'not_found', 404, 1],
  [405, 'Method Not Allowed', 'bad_request', 405, 63],
  [406, 'Not Acceptable', 'bad_request', 406, 79],
  [407, 'Proxy Authentication Required', 'not_allowed', 407, 21],
  [408, 'Request Timeout', 'no_answer', 408, 102],
  [410, 'Gone', 'not_found', 410, 22],
  [412, 'Conditional Request Failed', 'bad_request', 412, 95],
  [413, 'Request Entity Too Large', 'bad_request', 413, 127],
  [414, 'Request-URI Too Long', 'bad_request', 414, 127],
  [415, 'Unsupported Media Type', 'no_codec', 415, 79],
  [416, 'Unsupported URI Scheme', 'bad_request', 416, 127],
  [417, 'Unknown Resource-Priority', 'bad_request', 417, 95],
  [420, 'Bad Extension', 'bad_request', 420, 127],
  [421, 'Extension Required', 'bad_request', 421, 127],
  [422, 'Session Interval Too Small', 'bad_request', 422, 95],
  [423, 'Interval Too Brief', 'bad_request', 423, 127],
  [424, 'Bad Location Information', 'bad_request', 424, 95],
  [425, 'Bad Alert Message', 'bad_request', 425, 95],
  [428, 'Use Identity Header', 'not_allowed', 428, 21],
  [429, 'Provide Referrer Identity', 'not_allowed', 429, 21],
  [430, 'Flow Failed', 'unavailable', 430, 20],
  [433, 'Anonymity Disallowed', 'declined', 433, 21],
  [436, 'Bad Identity-Info', 'not_allowed', 436, 21],
  [437, 'Unsupported Credential', 'not_allowed', 437, 21],
  [438, 'Invalid Identity Header', 'not_allowed', 438, 21],
  [439, 'First Hop Lacks Outbound Support', 'bad_request', 439, 95],
  [440, 'Max-Breadth Exceeded', 'no_route', 440, 3],
  [469, 'Bad Info Package', 'bad_request', 469, 95],
  [470, 'Consent Needed', 'not_allowed', 470, 21],
  [480, 'Temporarily Unavailable', 'unavailable', 480, 18],
  [481, 'Call/Transaction Does Not Exist', 'unavailable', 481, 41],
  [482, 'Loop Detected', 'no_route', 482, 25],
  [483, 'Too Many Hops', 'no_route', 483, 25],
  [484, 'Address Incomplete', 'bad_number', 484, 28],
  [485, 'Ambiguous', 'bad_number', 485, 1],
  [486, 'Busy Here', 'busy', 486, 17],
  [487, 'Request Terminated', 'no_answer', 487, 19],
  [488, 'Not Acceptable Here', 'no_codec', 488, 88],
  [489, 'Bad Event', 'bad_request', 489, 95],
  [491, 'Request Pending', 'unavailable', 491, 20],
  [493, 'Undecipherable', 'bad_request', 493, 95],
  [494, 'Security Agreement Required', 'not_allowed', 494, 21],
  [500, 'Server Internal Error', 'trunk_down', 500, 41],
  [501, 'Not Implemented', 'trunk_down', 501, 79],
  [502, 'Bad Gateway', 'trunk_down', 502, 38],
  [503, 'Service Unavailable', 'trunk_down', 503, 41],
  [504, 'Server Time-out', 'trunk_down', 504, 102],
  [505, 'Version Not Supported', 'trunk_down', 505, 127],
  [513, 'Message Too Large', 'trunk_down', 513, 127],
  [555, 'Push Notification Service Not Supported', 'trunk_down', 555, 41],
  [580, 'Precondition Failure', 'trunk_down', 580, 41],
  [600, 'Busy Everywhere', 'busy', 600, 17],
  [603, 'Decline', 'declined', 603, 21],
  [604, 'Does Not Exist Anywhere', 'not_found', 604, 1],
  [606, 'Not Acceptable', 'no_codec', 606, 88],
  [607, 'Unwanted', 'declined', 607, 21],
  [608, 'Rejected', 'declined', 608, 21],
  // Not registered: as the class says.
  [399, 'Elsewhere', 'unavailable', 480, 20],
  [499, 'Odd Request', 'bad_request', 499, 41],
  [599, 'Odd Server', 'trunk_down', 599, 41],
  [699, 'Never', 'declined', 699, 21],
];

/** Whether this was pre-accepted before decides what Meta is told: reject takes no call back that had an answer of ours. */
const policies = [
  { policy: 'never', actions: ['reject'] },
  { policy: 'immediate', actions: ['pre_accept', 'terminate'] },
] as const;

describe.each(policies)(
  'what a PBX answers, as Meta and the record get it; pre_accept $policy',
  ({ policy, actions }) => {
    let bridge: ScriptedBridge;
    let made = 0;
    beforeAll(async () => {
      bridge = await ScriptedBridge.start({ more: `calls: { pre_accept: ${policy} }` });
    });
    afterAll(() => bridge.stop());

    /** A user calls and the PBX answers like this; the record of it, and what Meta was asked. */
    const answered = async (status: number, phrase: string, headers: readonly string[] = []) => {
      const [calls, asked] = [bridge.records.length, bridge.actions.length];
      await bridge.deliver(bridge.userConnect(`wacid.${made++}`, offer));
      const invite = await bridge.pbx.request('INVITE');
      if (policy === 'immediate') await expect.poll(() => bridge.actions.at(-1)).toBe('pre_accept');
      bridge.pbx.reply(invite, status, phrase, { toTag: `p${made}`, headers, noContact: true });
      await bridge.pbx.request('ACK');
      return { record: await bridge.record(calls), asked: bridge.actions.slice(asked) };
    };

    it.each(rows.map(([status, ...row]) => ({ status, row })))('$status', async ({ status, row }) => {
      const [phrase, code, sipStatus, q850] = row;
      const { record, asked } = await answered(status, phrase);
      expect(record).toMatchObject({ code, sipStatus, q850, text: `${status} ${phrase}`, endedBy: 'b', billsecMs: 0 });
      expect(asked).toEqual(actions);
    });

    it('a Q.850 cause of the PBX’s own goes before the table', async () => {
      const { record } = await answered(480, 'Temporarily Unavailable', ['Reason: Q.850;cause=27;text="out of order"']);
      expect(record).toMatchObject({ code: 'unavailable', sipStatus: 480, q850: 27 });
    });
  },
);
