import { beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../src/call/call-record.js';
import { endReason, type EndReason } from '../../src/call/end-reason.js';
import { FakeClock } from '../../src/lib/clock.js';
import { deferred, type Deferred } from '../../src/lib/deferred.js';
import type { CallId, E164, WaCallId } from '../../src/lib/ids.js';
import { MemoryJournal } from '../../src/journal/memory-journal.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { CallHours, Trunk, WaNumber } from '../../src/routing/types.js';
import { Switchboard, type CallGate } from '../../src/switchboard.js';
import { userText, type UserAddress } from '../../src/routing/user-address.js';
import { settled } from '../support/eventually.js';
import { ScriptedLeg } from '../support/scripted-leg.js';

const trunk: Trunk = {
  ...{ name: 'pbx', acceptFrom: [], acceptFromServers: false, codecs: ['PCMA'], auth: undefined, register: false },
  ...{ dtmf: 'rfc4733', srtp: 'off', permission: 'none', maxCalls: 2 },
  servers: ['one', 'two'].map((hostname, index) => ({
    ...{ hostname, port: 5060, transport: 'udp', priority: index, weight: 1, requestUriUserParams: {} },
  })),
};
const sales: WaNumber = {
  ...{ id: '1055', number: '+15551112222' as E164, name: 'sales', signaling: 'graph', permission: 'none' },
  ...{ trunk: 'pbx', callHours: undefined, settings: undefined },
};

describe('switchboard', () => {
  let log: string[];
  let records: CallRecord[];
  let board: Switchboard;
  let dialled: ScriptedLeg[];
  let made: number;
  let clock: FakeClock;
  let journal: MemoryJournal;

  const dial = (what: string): ScriptedLeg => {
    log.push(what);
    const leg = new ScriptedLeg(`b${dialled.length}`, log);
    dialled.push(leg);
    return leg;
  };
  const arrive = () => ({ call: `CALL${made++}` as CallId, leg: new ScriptedLeg('a', log) });
  const userCall = (number = sales) => {
    const { call, leg } = arrive();
    const from = '+4930123456' as E164;
    const payloads = { ctaPayload: undefined, deeplinkPayload: undefined };
    const who = { from, fromUserId: undefined, fromName: 'Anna' };
    board.userCall({ call, leg, number, ...who, waCallId: 'wacid.1' as WaCallId, ...payloads });
    return leg;
  };
  const trunkCall = (calledUser: string, callerUser?: string) => {
    const { call, leg } = arrive();
    const asked = { calledUser, callerUser, namedNumber: undefined, opaque: undefined };
    board.trunkCall({ call, leg, trunk, trunks: [trunk], ...asked });
    return leg;
  };

  beforeEach(() => {
    log = [];
    records = [];
    dialled = [];
    made = 0;
    clock = new FakeClock();
    journal = new MemoryJournal();
    board = build();
  });

  const build = (gate?: CallGate, numbers = [sales], stored?: () => Promise<void>): Switchboard =>
    new Switchboard({
      ...(gate && { gate }),
      numbers,
      trunks: new Map([['pbx', trunk]]),
      routes: [],
      answerTimeoutMs: 25_000,
      ringTimeoutMs: 60_000,
      maxDurationMs: 1e6,
      createBridge: () => ({
        prepare: () => undefined,
        connect: () => undefined,
        disconnect: () => undefined,
        sendDtmf: () => undefined,
        onTimeout: () => undefined,
      }),
      dialTrunk: (target) => dial(`invite ${target.user}@${target.server.hostname}`),
      dialUser: (number, to) => dial(`connect ${number.name} ${userText(to)}`),
      clock,
      random: () => 0,
      observer: { step: () => undefined },
      journal,
      cdr: {
        write: (record) => {
          records.push(record);
          return stored?.();
        },
        close: () => Promise.resolve(),
      },
      logger: silentLogger,
    });

  it('rings the trunk for a user’s call, the next server when the first is down, and writes one record', () => {
    const leg = userCall();
    dialled[0]?.say({ type: 'failed', reason: endReason('trunk_down'), retry: true });
    dialled[0]?.say({ type: 'terminated' });
    dialled[1]?.say({ type: 'failed', reason: endReason('busy', { text: 'Busy Here' }), retry: false });
    dialled[1]?.say({ type: 'terminated' });
    leg.say({ type: 'terminated' });
    expect(log).toEqual([
      ...['a trying', 'invite +15551112222@one', 'b0 dial', 'invite +15551112222@two', 'b1 dial', 'a reject busy'],
    ]);
    expect(records).toMatchObject([
      {
        number: 'sales',
        user: '+4930123456',
        trunk: 'pbx',
        code: 'busy',
        sipStatus: 486,
        text: 'Busy Here',
      },
    ]);
    expect(board.calls.size).toBe(0);
  });

  it('journals where a call begins, before any leg does something, and that it is over', () => {
    const { call, leg } = arrive();
    Object.assign(leg.facts, { waCallId: 'wacid.1', numberId: sales.id });
    const atTrying: (string | undefined)[] = [];
    leg.trying = () => void atTrying.push(...journal.entries().map(({ event }) => event));
    const arriving = { call, leg, number: sales, from: undefined, fromUserId: undefined, fromName: 'Anna' };
    const more = { waCallId: 'wacid.1' as WaCallId, ctaPayload: undefined, deeplinkPayload: undefined };
    board.userCall({ ...arriving, ...more });
    dialled[0]?.say({ type: 'failed', reason: endReason('busy'), retry: false });
    dialled[0]?.say({ type: 'terminated' });
    leg.say({ type: 'terminated' });
    expect(atTrying).toEqual(['began']);
    const facts = { direction: 'user_initiated', number: 'sales', trunk: 'pbx', waCallId: 'wacid.1', numberId: '1055' };
    expect(journal.entries()).toEqual([
      { call, event: 'began', data: { ...facts, startMs: String(clock.now()) } },
      { call, event: 'ended', data: { waCallId: 'wacid.1' } },
    ]);
  });

  it('says that a call is over when its record is safe, and not before: a crash in between costs no record', async () => {
    const safe = deferred<undefined>();
    board = build(undefined, [sales], () => safe.promise);
    userCall({ ...sales, trunk: undefined }).say({ type: 'terminated' });
    await settled();
    expect(journal.entries().map(({ event }) => event)).toEqual(['began']);
    expect(board.calls.size).toBe(0);
    safe.resolve(undefined);
    await settled();
    expect(journal.entries().map(({ event }) => event)).toEqual(['began', 'ended']);
  });

  it('dials the user for a call from the PBX', () => {
    trunkCall('0049301234567');
    expect(log).toEqual(['a trying', 'connect sales +49301234567', 'b0 dial']);
  });

  it.each([
    ['a dial string that is no number', 'reception', 'a reject bad_number', { sipStatus: 484 }],
    ['a short number', '600', 'a reject bad_number', { code: 'bad_number' }],
  ])('refuses %s', (_what, called, expected, record) => {
    trunkCall(called).say({ type: 'terminated' });
    expect(log).toEqual([expected]);
    expect(records).toMatchObject([record]);
  });

  it('refuses a number that has no trunk', () => {
    userCall({ ...sales, trunk: undefined });
    expect(log).toEqual(['a reject no_route']);
  });

  it('refuses users’ calls while the number is closed and says when it opens; calls of the PBX do not mind', () => {
    clock.advance(Date.parse('2026-11-22T18:00:00Z') - clock.now());
    const weekly = [{ day: 'MONDAY', open: '0900', close: '1659' }];
    const callHours: CallHours = { status: 'ENABLED', timezoneId: 'America/Manaus', weekly, holidays: [] };
    userCall({ ...sales, callHours }).say({ type: 'terminated' });
    expect(log).toEqual(['a reject closed']);
    const shut = 'closed at 2026-11-22 1400 America/Manaus: SUNDAY has no entry';
    const text = `${shut}; opens Mon 2026-11-23 09:00 America/Manaus`;
    expect(records).toMatchObject([{ code: 'closed', sipStatus: 480, q850: 20, text, endedBy: 'bridge' }]);
    board = build(undefined, [{ ...sales, callHours }]);
    trunkCall('0049301234567');
    expect(log.slice(1)).toEqual(['a trying', 'connect sales +49301234567', 'b0 dial']);
  });

  it('gives up legs that are not gone in time, so that their call has its record all the same', async () => {
    userCall();
    const closed = board.close(1000);
    clock.advance(1000);
    await closed;
    expect(records).toMatchObject([{ code: 'shutdown', endedBy: 'bridge' }]);
    expect(board.calls.size).toBe(0);
    expect(clock.armed).toBe(0);
  });

  it('ends every call and refuses new ones when it closes', async () => {
    const leg = userCall();
    const closed = board.close(1000);
    trunkCall('+49301234567').say({ type: 'terminated' });
    expect(log.slice(-3)).toEqual(['a reject shutdown', 'b0 hangup shutdown', 'a reject shutdown']);
    leg.say({ type: 'terminated' });
    dialled[0]?.say({ type: 'terminated' });
    await closed;
    expect(board.calls.size).toBe(0);
  });

  describe('with a gate', () => {
    let verdict: Deferred<EndReason | undefined>;
    let asked: { number: string; user: UserAddress; isOver: () => boolean }[];
    let over: [string, object, string][];

    beforeEach(() => {
      verdict = deferred();
      asked = [];
      over = [];
      board = build({
        mayCall: (number, user, { isOver }) => {
          asked.push({ number: number.name, user, isOver });
          return verdict.promise;
        },
        onCallOver: (number, user, { direction, reason }) =>
          void over.push([number.name, user, `${direction} ${reason.code}`]),
      });
    });

    it('dials once it is open, and tells it how the call went', async () => {
      const leg = trunkCall('+49301234567');
      expect(log).toEqual([]);
      expect(asked).toMatchObject([{ number: 'sales', user: { number: '+49301234567' } }]);
      expect(asked[0]?.isOver()).toBe(false);
      verdict.resolve(undefined);
      await settled();
      expect(log).toEqual(['a trying', 'connect sales +49301234567', 'b0 dial']);
      dialled[0]?.say({ type: 'failed', reason: endReason('no_answer'), retry: false });
      dialled[0]?.say({ type: 'terminated' });
      leg.say({ type: 'terminated' });
      expect(over).toEqual([['sales', { number: '+49301234567' }, 'business_initiated no_answer']]);
    });

    it('refuses for its reason', async () => {
      const leg = trunkCall('US.1349');
      verdict.resolve(endReason('permission_requested'));
      await settled();
      expect(log).toEqual(['a reject permission_requested']);
      leg.say({ type: 'terminated' });
      expect(over).toEqual([['sales', { userId: 'US.1349' }, 'business_initiated permission_requested']]);
      expect(records).toMatchObject([{ code: 'permission_requested', sipStatus: 480 }]);
    });

    it.each([
      ['may be called', undefined],
      ['may not', endReason('no_permission')],
    ])('does nothing for a caller who gave up meanwhile, when the user %s', async (_, reason) => {
      const leg = trunkCall('+49301234567');
      leg.say({ type: 'cancelled', reason: endReason('cancelled') });
      leg.say({ type: 'terminated' });
      expect(asked[0]?.isOver()).toBe(true);
      verdict.resolve(reason);
      await settled();
      expect(log).toEqual([]);
      expect(records).toMatchObject([{ code: 'cancelled' }]);
    });

    it('asks nothing for calls that go nowhere, and does not stop the other direction', async () => {
      trunkCall('reception');
      userCall();
      await settled();
      expect(asked).toEqual([]);
      expect(log).toContain('b0 dial');
    });

    it('tells it of users’ calls too', () => {
      const leg = userCall();
      leg.say({ type: 'cancelled', reason: endReason('cancelled') });
      dialled[0]?.say({ type: 'terminated' });
      leg.say({ type: 'terminated' });
      expect(over).toMatchObject([['sales', { number: '+4930123456' }, 'user_initiated cancelled']]);
    });

    it('closes while a verdict is awaited', async () => {
      const leg = trunkCall('+49301234567');
      const closed = board.close(1000);
      leg.say({ type: 'terminated' });
      await closed;
      verdict.resolve(undefined);
      await settled();
      expect(log).toEqual(['a reject shutdown']);
    });
  });
});
