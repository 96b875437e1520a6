import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { E164 } from '../../../src/lib/ids.js';
import { isOpen } from '../../../src/routing/call-hours.js';
import { maskNumber, toE164 } from '../../../src/routing/e164.js';
import { numberOfCall, trunkOfCall } from '../../../src/routing/number-of-call.js';
import { orderServers, routeUserCall, wellFirst } from '../../../src/routing/route-table.js';
import type { CallHours, Route, SipServer, Trunk, WaNumber } from '../../../src/routing/types.js';

const server = (hostname: string, priority = 1, weight = 1): SipServer => ({
  ...{ hostname, port: 5060, transport: 'udp', priority, weight, requestUriUserParams: {} },
});
const trunk = (name: string, servers = [server(`${name}.example`)]): Trunk => ({
  ...{ name, servers, acceptFrom: [], acceptFromServers: false, codecs: ['PCMA'], auth: undefined },
  ...{ register: false, dtmf: 'rfc4733', srtp: 'off', permission: 'none', maxCalls: 10 },
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

describe('toE164', () => {
  it.each([
    ['+49 30 1234567', '+49301234567'],
    ['0049301234567', '+49301234567'],
    ['14085551234', '+14085551234'],
    ['+1 (408) 555-1234', '+14085551234'],
  ])('reads %s', (text, expected) => expect(toE164(text)).toBe(expected));

  it.each(['', '123', 'anna', '+0123456789', '1234567890123456', '*72', '+1408555;x=1'])('refuses %j', (text) =>
    expect(toE164(text)).toBeUndefined(),
  );

  it('is idempotent', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const once = toE164(text);
        if (once !== undefined) expect(toE164(once)).toBe(once);
      }),
    );
  });

  it('masks all but the last four digits', () => expect(maskNumber('+14085551234')).toBe('***1234'));
});

describe('call hours', () => {
  const hours: CallHours = {
    status: 'ENABLED',
    timezoneId: 'America/Manaus', // UTC-4, no daylight saving
    weekly: [{ day: 'MONDAY', open: '0400', close: '1020' }],
    holidays: [{ date: '2026-01-05', start: '0900', end: '0959' }],
  };
  const at = (iso: string): number => Date.parse(iso);

  it.each([
    ['before opening', '2026-01-12T07:59:00Z', false],
    ['the first minute', '2026-01-12T08:00:00Z', true],
    ['the closing minute', '2026-01-12T14:20:59Z', true],
    ['after closing', '2026-01-12T14:21:00Z', false],
    ['a day without hours', '2026-01-13T10:00:00Z', false],
    ['a holiday replaces the day', '2026-01-05T10:00:00Z', false],
    ['the hours of a holiday', '2026-01-05T13:30:00Z', true],
  ])('%s', (_what, iso, open) => expect(isOpen(hours, at(iso))).toBe(open));

  it('is open when disabled or absent', () => {
    expect(isOpen({ ...hours, status: 'DISABLED' }, at('2026-01-13T10:00:00Z'))).toBe(true);
    expect(isOpen(undefined, 0)).toBe(true);
  });
});

describe('routing a user call', () => {
  const trunks = new Map([trunk('pbx'), trunk('night', [server('a', 2), server('b', 1)])].map((t) => [t.name, t]));
  const closed: CallHours = { status: 'ENABLED', timezoneId: 'UTC', weekly: [], holidays: [] };
  const resolve = (routes: Route[], from: string | undefined, of = number()) =>
    routeUserCall({ number: of, from, atMs: 0 }, routes, trunks, () => 0);

  it('uses the number’s own trunk and number when no route matches', () => {
    expect(resolve([route({ from: '+49*', to: '600' })], '+14085551234')).toMatchObject({
      ok: true,
      targets: [{ trunk: { name: 'pbx' }, user: '+15551112222' }],
      by: 'trunk of number sales',
    });
  });

  it('takes the first route that matches', () => {
    const routes = [route({ number: 'other', to: '1' }), route({ from: '49*', to: '600' }), route({ to: '700' })];
    expect(resolve(routes, '+4930123456')).toMatchObject({ targets: [{ user: '600' }], by: 'route 2' });
    expect(resolve(routes, undefined)).toMatchObject({ targets: [{ user: '700' }], by: 'route 3' });
  });

  it('asks the calendar', () => {
    const routes = [route({ hours: 'open', to: '1' }), route({ hours: 'closed', trunk: 'night', to: '2' })];
    const result = resolve(routes, '+4930123456', number({ callHours: closed }));
    expect(result).toMatchObject({
      targets: [{ user: '2', server: { hostname: 'b' } }, { server: { hostname: 'a' } }],
    });
  });

  it('says why there is no target', () => {
    expect(resolve([], '+49301234567', number({ trunk: undefined }))).toEqual({
      ok: false,
      code: 'no_route',
      why: 'number sales has no trunk',
    });
  });

  it('orders servers by priority, and by weight within one', () => {
    const servers = [server('light', 1, 1), server('heavy', 1, 9), server('spare', 2, 1)];
    let heavyFirst = 0;
    for (let i = 0; i < 100; i++) {
      const order = orderServers(servers, () => (i + 0.5) / 100).map((s) => s.hostname);
      expect(order[2]).toBe('spare');
      expect(new Set(order).size).toBe(3);
      if (order[0] === 'heavy') heavyFirst++;
    }
    expect(heavyFirst).toBe(90);
  });

  it.each([
    [[], 'abc'],
    [['a'], 'bca'],
    [['a', 'b'], 'cab'],
    [['a', 'b', 'c'], 'abc'],
  ])('tries %j, which are not well, last and never leaves them out: %s', (unwell, expected) => {
    const targets = ['a', 'b', 'c'].map((host) => ({ trunk: trunk('pbx'), server: server(host), user: '1' }));
    const order = wellFirst(targets, (target) => !unwell.includes(target.server.hostname));
    expect(order.map((target) => target.server.hostname).join('')).toBe(expected);
  });
});

