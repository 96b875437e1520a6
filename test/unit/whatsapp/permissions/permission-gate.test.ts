import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { endReason, type EndReason } from '../../../../src/call/end-reason.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import { deferred } from '../../../../src/lib/deferred.js';
import type { E164 } from '../../../../src/lib/ids.js';
import type { WaNumber } from '../../../../src/routing/types.js';
import type { UserAddress, WaUserId } from '../../../../src/routing/user-address.js';
import { GraphError } from '../../../../src/whatsapp/graph-error.js';
import { createLogger } from '../../../../src/observability/logger.js';
import type { PermissionEvent } from '../../../../src/whatsapp/permissions/permission-event.js';
import { PermissionGate, type PermissionRules } from '../../../../src/whatsapp/permissions/permission-gate.js';
import type { PermissionReply } from '../../../../src/whatsapp/webhook-events.js';
import { settled } from '../../../support/eventually.js';
import { FakePermissionApi, permissionJson } from '../../../support/permission-fakes.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { someCall, someNumber } from '../../../support/whatsapp-fakes.js';

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const anna = { number: '+13057765456' as E164 };
const annaById = { userId: 'US.1349' as WaUserId };
const rules: PermissionRules = {
  ...{ message: { kind: 'text', text: 'May we call you?' }, maxAgeMs: HOUR, lookupsPerSecond: 5 },
  ...{ requestsPerDay: 1, requestsPerWeek: 2, connectedCallsPerDay: 3, unansweredInARow: 4 },
};
const number = (permission: WaNumber['permission']): WaNumber => ({ ...someNumber, permission });
const metaFault = (metaCode: number, httpStatus = 400, retryAfterS?: number) =>
  new GraphError('api', 'no', { metaCode, httpStatus, details: `details of ${metaCode}`, retryAfterS });

let clock: FakeClock;
let api: FakePermissionApi;
let logger: RecordingLogger;
let gate: PermissionGate;
let counted: string[];
let events: PermissionEvent[];

const setUp = (more: Partial<PermissionRules> = {}): void => {
  clock = new FakeClock();
  api = new FakePermissionApi();
  logger = new RecordingLogger();
  counted = [];
  events = [];
  gate = new PermissionGate({
    ...{ api, clock, logger, rules: { ...rules, ...more } },
    count: (what, result, alias) => counted.push(`${what} ${result} ${alias}`),
    onEvent: (event) => events.push(event),
  });
};
beforeEach(() => setUp());

const mayCall = (
  policy: WaNumber['permission'],
  user: UserAddress = anna,
  isOver = false,
): Promise<EndReason | undefined> => gate.mayCall(number(policy), user, { id: someCall, isOver: () => isOver });
const said = (reason: EndReason | undefined) =>
  reason && [reason.code, reason.sipStatus, ...(reason.retryAfterS === undefined ? [] : [reason.retryAfterS])];
const inSeconds = (ms: number): number => Math.floor((clock.now() + ms) / 1000);

const reply = (more: Partial<PermissionReply> = {}): void => {
  const user = {
    number: '+13057765456' as E164,
    userId: 'US.1349',
    parentUserId: undefined,
    name: 'Anna',
    username: undefined,
  };
  gate.onReply(
    {
      ...{ kind: 'permission_reply', numberId: someNumber.id, timestampMs: clock.now(), user, response: 'accept' },
      ...{ messageId: `wamid.${clock.now()}`, contextId: undefined, permanent: true, expiresAtMs: undefined },
      ...{ source: 'user_action', ...more },
    },
    someNumber,
  );
};
type Ending = {
  answered?: boolean;
  reason?: EndReason;
  direction?: 'user_initiated' | 'business_initiated';
  placed?: boolean;
};
const callOver = ({ answered = false, reason, direction = 'business_initiated', placed = true }: Ending): void =>
  gate.onCallOver(someNumber, anna, {
    direction,
    answerMs: answered ? clock.now() : undefined,
    reason: reason ?? endReason(answered ? 'hangup' : 'no_answer'),
    b: placed ? { waCallId: 'wacid.1' } : {},
  });

