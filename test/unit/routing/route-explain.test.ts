import { describe, expect, it } from 'vitest';
import type { E164 } from '../../../src/lib/ids.js';
import { explainHours } from '../../../src/routing/call-hours.js';
import { instantOf, localTime } from '../../../src/routing/local-time.js';
import { explainUserCall, hoursText } from '../../../src/routing/route-explain.js';
import { explainTrunkCall } from '../../../src/routing/trunk-call.js';
import type { CallHours, Route, Trunk, WaNumber } from '../../../src/routing/types.js';

const trunk = (name: string, hosts = [`${name}.example`]): Trunk => ({
  ...{ name, acceptFrom: [], acceptFromServers: false, codecs: ['PCMA'], auth: undefined, register: false },
  ...{ dtmf: 'rfc4733', srtp: 'off', permission: 'none', maxCalls: 10 },
  servers: hosts.map((hostname) => ({
    ...{ hostname, port: 5060, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} },
  })),
});
const number = (over: Partial<WaNumber> = {}): WaNumber => ({
  ...{ id: '1055', number: '+15551112222' as E164, name: 'sales', signaling: 'graph', permission: 'none' },
  ...{ trunk: 'pbx', callHours: undefined, settings: undefined },
  ...over,
});
const route = (over: Partial<Route>): Route => ({
  ...{ number: undefined, from: undefined, hours: undefined, trunk: 'pbx', to: undefined },
  ...over,
});
const berlin: CallHours = {
  ...{ status: 'ENABLED', timezoneId: 'Europe/Berlin' },
  weekly: [
    { day: 'THURSDAY', open: '0900', close: '1200' },
    { day: 'THURSDAY', open: '1300', close: '1700' },
  ],
  holidays: [{ date: '2026-12-24', start: '0900', end: '1100' }],
};

describe('the explanation of a user’s call', () => {
  const trunks = new Map([trunk('pbx'), trunk('night'), trunk('empty', [])].map((one) => [one.name, one]));
  const explain = (routes: Route[], from: string | undefined, at = '2026-12-24T10:00:00+01:00', of = number()) =>
    explainUserCall({ number: of, from, atMs: Date.parse(at) }, routes, trunks);

  it('says of every route whether and why', () => {
    const routes = [
      route({ number: 'help' }),
      route({ from: '+4940*' }),
      route({ from: '+4930123456', number: '1055', trunk: 'night', to: '700' }),
      route({ from: '+4930*' }),
      route({}),
    ];
    const { routes: verdicts, choice } = explain(routes, '+4930123456');
    expect(verdicts.map(({ position, result, why }) => [position, result, why])).toEqual([
      [1, 'miss', 'number is sales, not help'],
      [2, 'miss', 'caller does not begin with +4940'],
      [3, 'match', 'number is 1055; caller is +4930123456'],
      [4, 'overridden', 'route 3 comes first; caller begins with +4930'],
      [5, 'overridden', 'route 3 comes first; takes every call'],
    ]);
    expect(choice).toMatchObject({ ok: true, trunk: { name: 'night' }, user: '700', by: 'route 3' });
  });

  it('names every condition a route misses, and callers who hide', () => {
    const { routes: verdicts, choice } = explain([route({ number: 'help', from: '+49*' })], undefined);
    expect(verdicts[0]?.why).toBe('number is sales, not help; caller hides the number, +49* is wanted');
    expect(verdicts[0]?.conditions.map(({ condition, holds }) => [condition, holds])).toEqual([
      ['number', false],
      ['caller', false],
    ]);
    expect(choice).toMatchObject({ ok: true, by: 'trunk of number sales', user: '+15551112222' });
  });

  it.each([
    ['2026-12-24T10:00:00+01:00', 'open at 2026-12-24 1000 Europe/Berlin: within holiday 2026-12-24 0900-1100'],
    ['2026-12-24T14:00:00+01:00', 'closed at 2026-12-24 1400 Europe/Berlin: outside holiday 2026-12-24 0900-1100'],
    ['2026-12-17T13:30:00Z', 'open at 2026-12-17 1430 Europe/Berlin: within THURSDAY 1300-1700'],
    ['2026-12-17T11:30:00Z', 'closed at 2026-12-17 1230 Europe/Berlin: outside THURSDAY 0900-1200 and 1300-1700'],
    ['2026-12-18T11:30:00Z', 'closed at 2026-12-18 1230 Europe/Berlin: FRIDAY has no entry'],
  ])('at %s hours are %s', (at, why) => {
    const routes = [route({ hours: 'open', trunk: 'pbx' }), route({ hours: 'closed', trunk: 'night' })];
    const { routes: verdicts, choice } = explain(routes, '+4930123456', at, number({ callHours: berlin }));
    expect(verdicts.map((verdict) => verdict.why)).toEqual([why, why]);
    expect(choice).toMatchObject({ ok: true, trunk: { name: why.startsWith('open') ? 'pbx' : 'night' } });
  });

  it('says when hours do not count', () => {
    expect(hoursText(explainHours(undefined, 0))).toBe('open: no call hours are set');
    expect(hoursText(explainHours({ ...berlin, status: 'DISABLED' }, 0))).toBe('open: call hours are DISABLED');
  });

  it('says that the trunk of the winner has no server; no later route is tried', () => {
    const { routes: verdicts, choice } = explain([route({ trunk: 'empty' }), route({})], '+4930123456');
    expect(verdicts.map(({ result, why }) => [result, why])).toEqual([
      ['match', 'takes every call; but trunk empty has no server'],
      ['overridden', 'route 1 comes first; takes every call'],
    ]);
    expect(choice).toEqual({ ok: false, code: 'no_route', why: 'trunk empty has no server' });
  });

  it('a closed number takes no call, by its trunk or by a route that does not say closed, and tells when it opens', () => {
    const routes = [route({}), route({ number: 'sales', to: '600' }), route({ hours: 'open' })];
    const at = '2026-12-18T12:30:00+01:00';
    const shut = 'closed at 2026-12-18 1230 Europe/Berlin: FRIDAY has no entry';
    for (const some of [[], routes]) {
      const { choice, routes: verdicts } = explain(some, '+4930123456', at, number({ callHours: berlin }));
      const why = `${shut}; opens Thu 2026-12-24 09:00 Europe/Berlin`;
      expect(choice).toEqual({ ok: false, code: 'closed', why });
      expect(verdicts.map(({ result }) => result)).toEqual(some.map(() => 'miss'));
      expect(verdicts[0]?.why ?? shut).toBe(shut);
    }
    const night = [...routes, route({ hours: 'closed', trunk: 'night', to: '700' })];
    const { choice } = explain(night, '+4930123456', at, number({ callHours: berlin }));
    expect(choice).toMatchObject({ ok: true, trunk: { name: 'night' }, user: '700', by: 'route 4' });
  });

  it('a number that never opens says so', () => {
    const never = number({ callHours: { ...berlin, weekly: [], holidays: [] } });
    expect(explain([], undefined, '2026-12-18T12:30:00+01:00', never).choice).toMatchObject({
      code: 'closed',
      why: 'closed at 2026-12-18 1230 Europe/Berlin: FRIDAY has no entry; opens not within a year',
    });
  });
});

