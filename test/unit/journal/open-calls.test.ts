import { describe, expect, it } from 'vitest';
import type { JournalData, JournalEntry, JournalEvent } from '../../../src/call/journal.js';
import { OpenCalls, type OpenCall } from '../../../src/journal/open-calls.js';
import type { CallId } from '../../../src/lib/ids.js';

type Line = readonly [call: string, event: JournalEvent, data?: JournalData];
const entryOf = ([call, event, data = {}]: Line): JournalEntry => ({ call: call as CallId, event, data });

function fold(lines: readonly Line[]): OpenCalls {
  const open = new OpenCalls();
  for (const line of lines) open.apply(entryOf(line));
  return open;
}
const after = (...lines: Line[]): OpenCall[] => fold(lines).calls();

const n = { numberId: '1055' };
const connect: Line = ['D1', 'webhook', { kind: 'user_connect', ...n, waCallId: 'w1', timestampMs: '1000' }];
const began: Line = [
  'C1',
  'began',
  { direction: 'user_initiated', startMs: '1200', number: 'sales', trunk: 'pbx', waCallId: 'w1', ...n },
];
const invite: Line = ['C1', 'dial', { sipCallId: 's1', localTag: 't', uri: 'sip:x@pbx' }];
const dialog: Line = ['C1', 'dialog', { sipCallId: 's1', remoteTag: 'r', cseq: '1 INVITE' }];
const terminate = (waCallId: string, more: JournalData = {}): Line => [
  'D9',
  'webhook',
  { kind: 'call_terminate', ...n, waCallId, ...more },
];
const placed: readonly Line[] = [
  ['C2', 'began', { direction: 'business_initiated', startMs: '7', number: 'sales', trunk: 'pbx' }],
  ['C2', 'dial', { leg: 'whatsapp', ...n, opaque: 's2w:C2' }],
];
const wa = (waCallId: string) => ({ numberId: '1055', waCallId });

describe('a user’s call', () => {
  it('is open at Meta from its webhook on, before a call is made of it', () => {
    expect(after(connect)).toMatchObject([
      { call: undefined, direction: 'user_initiated', startMs: 1000, waCalls: [wa('w1')], dialogs: [] },
    ]);
  });

  it('has the call’s facts, and both sides, once the call has begun', () => {
    expect(after(connect, began, invite)).toEqual([
      {
        ...{ call: 'C1', direction: 'user_initiated', number: 'sales', trunk: 'pbx', startMs: 1200 },
        ...{ isRecorded: false, isIdUnknown: false, waCalls: [wa('w1')] },
        dialogs: [{ call: 'C1', sipCallId: 's1', stands: false, data: invite[2] }],
      },
    ]);
  });

  it('has the dialog record over the dial once the PBX has answered', () => {
    const [open] = after(connect, began, invite, dialog);
    expect(open?.dialogs).toEqual([
      { call: 'C1', sipCallId: 's1', stands: true, data: { ...invite[2], ...dialog[2] } },
    ]);
  });

  it('is over with its last entry, however often its webhook comes', () => {
    const lines = [connect, connect, began, connect, invite, dialog, ['C1', 'ended', { waCallId: 'w1' }] as const];
    expect(after(...lines)).toEqual([]);
    expect(fold(lines).entries()).toEqual([]);
  });

  it('that was dropped is nobody’s', () => {
    expect(after(connect, ['X', 'webhook_settled', { waCallId: 'w1' }])).toEqual([]);
  });

  it('is not closed because a duplicate of its webhook was dropped', () => {
    expect(after(connect, began, connect, ['X', 'webhook_settled', { waCallId: 'w1' }])).toHaveLength(1);
  });

  it('that the user ended has a PBX leg left to end, and a record to be written', () => {
    expect(after(connect, began, dialog, terminate('w1'))).toMatchObject([
      { call: 'C1', waCalls: [], dialogs: [{ sipCallId: 's1' }] },
    ]);
    expect(after(connect, terminate('w1'))).toEqual([]);
  });

  it('keeps the servers that were tried apart', () => {
    const second: Line = ['C1', 'dial', { sipCallId: 's2' }];
    const open = after(connect, began, invite, ['C1', 'dialog_ended', { sipCallId: 's1' }], second);
    expect(open[0]?.dialogs).toMatchObject([{ sipCallId: 's2', stands: false }]);
  });

  it('keeps a dialog whose BYE was not confirmed', () => {
    const open = after(connect, began, dialog, ['C1', 'bye_unconfirmed', { sipCallId: 's1', status: '503' }]);
    expect(open[0]?.dialogs).toMatchObject([{ sipCallId: 's1', stands: true }]);
  });

  it('has its record once', () => {
    expect(after(connect, began, ['C1', 'recorded'])).toMatchObject([{ call: 'C1', isRecorded: true }]);
    expect(after(connect, ['C7', 'recorded', wa('w1')])).toMatchObject([{ isRecorded: true, waCalls: [wa('w1')] }]);
    expect(after(connect, ['C7', 'recorded', wa('w1')], ['C7', 'ended', { waCallId: 'w1' }])).toEqual([]);
  });
});