describe('permission: none', () => {
  it('asks nobody', async () => {
    expect(await mayCall('none')).toBeUndefined();
    reply({ response: 'reject' });
    expect(await mayCall('none')).toBeUndefined();
    expect([api.lookedUp, api.requested]).toEqual([[], []]);
  });

  it('keeps to our own limit of connected calls, as a window that moves', async () => {
    for (let calls = 0; calls < 3; calls++) {
      expect(await mayCall('none')).toBeUndefined();
      callOver({ answered: true });
      clock.advance(HOUR);
    }
    const refusal = await mayCall('none');
    expect(said(refusal)).toEqual(['limit', 403, (21 * HOUR) / 1000]);
    expect(refusal?.text).toBe('3 connected calls to the user in 24 hours');
    clock.advance(21 * HOUR);
    expect(await mayCall('none')).toBeUndefined();
    expect(counted).toEqual(['refusal limit sales']);
  });

  it('stops after as many unanswered calls in a row, until the two have talked', async () => {
    for (const code of ['no_answer', 'declined', 'cancelled', 'no_answer'] as const) {
      expect(await mayCall('none')).toBeUndefined();
      callOver({ reason: endReason(code) });
    }
    expect(await mayCall('none')).toMatchObject({
      code: 'limit',
      sipStatus: 403,
      text: expect.stringMatching(/4 calls in a row/) as string,
    });
    callOver({ direction: 'user_initiated' });
    expect(said(await mayCall('none'))).toEqual(['limit', 403]);
    callOver({ direction: 'user_initiated', answered: true });
    expect(await mayCall('none')).toBeUndefined();
  });

  it('a new permission lifts that too, and so does a week', async () => {
    const four = () => [1, 2, 3, 4].forEach(() => callOver({}));
    four();
    reply();
    expect(await mayCall('none')).toBeUndefined();
    four();
    expect(said(await mayCall('none'))).toEqual(['limit', 403]);
    clock.advance(7 * DAY);
    expect(await mayCall('none')).toBeUndefined();
  });

  it('does not count calls that never rang at the user’s', async () => {
    for (let calls = 0; calls < 9; calls++) {
      callOver({ placed: false });
      callOver({ reason: endReason('media_failed') });
    }
    expect(await mayCall('none')).toBeUndefined();
  });

  it('0 is no limit', async () => {
    setUp({ connectedCallsPerDay: 0, unansweredInARow: 0 });
    for (let calls = 0; calls < 200; calls++) callOver({ answered: calls % 2 === 0 });
    for (let calls = 0; calls < 9; calls++) callOver({});
    expect(await mayCall('none')).toBeUndefined();
  });
});

