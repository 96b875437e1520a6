import { describe, expect, it } from 'vitest';
import type { CallRecord } from '../../../src/call/call-record.js';
import type { JournalData, JournalEntry, JournalEvent, OrphanDialog } from '../../../src/call/journal.js';
import { OpenCalls, type OpenWaCall } from '../../../src/journal/open-calls.js';
import { Recovery, type RecoveryOptions } from '../../../src/journal/recovery.js';
import { deferred } from '../../../src/lib/deferred.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { settled } from '../../support/eventually.js';
import { RecordingLogger } from '../../support/recording-logger.js';

type Line = readonly [call: string, event: JournalEvent, data?: JournalData];
const n = { numberId: '1055' };
const connect: Line = ['D1', 'webhook', { kind: 'user_connect', ...n, waCallId: 'w1', timestampMs: '1767225590000' }];
const userCall: readonly Line[] = [
  connect,
  [
    'C1',
    'began',
    { direction: 'user_initiated', startMs: '1767225591000', number: 'sales', trunk: 'pbx', waCallId: 'w1', ...n },
  ],
  ['C1', 'dial', { sipCallId: 's1', localTag: 't' }],
  ['C1', 'dialog', { sipCallId: 's1', remoteTag: 'r' }],
];
const unnamed: readonly Line[] = [
  ['C2', 'began', { direction: 'business_initiated', startMs: '1767225592000', number: 'sales', trunk: 'pbx' }],
  ['C2', 'dial', { leg: 'whatsapp', ...n, opaque: 's2w:C2' }],
];

/** A journal in memory with the lines of an earlier run, and everything that recovery works with. */
function setUp(lines: readonly Line[], options: Partial<RecoveryOptions> = {}) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const open = new OpenCalls();
  const entries: JournalEntry[] = [];
  const log: string[] = [];
  const records: CallRecord[] = [];
  const dialogs: OrphanDialog[] = [];
  const refusals = { left: 0 };
  for (const [call, event, data = {}] of lines) open.apply({ call: call as CallId, event, data });
  const journal = {
    open,
    append: (entry: JournalEntry): Promise<void> => {
      entries.push(entry);
      open.apply(entry);
      return Promise.resolve();
    },
    compact: (): Promise<void> => Promise.resolve(void log.push('compact')),
  };
  const recovery = new Recovery({
    journal,
    terminate: ({ waCallId }: OpenWaCall) => {
      log.push(`terminate ${waCallId}`);
      return refusals.left-- > 0 ? Promise.reject(new Error('503 of Meta')) : Promise.resolve();
    },
    forget: ({ waCallId }) => log.push(`forget ${waCallId}`),
    abandon: (call) => log.push(`abandon ${call}`),
    endDialogs: (orphans) => {
      dialogs.push(...orphans);
      for (const { sipCallId } of orphans) log.push(`bye ${sipCallId}`);
      return Promise.resolve();
    },
    replayReply: ({ key }) => log.push(`reply ${key ?? ''}`),
    nameOf: (id) => (id === '1055' ? 'sales' : undefined),
    cdr: { write: (record) => void records.push(record) },
    ids: { callId: () => 'NEW' as CallId },
    ...{ clock, logger },
    ...options,
  });
  return { recovery, clock, logger, open, entries, log, records, dialogs, refusals };
}

