import type { Trunk, WaNumber } from './types.js';
import { toE164 } from './e164.js';

/** Which business number a call from the PBX is placed with, or why there is none. */
export type NumberChoice =
  { readonly ok: true; readonly number: WaNumber } | { readonly ok: false; readonly why: string };

/** What an INVITE of the PBX says about the number to call with. */
export interface NumberHint {
  /** `X-WA-Number-Id`: a number's id or alias. */
  readonly namedNumber: string | undefined;
  /** User part of From. */
  readonly callerUser: string | undefined;
}

/**
 * Picks the business number of a call from a PBX. Only numbers of the trunks that take calls from its address are ever
 * chosen (`trunks`, by name): the PBX may name one of them, else its caller number may be one of them, else there must be
 * just one.
 */
export function numberOfCall(numbers: readonly WaNumber[], trunks: readonly string[], hint: NumberHint): NumberChoice {
  const { namedNumber, callerUser } = hint;
  const own = numbers.filter(
    ({ trunk, signaling }) => trunk !== undefined && trunks.includes(trunk) && signaling === 'graph',
  );
  if (namedNumber !== undefined) {
    const number = own.find((candidate) => candidate.id === namedNumber || candidate.name === namedNumber);
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

/** Which of the trunks that share a PBX's address a call is on: that of its number, else the first. */
export function trunkOfCall(
  numbers: readonly WaNumber[],
  trunks: readonly [Trunk, ...Trunk[]],
  hint: NumberHint,
): Trunk {
  const names = trunks.map(({ name }) => name);
  const choice = numberOfCall(numbers, names, hint);
  const trunk = choice.ok ? trunks.find(({ name }) => name === choice.number.trunk) : undefined;
  return trunk ?? trunks[0];
}
