import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { E164 } from '../../../src/lib/ids.js';
import { isOpen } from '../../../src/routing/call-hours.js';
import { instantOf, localTime } from '../../../src/routing/local-time.js';
import { explainUserCall, type RouteRequest } from '../../../src/routing/route-explain.js';
import { routeUserCall } from '../../../src/routing/route-table.js';
import type { CallHours, Route, SipServer, Trunk, WaNumber } from '../../../src/routing/types.js';

const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const server: fc.Arbitrary<SipServer> = fc.record({
  hostname: fc.constantFrom('a.example', 'b.example', 'c.example'),
  port: fc.constant(5060),
  transport: fc.constantFrom('udp', 'tcp'),
  priority: fc.nat(2),
  weight: fc.nat(3),
  requestUriUserParams: fc.constant({}),
});
const trunk = (name: string): fc.Arbitrary<Trunk> =>
  fc.array(server, { maxLength: 4 }).map((servers) => ({
    ...{ name, servers, acceptFrom: [], acceptFromServers: false, codecs: ['PCMA'], auth: undefined },
    ...{ register: false, dtmf: 'rfc4733', srtp: 'off', permission: 'none', maxCalls: 10 },
  }));
const trunks = fc.tuple(trunk('pbx'), trunk('night')).map((all) => new Map(all.map((one) => [one.name, one])));

const hhmm = fc.constantFrom('0000', '0859', '0900', '1200', '1201', '2359');
const hours: fc.Arbitrary<CallHours> = fc.record({
  status: fc.constantFrom('ENABLED', 'DISABLED'),
  timezoneId: fc.constantFrom('UTC', 'America/Manaus', 'Europe/Berlin', 'Pacific/Auckland'),
  weekly: fc.array(fc.record({ day: fc.constantFrom('MONDAY', 'TUESDAY', 'SUNDAY'), open: hhmm, close: hhmm })),
  holidays: fc.array(fc.record({ date: fc.constantFrom('2026-01-05', '2026-01-06'), start: hhmm, end: hhmm })),
});
const number: fc.Arbitrary<WaNumber> = fc.record({
  id: fc.constant('1055'),
  number: fc.constant('+15551112222' as E164),
  name: fc.constantFrom('sales', 'help'),
  signaling: fc.constant('graph'),
  permission: fc.constant('none'),
  trunk: optional(fc.constantFrom('pbx', 'night', 'gone')),
  callHours: optional(hours),
  settings: fc.constant(undefined),
});
const route: fc.Arbitrary<Route> = fc.record({
  number: optional(fc.constantFrom('sales', 'help', '1055')),
  from: optional(fc.constantFrom('*', '+49*', '49*', '+4930*', '+49301234567')),
  hours: optional(fc.constantFrom('open', 'closed')),
  trunk: fc.constantFrom('pbx', 'night', 'gone'),
  to: optional(fc.constantFrom('600', '700')),
});
const request: fc.Arbitrary<RouteRequest> = fc.record({
  number,
  from: optional(fc.constantFrom('+49301234567', '+49401234567', '+14085551234')),
  atMs: fc.integer({ min: Date.UTC(2026, 0, 4), max: Date.UTC(2026, 0, 8) }),
});

/** The rules of the README once more, as plainly as they can be written: what the explanation is held against. */
function firstMatch(routes: readonly Route[], { number: { name, id, callHours }, from, atMs }: RouteRequest): number {
  const callerFits = (pattern: string): boolean => {
    if (pattern === '*') return true;
    const wanted = pattern.replace(/^\+/, '').replace('*', '.*');
    return from !== undefined && new RegExp(`^\\+${wanted}$`).test(from);
  };
  return routes.findIndex(
    (one) =>
      (one.number === undefined || [name, id].includes(one.number)) &&
      (one.from === undefined || callerFits(one.from)) &&
      (one.hours ?? 'open') === (isOpen(callHours, atMs) ? 'open' : 'closed'),
  );
}

