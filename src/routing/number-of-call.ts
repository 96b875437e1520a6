import type { Trunk, WaNumber } from './types.js';
import { toE164 } from './e164.js';

/** Which business number a call from the PBX is placed with and by what it was found, or why there is none. */
export type NumberChoice =
  { readonly ok: true; readonly number: WaNumber; readonly by: string } | { readonly ok: false; readonly why: string };

/** What an INVITE of the PBX says about the number to call with. */
export interface NumberHint {
  /** `X-WA-Number-Id`: a number's id or alias. */
  readonly namedNumber: string | undefined;
  /** User part of From. */
  readonly callerUser: string | undefined;
  /** Callers that a trusted PBX vouches for, e.g. in P-Asserted-Identity. */
  readonly assertedUsers?: readonly string[] | undefined;
  /** Whom a trusted PBX says the call was forwarded by, the first one first. */
  readonly divertedBy?: readonly string[] | undefined;
}

/** What became of one number: it is called with, the PBX could have meant it, or it is not the PBX's to call with. */
export interface NumberVerdict {
  readonly number: WaNumber;
  readonly result: 'chosen' | 'possible' | 'refused';
  readonly why: string;
}

/**
 * Picks the business number of a call from a PBX. Only numbers of the trunks that take calls from its address are ever
 * chosen (`trunks`, by name): the PBX may name one of them, else its caller number may be one of them or the number that the
 * call was forwarded by, else there must be just one.
 */
export function numberOfCall(numbers: readonly WaNumber[], trunks: readonly string[], hint: NumberHint): NumberChoice {
  const own = numbers.filter((number) => refusalOf(number, trunks) === undefined);
  const { namedNumber } = hint;
  if (namedNumber !== undefined) {
    const number = own.find((candidate) => candidate.id === namedNumber || candidate.name === namedNumber);
    if (number) return { ok: true, number, by: 'X-WA-Number-Id names it' };
    return { ok: false, why: 'X-WA-Number-Id names no number of this trunk' };
  }
  const shown = numberShown(own, hint);
  if (shown) return { ok: true, ...shown };
  const [only, ...more] = own;
  if (!only) return { ok: false, why: 'no number uses this trunk' };
  if (more.length > 0) return { ok: false, why: 'several numbers use this trunk: name one in From or X-WA-Number-Id' };
  return { ok: true, number: only, by: 'it is the only one of the trunk' };
}

/** The first of these numbers that the call shows, and where. */
function numberShown(
  own: readonly WaNumber[],
  { callerUser, assertedUsers = [], divertedBy = [] }: NumberHint,
): { readonly number: WaNumber; readonly by: string } | undefined {
  const shown: (readonly [user: string, by: string])[] = [
    ...assertedUsers.map((user) => [user, 'the PBX asserts it as the caller'] as const),
    ...(callerUser === undefined ? [] : [[callerUser, 'From has it as the caller'] as const]),
    ...divertedBy.map((user) => [user, 'it forwarded the call'] as const),
  ];
  for (const [user, by] of shown) {
    const e164 = toE164(user);
    const number = e164 && own.find((candidate) => candidate.number === e164);
    if (number) return { number, by };
  }
  return undefined;
}

/** Why a PBX on these trunks may not call with a number; undefined if it may. */
function refusalOf({ trunk, signaling }: WaNumber, trunks: readonly string[]): string | undefined {
  if (trunk === undefined) return 'has no trunk';
  if (!trunks.includes(trunk)) return `is on trunk ${trunk}`;
  return signaling === 'graph' ? undefined : `signaling is ${signaling}`;
}

/** Says of every number why the choice fell on it or not. */
export function explainNumbers(
  numbers: readonly WaNumber[],
  trunks: readonly string[],
  choice: NumberChoice,
): NumberVerdict[] {
  return numbers.map((number) => {
    const refusal = refusalOf(number, trunks);
    if (refusal !== undefined) return { number, result: 'refused', why: refusal };
    if (choice.ok && choice.number === number) return { number, result: 'chosen', why: choice.by };
    return { number, result: 'possible', why: choice.ok ? `${choice.number.name} is meant` : choice.why };
  });
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
