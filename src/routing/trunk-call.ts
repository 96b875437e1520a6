import { isDestination } from './destinations.js';
import { explainNumbers, numberOfCall, type NumberHint, type NumberVerdict } from './number-of-call.js';
import type { WaNumber } from './types.js';
import { toUserAddress, type UserAddress } from './user-address.js';

/** What a call from a PBX is decided by. */
export interface TrunkCallRequest extends NumberHint {
  /** Names of the trunks that take calls from the PBX's address. */
  readonly trunks: readonly string[];
  /** User part of the Request-URI. */
  readonly calledUser: string;
  /** Whom the trunk may call; absent: everybody. */
  readonly destinations?: readonly string[] | undefined;
}

/** Whom to call with which number, or the end code (call/failure-table.ts) to refuse with; what was found out is said anyway. */
export type TrunkCallDecision =
  | { readonly ok: true; readonly number: WaNumber; readonly user: UserAddress; readonly by: string }
  | {
      readonly ok: false;
      readonly code: 'not_allowed' | 'bad_number';
      readonly why: string;
      readonly number: WaNumber | undefined;
      readonly user: UserAddress | undefined;
    };

/** Decides a call from a PBX: its business number and the user it dials. */
export function decideTrunkCall(request: TrunkCallRequest, numbers: readonly WaNumber[]): TrunkCallDecision {
  const choice = numberOfCall(numbers, request.trunks, request);
  const user = toUserAddress(request.calledUser);
  if (!choice.ok) return { ok: false, code: 'not_allowed', why: choice.why, number: undefined, user };
  const { number, by } = choice;
  if (!user) return { ok: false, code: 'bad_number', why: 'dial the user as +COUNTRY NUMBER or by id', number, user };
  if (isDestination(user, request.destinations)) return { ok: true, number, user, by };
  return { ok: false, code: 'not_allowed', why: 'not among the destinations of the trunk', number, user };
}

export interface TrunkCallExplanation {
  /** Every number of the configuration. */
  readonly numbers: readonly NumberVerdict[];
  readonly decision: TrunkCallDecision;
}

/** The decision, and of every number why the choice fell on it or not. */
export function explainTrunkCall(request: TrunkCallRequest, numbers: readonly WaNumber[]): TrunkCallExplanation {
  const decision = decideTrunkCall(request, numbers);
  const choice = numberOfCall(numbers, request.trunks, request);
  return { numbers: explainNumbers(numbers, request.trunks, choice), decision };
}