describe('permission: check', () => {
  it.each([
    ['permanent', true],
    ['temporary', true],
    ['no_permission', false],
    ['granted_by_mistake', false],
  ])('%s: may call %s', async (status, may) => {
    api.answers(permissionJson(status, { expires: inSeconds(DAY) }));
    expect(said(await mayCall('check'))).toEqual(may ? undefined : ['no_permission', 403]);
    expect(api.lookedUp).toMatchObject([{ numberId: someNumber.id, user: anna }]);
    expect(counted[0]).toBe(`lookup ${may ? status : 'no_permission'} sales`);
  });

  it('believes a permanent permission for max_age, and a temporary one not beyond its end', async () => {
    api.answers(permissionJson('permanent'));
    await mayCall('check');
    clock.advance(HOUR - 1);
    await mayCall('check');
    expect(api.lookedUp).toHaveLength(1);
    clock.advance(1);
    api.answers(permissionJson('temporary', { expires: inSeconds(60_000) }), permissionJson('no_permission'));
    expect(await mayCall('check')).toBeUndefined();
    clock.advance(60_000);
    expect(await mayCall('check')).toMatchObject({ code: 'no_permission', text: 'the permission has run out' });
    expect(api.lookedUp).toHaveLength(3);
  });

  it('believes that there is none for 15 s only', async () => {
    await mayCall('check');
    clock.advance(14_999);
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
    expect(api.lookedUp).toHaveLength(1);
    clock.advance(1);
    api.answers(permissionJson('permanent'));
    expect(await mayCall('check')).toBeUndefined();
  });

  it('a limit of Meta’s: 403 with the time when it ends, from memory too, and asked again then', async () => {
    const full = { time_period: 'PT24H', max_allowed: 5, current_usage: 5, limit_expiration_time: inSeconds(1800_000) };
    api.answers(permissionJson('permanent', { start: false, startLimits: [full] }));
    const refusal = await mayCall('check');
    expect(said(refusal)).toEqual(['limit', 403, 1800]);
    expect(refusal?.text).toBe('Meta allows no call to the user now: limit of 5 in 24 hours');
    clock.advance(600_000);
    expect(said(await mayCall('check'))).toEqual(['limit', 403, 1200]);
    expect(api.lookedUp).toHaveLength(1);
    clock.advance(1200_000);
    api.answers(permissionJson('permanent', { start: true }));
    expect(await mayCall('check')).toBeUndefined();
  });

  it('all limits have to be free: the last one counts', async () => {
    const ends = (ms: number) => ({
      time_period: 'P7D',
      max_allowed: 1,
      current_usage: 1,
      limit_expiration_time: inSeconds(ms),
    });
    api.answers(permissionJson('permanent', { start: false, startLimits: [ends(HOUR), ends(2 * HOUR)] }));
    expect(said(await mayCall('check'))).toEqual(['limit', 403, 7200]);
  });

  it('a limit that Meta gives no end of is believed for 15 s', async () => {
    api.answers(permissionJson('permanent', { start: false }));
    expect(said(await mayCall('check'))).toEqual(['limit', 403]);
    clock.advance(15_000);
    await mayCall('check');
    expect(api.lookedUp).toHaveLength(2);
  });

  it('what Meta says goes before our own limits: they only make us ask again', async () => {
    api.answers(permissionJson('permanent', { start: true }));
    await mayCall('check');
    clock.advance(1);
    for (let calls = 0; calls < 3; calls++) callOver({ answered: true });
    expect(await mayCall('check')).toBeUndefined();
    expect(await mayCall('check')).toBeUndefined();
    expect(api.lookedUp).toHaveLength(2);
    api.answers(metaFault(131000, 500));
    clock.advance(1);
    callOver({ answered: true });
    expect(said(await mayCall('check'))?.slice(0, 2)).toEqual(['limit', 403]);
  });

  it('what Meta said was left is used up: it is asked again', async () => {
    const limit = { time_period: 'PT24H', max_allowed: '10', current_usage: '8' };
    api.answers(permissionJson('permanent', { start: true, startLimits: [limit] }));
    await mayCall('check');
    callOver({ answered: true });
    await mayCall('check');
    expect(api.lookedUp).toHaveLength(1);
    callOver({ answered: true });
    await mayCall('check');
    expect(api.lookedUp).toHaveLength(2);
  });

  it('138006 on a call: what was believed is forgotten', async () => {
    api.answers(permissionJson('permanent'));
    await mayCall('check');
    clock.advance(1000);
    callOver({ reason: endReason('no_permission', { metaCode: 138006 }), placed: false });
    api.answers(permissionJson('no_permission'));
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
  });

  it('a look-up that fails keeps nobody from calling', async () => {
    api.answers(metaFault(131000, 500));
    expect(await mayCall('check')).toBeUndefined();
    expect(counted).toEqual(['lookup failed sales']);
  });

  it('one that takes too long neither, and its answer counts for the next call', async () => {
    const late = deferred<object>();
    api.answers(late.promise);
    const waiting = mayCall('check');
    await settled();
    clock.advance(2500);
    expect(await waiting).toBeUndefined();
    late.resolve(permissionJson('no_permission'));
    await settled();
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
    expect(api.lookedUp).toHaveLength(1);
    expect(api.lookedUp[0]?.signal?.aborted).toBe(true);
    expect(clock.armed).toBe(0);
  });

  it('613: none for a while', async () => {
    api.answers(metaFault(613, 429), permissionJson('no_permission'));
    expect(await mayCall('check')).toBeUndefined();
    expect(await mayCall('check')).toBeUndefined();
    expect(api.lookedUp).toHaveLength(1);
    expect(counted.at(-1)).toBe('lookup skipped sales');
    clock.advance(1000);
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
  });

  it('613 for a year: none for a minute', async () => {
    api.answers(metaFault(613, 429, 365 * 86_400), permissionJson('no_permission'));
    await mayCall('check');
    clock.advance(59_999);
    await mayCall('check');
    expect(api.lookedUp).toHaveLength(1);
    clock.advance(1);
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
  });

  it('no more look-ups a second than are allowed, by number', async () => {
    const user = (index: number): UserAddress => ({ number: `+1305000000${index}` as E164 });
    for (let index = 0; index < 8; index++) await mayCall('check', user(index));
    expect(api.lookedUp).toHaveLength(5);
    await gate.mayCall({ ...number('check'), id: '2' }, user(0), { id: someCall, isOver: () => false });
    expect(api.lookedUp).toHaveLength(6);
    clock.advance(200);
    await mayCall('check', user(8));
    await mayCall('check', user(9));
    expect(api.lookedUp).toHaveLength(7);
  });

  it('calls to the same user at a time share a look-up', async () => {
    const answer = deferred<object>();
    api.answers(answer.promise);
    const both = Promise.all([mayCall('check'), mayCall('check')]);
    await settled();
    answer.resolve(permissionJson('no_permission'));
    expect((await both).map((reason) => reason?.code)).toEqual(['no_permission', 'no_permission']);
    expect(api.lookedUp).toHaveLength(1);
  });

  it('a fault of our own is logged and keeps nobody from calling', async () => {
    const broken = {
      id: someCall,
      isOver: () => {
        throw new Error('broken');
      },
    };
    expect(await gate.mayCall(number('ask'), anna, broken)).toBeUndefined();
    expect(logger.lines.at(-1)).toMatchObject({ level: 'error', message: 'permission could not be checked' });
  });
});