describe('the explanation of a call from the PBX', () => {
  const sales = number();
  const help = number({ id: '1066', name: 'help', number: '+15553334444' as E164 });
  const others = [
    number({ id: '1077', name: 'foreign', trunk: 'other' }),
    number({ id: '1088', name: 'direct', signaling: 'sip' }),
    number({ id: '1099', name: 'loose', trunk: undefined }),
  ];
  const asked = { trunks: ['pbx'], calledUser: '+49301234567', callerUser: undefined, namedNumber: undefined };

  it('says of every number why it is chosen or not', () => {
    const { numbers, decision } = explainTrunkCall({ ...asked, namedNumber: 'help' }, [sales, help, ...others]);
    expect(numbers.map((verdict) => [verdict.number.name, verdict.result, verdict.why])).toEqual([
      ['sales', 'possible', 'help is meant'],
      ['help', 'chosen', 'X-WA-Number-Id names it'],
      ['foreign', 'refused', 'is on trunk other'],
      ['direct', 'refused', 'signaling is sip'],
      ['loose', 'refused', 'has no trunk'],
    ]);
    expect(decision).toMatchObject({ ok: true, number: { name: 'help' }, user: { number: '+49301234567' } });
  });

  it.each([
    [{ callerUser: '15553334444' }, [sales, help], 'From has it as the caller'],
    [{}, [help], 'it is the only one of the trunk'],
    [{ calledUser: 'US.13491208655302741918' }, [help], 'it is the only one of the trunk'],
  ])('%j is placed with help', (more, numbers, by) => {
    expect(explainTrunkCall({ ...asked, ...more }, numbers).decision).toMatchObject({ ok: true, number: help, by });
  });

  it.each([
    [{}, [sales, help], 'not_allowed', 'several numbers use this trunk: name one in From or X-WA-Number-Id'],
    [{}, others, 'not_allowed', 'no number uses this trunk'],
    [{ namedNumber: 'none' }, [sales], 'not_allowed', 'X-WA-Number-Id names no number of this trunk'],
    [{ calledUser: 'reception' }, [sales], 'bad_number', 'dial the user as +COUNTRY NUMBER or by id'],
  ])('%j is refused', (more, numbers, code, why) => {
    const { decision, numbers: verdicts } = explainTrunkCall({ ...asked, ...more }, numbers);
    expect(decision).toMatchObject({ ok: false, code, why });
    expect(verdicts.filter(({ result }) => result === 'chosen')).toHaveLength(code === 'bad_number' ? 1 : 0);
  });
});

describe('local time', () => {
  it.each([
    ['2026-12-24T10:00', 'Europe/Berlin', '2026-12-24T09:00:00.000Z'],
    ['2026-07-01T10:00:30', 'America/New_York', '2026-07-01T14:00:30.000Z'],
    ['2026-07-01T10:00', 'Asia/Kathmandu', '2026-07-01T04:15:00.000Z'],
    ['2026-07-01T10:00Z', 'Europe/Berlin', '2026-07-01T10:00:00.000Z'],
    ['2026-07-01T10:00+05:30', 'Europe/Berlin', '2026-07-01T04:30:00.000Z'],
    ['2026-07-01T10:00-0400', 'Europe/Berlin', '2026-07-01T14:00:00.000Z'],
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:30:00.000Z'], // the clocks skip it: 03:30 is shown
  ])('%s in %s is %s', (text, zone, iso) => expect(new Date(instantOf(text, zone) ?? 0).toISOString()).toBe(iso));

  it.each(['', '10:00', '2026-13-01T10:00', '2026-02-30T10:00', '2026-07-01T25:00', '2026-07-01T10:00+99:99', 'now'])(
    '%j is no time',
    (text) => expect(instantOf(text, 'UTC')).toBeUndefined(),
  );

  it('knows the day', () => {
    const shown = localTime(Date.parse('2026-01-05T02:30:00Z'), 'America/Manaus');
    expect(shown).toEqual({ date: '2026-01-04', hhmm: '2230', day: 'SUNDAY' });
  });
});
