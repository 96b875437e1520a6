import { explainHours, type HoursVerdict } from './call-hours.js';
import { shownTime } from './local-time.js';
import { nextChange } from './next-change.js';
import type { Route, Trunk, WaNumber } from './types.js';

/** What a user's call is routed by. */
export interface RouteRequest {
  readonly number: WaNumber;
  /** The caller's number with plus; undefined for users without one. */
  readonly from: string | undefined;
  readonly atMs: number;
}

/** One condition of a route, and whether the call meets it. */
export interface ConditionVerdict {
  readonly condition: 'number' | 'caller' | 'hours';
  readonly holds: boolean;
  readonly why: string;
}

/** What became of one route: it takes the call, it would but an earlier one does, or the call misses a condition. */
export interface RouteVerdict {
  /** Place in the list, from 1. */
  readonly position: number;
  readonly route: Route;
  readonly result: 'match' | 'overridden' | 'miss';
  /** The conditions the route has; a route without any takes every call while the number is open. */
  readonly conditions: readonly ConditionVerdict[];
  readonly why: string;
}

/** Where a user's call goes, or why nowhere: the end code (call/failure-table.ts) to refuse with. */
export type RouteChoice =
  | { readonly ok: true; readonly trunk: Trunk; readonly user: string; readonly by: string }
  | { readonly ok: false; readonly code: 'no_route' | 'closed'; readonly why: string };

export interface UserCallExplanation {
  /** Every route in the order of the list. */
  readonly routes: readonly RouteVerdict[];
  /** Whether the number takes calls at the time. */
  readonly hours: HoursVerdict;
  readonly choice: RouteChoice;
}

/**
 * Decides where a user's call goes, and says of every route why or why not: the first that matches, else the number's own
 * trunk. While the number is closed only routes for closed hours take its calls, and its own trunk does not. Calls are routed
 * by this very function, so that what it explains is what happens.
 */
export function explainUserCall(
  request: RouteRequest,
  routes: readonly Route[],
  trunks: ReadonlyMap<string, Trunk>,
): UserCallExplanation {
  const hours = explainHours(request.number.callHours, request.atMs);
  const conditions = routes.map((route) => conditionsOf(route, request, hours));
  const winner = conditions.findIndex((all) => all.every(({ holds }) => holds));
  const route = routes[winner];
  const choice = route || hours.isOpen ? choose(request.number, route, winner + 1, trunks) : closed(request, hours);
  const verdicts = routes.map((route, index) => {
    const own = conditions[index] ?? [];
    const verdict = verdictOf(own, index, winner, choice);
    return { position: index + 1, route, conditions: own, ...verdict };
  });
  return { routes: verdicts, hours, choice };
}

function choose(
  number: WaNumber,
  route: Route | undefined,
  position: number,
  trunks: ReadonlyMap<string, Trunk>,
): RouteChoice {
  const trunkName = route?.trunk ?? number.trunk;
  const trunk = trunkName === undefined ? undefined : trunks.get(trunkName);
  if (!trunk) return { ok: false, code: 'no_route', why: `number ${number.name} has no trunk` };
  if (trunk.servers.length === 0) return { ok: false, code: 'no_route', why: `trunk ${trunk.name} has no server` };
  const by = route ? `route ${position}` : `trunk of number ${number.name}`;
  return { ok: true, trunk, user: route?.to ?? number.number, by };
}

function closed({ number: { callHours }, atMs }: RouteRequest, hours: HoursVerdict): RouteChoice {
  const opening = nextChange(callHours, atMs);
  const next =
    callHours && opening ? `opens ${shownTime(opening.atMs, callHours.timezoneId)}` : 'opens not within a year';
  return { ok: false, code: 'closed', why: `${hoursText(hours)}; ${next}` };
}

function verdictOf(
  conditions: readonly ConditionVerdict[],
  index: number,
  winner: number,
  choice: RouteChoice,
): Pick<RouteVerdict, 'result' | 'why'> {
  const missed = conditions.filter(({ holds }) => !holds);
  if (missed.length > 0) return { result: 'miss', why: reasons(missed) };
  const met = conditions.length > 0 ? reasons(conditions) : 'takes every call';
  if (index !== winner) return { result: 'overridden', why: `route ${winner + 1} comes first; ${met}` };
  return { result: 'match', why: choice.ok ? met : `${met}; but ${choice.why}` };
}

const reasons = (conditions: readonly ConditionVerdict[]): string => conditions.map(({ why }) => why).join('; ');

function conditionsOf(route: Route, request: RouteRequest, hours: HoursVerdict): ConditionVerdict[] {
  const verdicts: ConditionVerdict[] = [];
  if (route.number !== undefined) verdicts.push(numberCondition(route.number, request.number));
  if (route.from !== undefined) verdicts.push({ condition: 'caller', ...callerCondition(route.from, request.from) });
  if (route.hours !== undefined || !hours.isOpen) verdicts.push(hoursCondition(route.hours ?? 'open', hours));
  return verdicts;
}

function numberCondition(wanted: string, { name, id }: WaNumber): ConditionVerdict {
  const holds = wanted === name || wanted === id;
  return { condition: 'number', holds, why: holds ? `number is ${wanted}` : `number is ${name}, not ${wanted}` };
}

/** `+49*` matches by prefix, anything else exactly; the plus is optional on both sides. */
function callerCondition(pattern: string, caller: string | undefined): Pick<ConditionVerdict, 'holds' | 'why'> {
  if (pattern === '*') return { holds: true, why: 'any caller' };
  if (caller === undefined) return { holds: false, why: `caller hides the number, ${pattern} is wanted` };
  const digits = withoutPlus(caller);
  const wanted = withoutPlus(pattern);
  if (!wanted.endsWith('*')) {
    const holds = digits === wanted;
    return { holds, why: `caller is ${holds ? '' : 'not '}${pattern}` };
  }
  const holds = digits.startsWith(wanted.slice(0, -1));
  return { holds, why: `caller ${holds ? 'begins' : 'does not begin'} with ${pattern.slice(0, -1)}` };
}

const withoutPlus = (number: string): string => number.replace(/^\+/, '');

function hoursCondition(wanted: 'open' | 'closed', hours: HoursVerdict): ConditionVerdict {
  const holds = (wanted === 'open') === hours.isOpen;
  return { condition: 'hours', holds, why: hoursText(hours) };
}

/** The verdict on a number's hours in one phrase. */
export function hoursText({ isOpen, local, why }: HoursVerdict): string {
  const at = local ? ` at ${local.date} ${local.hhmm} ${local.timezoneId}` : '';
  return `${isOpen ? 'open' : 'closed'}${at}: ${why}`;
}