describe('permission: ask', () => {
  const canAsk = () => permissionJson('no_permission', { ask: true, start: false });

  it('asks the user and says so: 480', async () => {
    api.answers(canAsk());
    const refusal = await mayCall('ask');
    expect(refusal).toMatchObject({
      code: 'permission_requested',
      sipStatus: 480,
      text: 'permission requested from the user',
    });
    expect(api.requested).toMatchObject([{ numberId: someNumber.id, user: anna, message: rules.message }]);
    expect(counted).toEqual(['lookup no_permission sales', 'request sent sales', 'refusal permission_requested sales']);
  });

  it('asks nobody who gave permission', async () => {
    api.answers(permissionJson('temporary', { expires: inSeconds(DAY), ask: true, start: true }));
    expect(await mayCall('ask')).toBeUndefined();
    expect(api.requested).toEqual([]);
  });

  it('while the user has not answered it does not ask again for a day, whatever Meta would allow: 403', async () => {
    api.answers(canAsk());
    await mayCall('ask');
    for (const ms of [0, 20_000, DAY - 21_000]) {
      clock.advance(ms);
      expect(await mayCall('ask')).toMatchObject({
        ...{ code: 'no_permission', sipStatus: 403, text: 'permission was asked already, no answer yet' },
      });
    }
    expect(api.requested).toHaveLength(1);
    clock.advance(1000);
    expect(said(await mayCall('ask'))).toEqual(['permission_requested', 480]);
  });

  it('the answer to the request counts at once', async () => {
    api.answers(canAsk());
    await mayCall('ask');
    reply({ permanent: false, expiresAtMs: clock.now() + DAY, contextId: 'wamid.request' });
    expect(await mayCall('ask')).toBeUndefined();
    reply({ response: 'reject', source: 'automatic', messageId: 'wamid.later' });
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
    expect(api.lookedUp).toHaveLength(1);
  });

  it('Meta lets nobody be asked: 403 with the time when it does', async () => {
    const limits = [
      { time_period: 'PT24H', max_allowed: 1, current_usage: 1, limit_expiration_time: inSeconds(600_000) },
      { time_period: 'P7D', max_allowed: 2, current_usage: 1 },
    ];
    api.answers(permissionJson('no_permission', { ask: false, askLimits: limits }));
    const refusal = await mayCall('ask');
    expect(said(refusal)).toEqual(['no_permission', 403, 600]);
    expect(refusal?.text).toBe(
      'no permission, and it cannot be asked for now: Meta does not allow it: limit of 1 in 24 hours',
    );
    expect(api.requested).toEqual([]);
  });

  it('our own limits hold where Meta says nothing: once a day, twice a week, anew when the two have talked', async () => {
    const results: unknown[] = [];
    const rejectAndCall = async (ms: number): Promise<void> => {
      reply({ response: 'reject', messageId: `wamid.${results.length}` });
      clock.advance(ms);
      results.push(said(await mayCall('ask')));
    };
    await rejectAndCall(0);
    await rejectAndCall(HOUR);
    await rejectAndCall(23 * HOUR);
    await rejectAndCall(DAY);
    callOver({ answered: true });
    await rejectAndCall(DAY);
    const asked = ['permission_requested', 480];
    expect(results).toEqual([
      ...[asked, ['no_permission', 403, 23 * 3600], asked, ['no_permission', 403, 5 * 24 * 3600], asked],
    ]);
  });

  it('138009: 403 in Meta’s words, not tried again until something is known anew', async () => {
    api.answers(canAsk());
    api.sends(metaFault(138009, 400, 500));
    expect(await mayCall('ask')).toMatchObject({
      code: 'no_permission',
      sipStatus: 403,
      metaCode: 138009,
      retryAfterS: 500,
    });
    expect(await mayCall('ask')).toMatchObject({
      code: 'no_permission',
      text: expect.stringMatching(/Meta does not allow it/) as string,
    });
    expect(api.requested).toHaveLength(1);
  });

  it('138017: the permission is there after all, and the call is placed', async () => {
    api.answers(canAsk());
    api.sends(metaFault(138017));
    expect(await mayCall('ask')).toBeUndefined();
    expect(await mayCall('check')).toBeUndefined();
    expect(api.lookedUp).toHaveLength(1);
  });

  it.each([
    ['a refusal', metaFault(131047), 2],
    ['no connection', new GraphError('transport', 'refused', { unsent: true }), 2],
    ['a connection that broke', new GraphError('transport', 'reset'), 1],
  ])('%s is not told as asked: 403; the user is not asked twice', async (_, error, requests) => {
    api.answers(canAsk());
    api.sends(error);
    const refusal = await mayCall('ask');
    expect(said(refusal)).toEqual(['no_permission', 403]);
    expect(refusal?.text).toMatch(/^permission could not be asked for: /);
    await mayCall('ask');
    expect(api.requested).toHaveLength(requests);
  });

  it('no answer in time: 403, and it counts as sent', async () => {
    api.answers(canAsk());
    api.sends(new Promise<string>(() => undefined));
    const waiting = mayCall('ask');
    await settled();
    clock.advance(3000);
    expect(said(await waiting)).toEqual(['no_permission', 403]);
    expect(await mayCall('ask')).toMatchObject({ text: 'permission was asked already, no answer yet' });
  });

  it('two calls at a time ask once, and both are told', async () => {
    api.answers(canAsk());
    const sent = deferred<string>();
    api.sends(sent.promise);
    const both = Promise.all([mayCall('ask'), mayCall('ask')]);
    await settled();
    sent.resolve('wamid.1');
    expect((await both).map((reason) => reason?.sipStatus)).toEqual([480, 480]);
    expect(api.requested).toHaveLength(1);
  });

  it('nobody is asked for a call that is over', async () => {
    api.answers(canAsk());
    expect(said(await mayCall('ask', anna, true))).toEqual(['no_permission', 403]);
    expect(api.requested).toEqual([]);
  });

  it('without a look-up nobody is asked: Meta decides about the call', async () => {
    api.answers(metaFault(613, 429));
    expect(await mayCall('ask')).toBeUndefined();
    expect(api.requested).toEqual([]);
  });
});

