import type { Route, SipServer, Target, Trunk, WaNumber } from './types.js';
import { isOpen } from './call-hours.js';

/** What a user's call is routed by. */
export interface RouteRequest {
  readonly number: WaNumber;
  /** The caller's number with plus; undefined for users without one. */
  readonly from: string | undefined;
  readonly atMs: number;
}

/** Targets in the order they are to be dialled, and how they were found. */
export type RouteResult =
  | { readonly ok: true; readonly targets: readonly Target[]; readonly by: string }
  | { readonly ok: false; readonly why: string };

/**
 * Finds the targets of a user's call: the first route that matches, else the number's own trunk.
 * `random` (0 to 1) shares calls by weight within a priority.
 */
export function routeUserCall(
  request: RouteRequest,
  routes: readonly Route[],
  trunks: ReadonlyMap<string, Trunk>,
  random: () => number,
): RouteResult {
  const index = routes.findIndex((route) => matches(route, request));
  const route = routes[index];
  const trunkName = route?.trunk ?? request.number.trunk;
  const trunk = trunkName === undefined ? undefined : trunks.get(trunkName);
  if (!trunk) return { ok: false, why: `number ${request.number.name} has no trunk` };
  const user = route?.to ?? request.number.number;
  const targets = orderServers(trunk.servers, random).map((server) => ({ trunk, server, user }));
  if (targets.length === 0) return { ok: false, why: `trunk ${trunk.name} has no server` };
  return { ok: true, targets, by: route ? `route ${index + 1}` : `trunk of number ${request.number.name}` };
}

function matches(route: Route, request: RouteRequest): boolean {
  const { number, from, atMs } = request;
  if (route.number !== undefined && route.number !== number.name && route.number !== number.id) return false;
  if (route.from !== undefined && !matchesNumber(route.from, from)) return false;
  return route.hours === undefined || (route.hours === 'open') === isOpen(number.callHours, atMs);
}

/** `+49*` matches by prefix, anything else exactly; the plus is optional on both sides. */
function matchesNumber(pattern: string, number: string | undefined): boolean {
  if (pattern === '*') return true;
  if (number === undefined) return false;
  const digits = number.replace(/^\+/, '');
  const wanted = pattern.replace(/^\+/, '');
  return wanted.endsWith('*') ? digits.startsWith(wanted.slice(0, -1)) : digits === wanted;
}

/** Lower priority first; within a priority a weighted draw without putting back (RFC 2782's order of servers). */
export function orderServers(servers: readonly SipServer[], random: () => number): SipServer[] {
  const ordered: SipServer[] = [];
  const priorities = [...new Set(servers.map((server) => server.priority))].sort((a, b) => a - b);
  for (const priority of priorities) {
    const pool = servers.filter((server) => server.priority === priority);
    while (pool.length > 0) ordered.push(...pool.splice(draw(pool, random()), 1));
  }
  return ordered;
}

function draw(pool: readonly SipServer[], random: number): number {
  const total = pool.reduce((sum, server) => sum + server.weight, 0);
  let left = random * total;
  const index = pool.findIndex((server) => (left -= server.weight) < 0);
  return Math.max(index, 0);
}
