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
      (one.hours === undefined || one.hours === (isOpen(callHours, atMs) ? 'open' : 'closed')),
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
  it('are shown as they were written, in every zone, but for what the clocks skip', () => {
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Pacific/Chatham');
    const minute = fc.integer({ min: 0, max: 366 * 24 * 60 }).map((count) => Date.UTC(2026, 0, 1) + count * 60_000);
    fc.assert(
      fc.property(minute, zone, (asMs, timezoneId) => {
        const text = new Date(asMs).toISOString().slice(0, 16);
        const atMs = instantOf(text, timezoneId);
        expect(atMs).toBeDefined();
        const { date, hhmm: shown } = localTime(atMs ?? 0, timezoneId);
        const back = `${date}T${shown.slice(0, 2)}:${shown.slice(2)}`;
        const skippedMs = Date.parse(`${back}Z`) - asMs;
        expect([0, 3600_000]).toContain(skippedMs);
        if (skippedMs > 0) expect(text).toMatch(/-(03|09)-\d\dT0[23]:/);
      }),
    );
  });
});