describe('users’ replies', () => {
  it('hold for the number and for the business-scoped id of the user', async () => {
    expect(said(await mayCall('check', annaById))).toEqual(['no_permission', 403]);
    reply();
    expect(await mayCall('check', annaById)).toBeUndefined();
    expect(await mayCall('check', anna)).toBeUndefined();
    expect(api.lookedUp).toHaveLength(1);
  });

  it('that overtake a look-up on its way are not undone by its answer', async () => {
    const answer = deferred<object>();
    api.answers(answer.promise);
    const waiting = mayCall('check');
    await settled();
    clock.advance(500);
    reply();
    answer.resolve(permissionJson('no_permission'));
    expect(await waiting).toBeUndefined();
    expect(await mayCall('check')).toBeUndefined();
  });

  it('are shown whole and logged', () => {
    const timestampMs = Date.UTC(2026, 0, 2);
    const user = {
      number: '+13057765456' as E164,
      userId: 'US.1349',
      parentUserId: 'US.ENT.7',
      name: 'Anna',
      username: 'anna',
    };
    const all = { user, timestampMs, messageId: 'wamid.reply' };
    reply({ ...all, permanent: false, expiresAtMs: timestampMs + DAY, contextId: 'wacid.call', source: 'automatic' });
    reply({ response: 'reject', messageId: 'wamid.2' });
    expect(events.slice(0, 1)).toEqual([
      {
        ...{ number: 'sales', numberId: someNumber.id, userNumber: '+13057765456', userId: 'US.1349' },
        ...{ parentUserId: 'US.ENT.7', name: 'Anna', username: 'anna', response: 'accept', permanent: false },
        ...{ expiresAt: '2026-01-03T00:00:00.000Z', source: 'automatic', contextId: 'wacid.call', context: 'call' },
        ...{ messageId: 'wamid.reply', timestamp: '2026-01-02T00:00:00.000Z' },
      },
    ]);
    expect(logger.lines.filter(({ message }) => message === 'permission reply')).toHaveLength(2);
  });

  it('show no number in the log', () => {
    const lines = new PassThrough();
    const real = createLogger({ level: 'debug', format: 'json', stream: lines });
    gate = new PermissionGate({ api, clock, logger: real, rules });
    reply();
    const written = String(lines.read());
    expect(written).toContain('permission reply');
    expect(written).toContain('…5456');
    expect(written).not.toContain('3057765456');
  });

  it.each([
    ['wamid.x', 'message'],
    ['wacid.x', 'call'],
    ['gBGG', 'unknown'],
    [undefined, 'none'],
  ])('context %s is %s', (contextId, context) => {
    reply({ contextId });
    expect(events).toMatchObject([{ context }]);
  });

  it('a time that no calendar has is left out', () => {
    reply({ expiresAtMs: 1e16, permanent: false });
    expect(events[0]).not.toHaveProperty('expiresAt');
  });

  it('of a user of whom no id is known hold for nobody', async () => {
    const nobody = {
      number: undefined,
      userId: undefined,
      parentUserId: undefined,
      name: undefined,
      username: undefined,
    };
    reply({ user: nobody });
    expect(said(await mayCall('check'))).toEqual(['no_permission', 403]);
  });
});

describe('the census of permissions', () => {
  it('counts the users that are known here by what is known of them now', async () => {
    expect(gate.census()).toEqual({
      ...{ unknown: 0, none: 0, requested: 0, temporary: 0, permanent: 0, expired: 0, revoked: 0 },
    });
    reply({ permanent: false });
    await mayCall('none', annaById);
    await mayCall('none', { number: '+4930123456' as E164 });
    expect(gate.census()).toMatchObject({ unknown: 1, temporary: 1, expired: 0 });
    clock.advance(8 * DAY);
    expect(gate.census()).toMatchObject({ unknown: 1, temporary: 0, expired: 1 });
  });
});