describe('explanation and routing', () => {
  it('name the same winner, which is the first route that matches', () => {
    fc.assert(
      fc.property(request, fc.array(route, { maxLength: 6 }), trunks, fc.double({ min: 0, max: 1 }), (...all) => {
        const [asked, routes, known, drawn] = all;
        const explained = explainUserCall(asked, routes, known);
        const routed = routeUserCall(asked, routes, known, () => drawn);
        const winner = firstMatch(routes, asked);
        expect(explained.routes.findIndex(({ result }) => result === 'match')).toBe(winner);
        expect(explained.routes.filter(({ result }) => result === 'match').length).toBe(winner < 0 ? 0 : 1);
        expect(explained.choice.ok).toBe(routed.ok);
        const isClosed = !isOpen(asked.number.callHours, asked.atMs);
        const refusedAs = explained.choice.ok ? undefined : explained.choice.code;
        expect(refusedAs === 'closed').toBe(isClosed && winner < 0);
        if (!explained.choice.ok || !routed.ok) {
          expect(explained.choice).toEqual(routed);
          return;
        }
        const { trunk: chosen, user, by } = explained.choice;
        expect(by).toBe(routed.by);
        expect(chosen.name).toBe(routes[winner]?.trunk ?? asked.number.trunk);
        expect(routed.targets.map((target) => [target.trunk, target.user])).toEqual(
          chosen.servers.map(() => [chosen, user]),
        );
        expect(new Set(routed.targets.map((target) => target.server))).toEqual(new Set(chosen.servers));
      }),
      { numRuns: 2_000 },
    );
  });

  it('overrides exactly the matching routes behind the winner', () => {
    fc.assert(
      fc.property(request, fc.array(route, { maxLength: 6 }), trunks, (asked, routes, known) => {
        const { routes: verdicts } = explainUserCall(asked, routes, known);
        for (const { route: one, result, conditions, why } of verdicts) {
          expect(result !== 'miss').toBe(firstMatch([one], asked) === 0);
          expect(conditions.every(({ holds }) => holds)).toBe(result !== 'miss');
          expect(why).not.toBe('');
        }
      }),
    );
  });
});

describe('instants', () => {
  const zones = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Pacific/Chatham',
    'Australia/Lord_Howe',
  ];
  const minuteMs = 60_000;
  const aroundMs = 3 * 60 * minuteMs;
  const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
  /** The stamps of a zone's clocks from three hours before an instant to three after it, minute by minute. */
  const shownAround = (atMs: number, timezoneId: string): Map<string, number[]> => {
    const all = new Map<string, number[]>();
    for (let ms = atMs - aroundMs; ms <= atMs + aroundMs; ms += minuteMs) {
      const { date, hhmm: time } = localTime(ms, timezoneId);
      const text = `${date}T${time.slice(0, 2)}:${time.slice(2)}`;
      all.set(text, [...(all.get(text) ?? []), ms]);
    }
    return all;
  };

  it('are shown as they were written, in every zone and on every day', () => {
    const minute = fc.integer({ min: 0, max: 366 * 24 * 60 }).map((count) => Date.UTC(2026, 0, 1) + count * minuteMs);
    fc.assert(
      fc.property(minute, fc.constantFrom(...zones), (atMs, timezoneId) => {
        const { date, hhmm: time } = localTime(atMs, timezoneId);
        const text = `${date}T${time.slice(0, 2)}:${time.slice(2)}`;
        const readMs = instantOf(text, timezoneId) ?? NaN;
        expect(localTime(readMs, timezoneId)).toEqual(localTime(atMs, timezoneId));
        // The earlier one of the two that an hour put back makes of one stamp.
        expect(readMs).toBeLessThanOrEqual(atMs);
      }),
    );
  });

  it.each([
    ['Europe/Berlin', '2026-03-29T01:00Z', 60],
    ['Europe/Berlin', '2026-10-25T01:00Z', 60],
    ['America/New_York', '2026-03-08T07:00Z', 60],
    ['America/New_York', '2026-11-01T06:00Z', 60],
    ['Pacific/Chatham', '2026-09-26T14:00Z', 60],
    ['Pacific/Chatham', '2026-04-04T14:00Z', 60],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z', 30],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z', 30],
  ])('are right at every minute around %s %s', (timezoneId, changeAt, minutes) => {
    const changeMs = Date.parse(changeAt);
    const shown = shownAround(changeMs, timezoneId);
    const texts = [...shown.keys()].sort();
    const read = (text: string): number => instantOf(text, timezoneId) ?? NaN;
    for (const text of texts) expect([text, read(text)]).toEqual([text, shown.get(text)?.[0]]);
    const [first, last] = [`${texts[0]}Z`, `${texts.at(-1)}Z`].map((text) => Date.parse(text));
    const every = Array.from({ length: ((last ?? 0) - (first ?? 0)) / minuteMs }, (_, i) =>
      stamp((first ?? 0) + i * minuteMs),
    );
    const skipped = every.filter((text) => !shown.has(text));
    const twice = texts.filter((text) => shown.get(text)?.length === 2);
    expect(skipped.length + twice.length).toBe(minutes);
    // As if the clocks had not been put forward: so much behind the change as the stamp is behind the first one skipped.
    skipped.forEach((text, i) => expect([text, read(text)]).toEqual([text, changeMs + i * minuteMs]));
  });
});