describe('number of a business-initiated call', () => {
  const sales = number();
  const help = number({ id: '1066', name: 'help', number: '+15553334444' as E164 });
  const foreign = number({ id: '1077', name: 'foreign', trunk: 'other' });

  const said = (namedNumber?: string, callerUser?: string) => ({ namedNumber, callerUser });

  it('is the trunk’s only number', () => {
    expect(numberOfCall([sales, foreign], ['pbx'], said(undefined, 'anna'))).toMatchObject({ ok: true, number: sales });
  });
  it('is the one the caller has', () => {
    expect(numberOfCall([sales, help], ['pbx'], said(undefined, '15553334444'))).toMatchObject({
      ok: true,
      number: help,
    });
  });
  it('is the one the PBX names, if it is its own', () => {
    expect(numberOfCall([sales, help], ['pbx'], said('1066', undefined))).toMatchObject({ ok: true, number: help });
    expect(numberOfCall([sales, foreign], ['pbx'], said('foreign', undefined))).toMatchObject({ ok: false });
  });
  it.each<[string[], string | undefined, string[], string | false]>([
    [['2001', '+15553334444'], '+15551112222', [], 'the PBX asserts it as the caller'],
    [['2001'], '+15553334444', ['+15551112222'], 'From has it as the caller'],
    [['2001'], '+49301234567', ['+15553334444', '+15551112222'], 'it forwarded the call'],
    [['2001'], '100', ['+49301234567', '+15553334444'], 'it forwarded the call'],
    // A number of somebody else's trunk is nobody here.
    [['+15550009999'], '+15550009999', ['+15550009999'], false],
  ])(
    'is the first of those that the call shows: asserted %j, From %j, forwarded by %j',
    (assertedUsers, callerUser, divertedBy, by) => {
      const other = { ...foreign, number: '+15550009999' as E164 };
      const hint = { namedNumber: undefined, callerUser, assertedUsers, divertedBy };
      const choice = numberOfCall([sales, help, other], ['pbx'], hint);
      expect(choice).toMatchObject(by === false ? { ok: false } : { ok: true, number: help, by });
    },
  );
  it('is never guessed', () => {
    expect(numberOfCall([sales, help], ['pbx'], said(undefined, '100'))).toMatchObject({ ok: false });
    expect(numberOfCall([foreign], ['pbx'], said(undefined, '+15551112222'))).toMatchObject({ ok: false });
  });
  it('is sought among the numbers of every trunk that shares the source address', () => {
    const numbers = [sales, foreign, number({ id: '1088', name: 'third', trunk: 'third' })];
    expect(numberOfCall(numbers, ['pbx', 'other'], said('foreign'))).toMatchObject({ ok: true, number: foreign });
    expect(numberOfCall(numbers, ['pbx', 'other'], said())).toMatchObject({ ok: false });
    expect(numberOfCall(numbers, ['pbx', 'other'], said('third'))).toMatchObject({ ok: false });
  });
  it('settles which of those trunks the call is on; the first if no number is found', () => {
    const trunks = [trunk('pbx'), trunk('other')] as const;
    const help2 = { ...foreign, number: '+15559990000' as E164 };
    expect(trunkOfCall([sales, help2], trunks, said(undefined, '+15559990000')).name).toBe('other');
    expect(trunkOfCall([sales, help2], trunks, said(undefined, '+15551112222')).name).toBe('pbx');
    expect(trunkOfCall([sales, help2], trunks, said(undefined, '100')).name).toBe('pbx');
    expect(trunkOfCall([help2], trunks, said()).name).toBe('other');
  });
});