describe('recovery', () => {
  it('of nothing does nothing but say so', async () => {
    const { recovery, log, records, logger } = setUp([]);
    await recovery.run();
    expect([log, records]).toEqual([['compact'], []]);
    expect(logger.lines).toMatchObject([{ level: 'info', message: 'recovery done', fields: { calls: 0, dialogs: 0 } }]);
  });

  it('ends both sides of every orphan, writes one record each, and leaves nothing open', async () => {
    const { recovery, log, records, dialogs, open, logger } = setUp(userCall);
    await recovery.run();
    expect([...log].sort()).toEqual(['bye s1', 'compact', 'forget w1', 'terminate w1']);
    expect(dialogs).toMatchObject([
      { call: 'C1', sipCallId: 's1', stands: true, data: { localTag: 't', remoteTag: 'r' } },
    ]);
    expect(records).toEqual([
      {
        ...{ version: 1, call: 'C1', direction: 'user_initiated', number: 'sales', trunk: 'pbx' },
        ...{ start: '2025-12-31T23:59:51.000Z', end: '2026-01-01T00:00:00.000Z', durationMs: 9000, billsecMs: 0 },
        ...{ endedBy: 'bridge', code: 'internal', result: 'server_error', sipStatus: 500, q850: 41 },
        text: 'the daemon stopped unexpectedly; what it left up was ended at its next start',
        ...{ waCallId: 'w1', sipCallIdB: 's1' },
      },
    ]);
    await settled();
    expect(open.calls()).toEqual([]);
    const said = { calls: 1, waCalls: 1, dialogs: 1, unnamed: 0, permissionReplies: 0 };
    expect(logger.lines.at(-1)).toMatchObject({ message: 'recovery done', fields: said });
  });

  it('ends a user’s call of which only the webhook is known', async () => {
    const { recovery, log, records, open } = setUp([connect]);
    await recovery.run();
    await settled();
    expect(log).toContain('terminate w1');
    expect(records).toMatchObject([{ number: 'sales', waCallId: 'w1' }]);
    expect(records[0]?.call).toMatch(/^01[0-9A-HJKMNP-TV-Z]{24}$/);
    expect(records[0]?.start).toBe('2025-12-31T23:59:50.000Z');
    const again = setUp([connect]);
    await again.recovery.run();
    expect(again.records[0]?.call).toBe(records[0]?.call);
    expect(open.calls()).toEqual([]);
  });

  it('keeps an orphan open until its record is safe, however soon all else is done', async () => {
    const safe = deferred<undefined>();
    const { recovery, open, clock } = setUp(userCall, { cdr: { write: () => safe.promise } });
    await recovery.run();
    clock.advance(120_000);
    await settled();
    expect(open.calls()).toMatchObject([{ call: 'C1', isRecorded: false }]);
    safe.resolve(undefined);
    await settled();
    expect(open.calls()).toEqual([]);
  });

  it('watches for two minutes for a call that Meta has not named, over a second crash too', async () => {
    const { recovery, log, clock, open, records } = setUp(unnamed);
    await recovery.run();
    await settled();
    expect(log).toEqual(['abandon C2', 'compact']);
    expect(open.calls()).toMatchObject([{ call: 'C2', isIdUnknown: true, isRecorded: true }]);
    const second = setUp(open.entries().map(({ call, event, data }): Line => [call, event, data]));
    await second.recovery.run();
    expect([second.log, second.records, records.length]).toEqual([['abandon C2', 'compact'], [], 1]);
    clock.advance(120_000);
    await settled();
    expect(open.calls()).toEqual([]);
  });

  it('tries again in the background what Meta does not take, and keeps it in the journal until then', async () => {
    const { recovery, log, clock, open, refusals, records } = setUp(userCall);
    refusals.left = 2;
    await recovery.run();
    expect(open.calls()).toMatchObject([{ waCalls: [{ waCallId: 'w1' }], isRecorded: true }]);
    clock.advance(5_000);
    await settled();
    expect(open.calls()).toHaveLength(1);
    clock.advance(15_000);
    await settled();
    expect(open.calls()).toEqual([]);
    expect(log.filter((line) => line === 'terminate w1')).toHaveLength(3);
    expect([records.length, clock.armed]).toEqual([1, 0]);
  });

  it('gives up after a few tries with an error', async () => {
    const { recovery, clock, open, refusals, logger, log } = setUp(userCall);
    refusals.left = 100;
    await recovery.run();
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(60_000);
      await settled();
    }
    expect(log.filter((line) => line === 'terminate w1')).toHaveLength(4);
    expect(logger.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { message: 'orphan could not be ended at Meta', fields: { call: 'C1', waCallId: 'w1' } },
    ]);
    expect(open.calls()).toEqual([]);
  });

  it('is done after 4 s although Meta and the PBX say nothing', async () => {
    const never = (): Promise<void> => new Promise(() => undefined);
    const { recovery, clock, logger, open } = setUp(userCall, { terminate: never, endDialogs: never });
    let isDone = false;
    const done = recovery.run().then(() => (isDone = true));
    await settled();
    clock.advance(3_999);
    await settled();
    expect(isDone).toBe(false);
    clock.advance(1);
    await done;
    expect(logger.lines.map(({ message }) => message)).toEqual(['recovery goes on in the background', 'recovery done']);
    expect(open.calls()).toHaveLength(1);
  });

  it('does not wait for a disk that hangs', async () => {
    const { recovery, clock, logger, log } = setUp(userCall, {
      journal: {
        open: setUp(userCall).open,
        append: () => new Promise(() => undefined),
        compact: () => new Promise(() => undefined),
      },
    });
    let isDone = false;
    const done = recovery.run().then(() => (isDone = true));
    await settled();
    expect([isDone, log]).toEqual([false, expect.arrayContaining(['terminate w1', 'bye s1'])]);
    clock.advance(4_000);
    await done;
    expect(logger.lines.map(({ message }) => message)).toContain('journal not compacted');
  });

  it('hangs up a dialog that came of a call after its end, which has its record', async () => {
    const late: readonly Line[] = [
      ...userCall,
      ['C1', 'ended', { waCallId: 'w1' }],
      ['C1', 'dialog', { sipCallId: 's2', remoteTag: 'r' }],
      ['C1', 'bye_unconfirmed', { sipCallId: 's2', status: '503' }],
    ];
    const { recovery, log, records, open } = setUp(late);
    await recovery.run();
    await settled();
    expect([log, records, open.calls()]).toEqual([['bye s2', 'compact'], [], []]);
  });

  it('ends all orphans at once, not one after the other', async () => {
    const many = Array.from({ length: 50 }, (_, at): Line[] => [
      [`D${at}`, 'webhook', { kind: 'user_connect', ...n, waCallId: `w${at}` }],
    ]).flat();
    let atOnce = 0;
    const gates: (() => void)[] = [];
    const { recovery, records } = setUp(many, {
      terminate: () => {
        atOnce++;
        return new Promise((resolve) => gates.push(resolve));
      },
    });
    const done = recovery.run();
    await settled();
    expect(atOnce).toBe(50);
    for (const open of gates) open();
    await done;
    expect(records).toHaveLength(50);
  });

  it('acts on permission replies that nobody has acted on, once', async () => {
    const reply: Line = ['D1', 'webhook', { kind: 'permission_reply', ...n, key: 'k1', reply: '{}' }];
    const { recovery, log, open } = setUp([reply]);
    await recovery.run();
    expect([log, open.permissionReplies()]).toEqual([['reply k1', 'compact'], []]);
    const broken = setUp([reply], { replayReply: () => JSON.parse('{') as never });
    await broken.recovery.run();
    expect(broken.logger.lines[0]).toMatchObject({ level: 'error', message: 'permission reply not handled' });
    expect(broken.open.permissionReplies()).toEqual([]);
  });

  it('stops trying when the daemon stops; the journal has the rest for the next start', async () => {
    const { recovery, clock, open, refusals, log } = setUp(userCall);
    refusals.left = 100;
    await recovery.run();
    recovery.stop();
    clock.advance(600_000);
    await settled();
    expect(log.filter((line) => line === 'terminate w1')).toHaveLength(1);
    expect(open.calls()).toHaveLength(1);
  });

  it('goes on when the disk is full', async () => {
    const { recovery, log, logger } = setUp(userCall, {
      journal: {
        open: setUp(userCall).open,
        append: () => Promise.reject(new Error('ENOSPC')),
        compact: () => Promise.reject(new Error('ENOSPC')),
      },
    });
    await recovery.run();
    expect(log).toEqual(expect.arrayContaining(['terminate w1', 'bye s1']));
    expect(logger.lines.at(-1)?.message).toBe('recovery done');
  });
});
