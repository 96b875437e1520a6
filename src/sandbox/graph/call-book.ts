import { randomBytes } from 'node:crypto';
import { invalidParameter, notAcceptedInTime } from './graph-error.js';

export type WaDirection = 'USER_INITIATED' | 'BUSINESS_INITIATED';
/** `offered`: the user's phone rings out, or the business's offer is with the user. */
export type WaCallState = 'offered' | 'pre_accepted' | 'accepted' | 'ended';

/** How a call ended, as the terminate webhook tells it. */
export interface WaCallEnd {
  readonly by: 'user' | 'business' | 'network';
  readonly status: 'COMPLETED' | 'FAILED';
  /** The user or the business declined it. */
  readonly rejected: boolean;
  readonly timedOut: boolean;
  readonly error?: { readonly code: number; readonly message: string; readonly details: string };
}

/** One call as Meta's side knows it. */
export interface WaCall {
  readonly id: string;
  readonly direction: WaDirection;
  /** Digits, no plus. */
  readonly userWaId: string;
  state: WaCallState;
  /** The answer sent with pre_accept; accept must repeat it. */
  preAcceptSdp: string | undefined;
  opaque: string | undefined;
  /** Wall clock, milliseconds since the epoch. */
  acceptedAt: number | undefined;
  endedAt: number | undefined;
  end: WaCallEnd | undefined;
}

/** An id in the form of Meta's: opaque, base64 with its padding. */
function waCallId(userWaId: string): string {
  const head = Buffer.from([0x1c, 0x18, userWaId.length, ...Buffer.from(userWaId, 'latin1'), 0x15, 0x02]);
  return `wacid.${Buffer.concat([head, randomBytes(34 - userWaId.length)]).toString('base64')}`;
}

/** All calls of a number and what may be done to each in its state. */
export class CallBook {
  readonly #calls = new Map<string, WaCall>();

  open(direction: WaDirection, userWaId: string, opaque?: string): WaCall {
    const call: WaCall = {
      id: waCallId(userWaId),
      direction,
      userWaId,
      state: 'offered',
      preAcceptSdp: undefined,
      opaque,
      acceptedAt: undefined,
      endedAt: undefined,
      end: undefined,
    };
    this.#calls.set(call.id, call);
    return call;
  }

  /** @throws GraphRefusal 100 for an id that never was */
  find(id: unknown): WaCall {
    const call = typeof id === 'string' ? this.#calls.get(id) : undefined;
    if (!call) throw invalidParameter('Invalid call_id');
    return call;
  }

  /** The call that is on with this user. */
  ongoingWith(userWaId: string): WaCall | undefined {
    return this.all().find((call) => call.userWaId === userWaId && call.state !== 'ended');
  }

  all(): readonly WaCall[] {
    return [...this.#calls.values()];
  }
}

function refuseEnded(call: WaCall, action: string): void {
  if (call.state !== 'ended') return;
  if (call.end?.timedOut && action !== 'terminate') throw notAcceptedInTime();
  throw invalidParameter(`${action}: the call has ended already`);
}

/**
 * Meta's order of actions (its user-initiated calls page): pre_accept and accept once each, on a user's call; reject only
 * while nothing was accepted; terminate on any call that is on. @throws GraphRefusal if `action` is out of order
 */
export function checkAction(call: WaCall, action: 'pre_accept' | 'accept' | 'reject' | 'terminate'): void {
  refuseEnded(call, action);
  if (action === 'terminate') return;
  if (call.direction !== 'USER_INITIATED') throw invalidParameter(`${action}: only for user-initiated calls`);
  if (call.state === 'accepted') throw invalidParameter(`${action}: the call is in progress already`);
  if (action !== 'accept' && call.state === 'pre_accepted') {
    throw invalidParameter(`${action}: the call has been pre-accepted already`);
  }
}