describe('a call to a user', () => {
  it('is known by our key alone until Meta names it', () => {
    expect(after(...placed)).toMatchObject([
      { call: 'C2', direction: 'business_initiated', isIdUnknown: true, waCalls: [] },
    ]);
  });

  it('is named by the reply, or by a webhook that carries our key', () => {
    const named = { isIdUnknown: false, waCalls: [wa('w2')] };
    expect(after(...placed, ['C2', 'connected', { ...n, waCallId: 'w2' }])).toMatchObject([named]);
    const ringing = { kind: 'call_status', ...n, waCallId: 'w2', status: 'RINGING', opaqueCall: 'C2' };
    expect(after(...placed, ['D2', 'webhook', ringing])).toMatchObject([named]);
  });

  it('that the user ended stays ended when the reply names it later', () => {
    const late: Line = ['C2', 'connected', { ...n, waCallId: 'w2' }];
    expect(after(...placed, terminate('w2', { opaqueCall: 'C2' }), late)).toMatchObject([{ waCalls: [] }]);
  });
});

describe('what is not ours', () => {
  it('leaves nothing: statuses, answers and ends of unknown calls', () => {
    const open = fold([
      ['D1', 'webhook', { kind: 'call_status', ...n, waCallId: 'other', status: 'RINGING' }],
      ['D2', 'webhook', { kind: 'business_connect', ...n, waCallId: 'other' }],
      terminate('other'),
      ['C3', 'bye_unconfirmed', { sipCallId: 's' }],
      ['C3', 'ended'],
      ['C4', 'from_a_later_version' as JournalEvent, { waCallId: 'w' }],
    ]);
    expect([open.calls(), open.entries()]).toEqual([[], []]);
  });

  it('opens nothing for good when an entry comes after the end', () => {
    const late: Line = ['C1', 'dialog', { sipCallId: 's1' }];
    const ended: Line = ['C1', 'ended', { waCallId: 'w1' }];
    expect(after(connect, began, ended, late)).toMatchObject([{ call: 'C1', dialogs: [{ sipCallId: 's1' }] }]);
    expect(after(connect, began, ended, late, ['C1', 'dialog_ended', { sipCallId: 's1' }])).toEqual([]);
  });
});

describe('permission replies', () => {
  it('are open until somebody acted on them', () => {
    const reply: Line = ['D1', 'webhook', { kind: 'permission_reply', ...n, key: 'k1', reply: '{}' }];
    expect(fold([reply, reply]).permissionReplies()).toEqual([reply[2]]);
    expect(fold([reply, ['X', 'permission_handled', { key: 'k1' }]]).permissionReplies()).toEqual([]);
  });
});
