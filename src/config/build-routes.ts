import type { Route } from '../routing/types.js';
import { checkTrunkName, nameCure } from './build-numbers.js';
import type { Findings } from './issue.js';
import type { Item } from './lists.js';
import type { RouteItem } from './list-schemas.js';

/** Builds the routes in the order of the file. */
export function buildRoutes(
  items: readonly Item<RouteItem>[],
  numberNames: readonly string[],
  trunkNames: readonly string[],
  findings: Findings,
): Route[] {
  /** The first route that takes every call while a number is open, and while it is closed. */
  const catchAll: Partial<Record<'open' | 'closed', number>> = {};
  return items.map(({ path, value }, index) => {
    if (value.number !== undefined && !numberNames.includes(value.number)) {
      const cure = nameCure(value.number, numberNames, 'numbers');
      findings.error([...path, 'number'], { message: 'names no number of this file', cure });
    }
    checkTrunkName([...path, 'trunk'], value.trunk, { trunkNames, findings });
    const hours = value.hours ?? 'open';
    const earlier = catchAll[hours];
    if (earlier !== undefined) {
      const message = `is never reached: route ${earlier + 1} of the list takes every call`;
      findings.warn(path, { message, cure: 'move it further up' });
    }
    const from = normaliseFrom(value.from);
    if (value.number === undefined && from === undefined) catchAll[hours] ??= index;
    return { number: value.number, from, hours: value.hours, trunk: value.trunk, to: value.to };
  });
}

/** `49*` and `+49*` are the same caller; `*` is everybody. */
function normaliseFrom(from: string | undefined): string | undefined {
  if (from === undefined || from === '*') return undefined;
  return from.startsWith('+') ? from : `+${from}`;
}
