import type { WaNumber } from './types.js';
import { toE164 } from './e164.js';

/** Which business number a call from a trunk is placed with, or why there is none. */
export type NumberChoice =
  { readonly ok: true; readonly number: WaNumber } | { readonly ok: false; readonly why: string };

/**
 * Picks the business number of a call from a trunk. Only numbers of that trunk are ever chosen: the PBX may name one of
 * them (X-WA-Number-Id, by id or alias), else its caller number may be one of them, else the trunk must have just one.
 */
export function numberOfCall(
  numbers: readonly WaNumber[],
  trunk: string,
  named: string | undefined,
  callerUser: string | undefined,
): NumberChoice {
  const own = numbers.filter((number) => number.trunk === trunk && number.signaling === 'graph');
  if (named !== undefined) {
    const number = own.find((candidate) => candidate.id === named || candidate.name === named);
    return number ? { ok: true, number } : { ok: false, why: 'X-WA-Number-Id names no number of this trunk' };
  }
  const caller = callerUser === undefined ? undefined : toE164(callerUser);
  const byCaller = caller && own.find((number) => number.number === caller);
  if (byCaller) return { ok: true, number: byCaller };
  const [only, ...more] = own;
  if (!only) return { ok: false, why: 'no number uses this trunk' };
  if (more.length > 0) return { ok: false, why: 'several numbers use this trunk: name one in From or X-WA-Number-Id' };
  return { ok: true, number: only };
}
