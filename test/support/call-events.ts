import type { BusinessConnect, CallStatus, CallTerminate, WaUser } from '../../src/whatsapp/webhook-events.js';
import { someNumber, someUser, someWaCall } from './whatsapp-fakes.js';

/*
 * What webhooks say of one call after its beginning, as they are handed on once parsed.
 */

/** What a test wants to be otherwise. */
type Extra<Event> = Partial<Omit<Event, 'waCallId'>> & { readonly waCallId?: string };

/** A user who is known by number alone. */
export const someWaUser: WaUser = {
  number: someUser,
  userId: undefined,
  parentUserId: undefined,
  name: undefined,
  username: undefined,
};
const common = { numberId: someNumber.id, waCallId: someWaCall, timestampMs: undefined, opaque: undefined };

export const businessConnect = (extra: Extra<BusinessConnect> = {}): BusinessConnect =>
  ({ kind: 'business_connect', ...common, user: someWaUser, answer: 'meta answer', ...extra }) as BusinessConnect;

export const callStatus = (status: CallStatus['status'], extra: Extra<CallStatus> = {}): CallStatus =>
  ({ kind: 'call_status', ...common, user: someWaUser, status, ...extra }) as CallStatus;

/** Of a call that a user placed and nobody picked up, unless it says otherwise. */
export const callTerminate = (extra: Extra<CallTerminate> = {}): CallTerminate =>
  ({
    kind: 'call_terminate',
    ...common,
    ctaPayload: undefined,
    deeplinkPayload: undefined,
    direction: 'user_initiated',
    outcome: 'COMPLETED',
    startMs: undefined,
    endMs: undefined,
    durationS: undefined,
    errors: [],
    ...extra,
  }) as CallTerminate;
