import { explainUserCall, type RouteChoice, type RouteRequest } from './route-explain.js';
import type { Route, SipServer, Target, Trunk } from './types.js';

/** Targets in the order they are to be dialled, and how they were found. */
export type RouteResult =
  { readonly ok: true; readonly targets: readonly Target[]; readonly by: string } | Extract<RouteChoice, { ok: false }>;

/**
 * Finds the targets of a user's call: the first route that matches, else, while the number is open, its own trunk.
 * `random` (0 to 1) shares calls by weight within a priority.
 */
export function routeUserCall(
  request: RouteRequest,
  routes: readonly Route[],
  trunks: ReadonlyMap<string, Trunk>,
  random: () => number,
): RouteResult {
  const { choice } = explainUserCall(request, routes, trunks);
  if (!choice.ok) return choice;
  const { trunk, user, by } = choice;
  return { ok: true, targets: orderServers(trunk.servers, random).map((server) => ({ trunk, server, user })), by };
}

/** Servers that share a priority, in the order in which the groups are dialled: lower priority first. */
export function serverGroups(servers: readonly SipServer[]): SipServer[][] {
  const priorities = [...new Set(servers.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.map((wanted) => servers.filter(({ priority }) => priority === wanted));
}

/** Lower priority first; within a priority a weighted draw without putting back (RFC 2782's order of servers). */
export function orderServers(servers: readonly SipServer[], random: () => number): SipServer[] {
  const ordered: SipServer[] = [];
  for (const pool of serverGroups(servers)) {
    while (pool.length > 0) ordered.push(...pool.splice(draw(pool, random()), 1));
  }
  return ordered;
}

/** The same targets in the same order, but those that are not well last: they are tried where no other is left. */
export function wellFirst(targets: readonly Target[], isWell: (target: Target) => boolean): Target[] {
  const well = new Set(targets.filter(isWell));
  return [...well, ...targets.filter((target) => !well.has(target))];
}

function draw(pool: readonly SipServer[], random: number): number {
  const total = pool.reduce((sum, server) => sum + server.weight, 0);
  let left = random * total;
  const index = pool.findIndex((server) => (left -= server.weight) < 0);
  return Math.max(index, 0);
}
