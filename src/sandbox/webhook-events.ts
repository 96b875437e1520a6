import type { WaCall } from './graph/call-book.js';

/** A business number as Meta names it. */
export interface BusinessNumber {
  /** phone_number_id */
  readonly id: string;
  /** Display number, digits without a plus. */
  readonly digits: string;
}

export interface WaSession {
  readonly sdp_type: 'offer' | 'answer';
  readonly sdp: string;
}

/** One webhook body, and a short name for scripts and records. */
export interface WebhookEvent {
  readonly name: 'connect' | 'RINGING' | 'ACCEPTED' | 'REJECTED' | 'terminate' | 'message';
  readonly callId: string | undefined;
  readonly body: object;
}

const ACCOUNT_ID = '112735964992110';

/** Meta writes times as strings of whole seconds. */
function seconds(epochMs: number): string {
  return String(Math.floor(epochMs / 1000));
}

function envelope(number: BusinessNumber, field: 'calls' | 'messages', value: object): object {
  const metadata = { display_phone_number: number.digits, phone_number_id: number.id };
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: ACCOUNT_ID, changes: [{ value: { messaging_product: 'whatsapp', metadata, ...value }, field }] }],
  };
}

/** The user is `from` in a user's call and `to` in a business's. */
function parties(number: BusinessNumber, call: WaCall): { from: string; to: string } {
  return call.direction === 'USER_INITIATED'
    ? { from: call.userWaId, to: number.digits }
    : { from: number.digits, to: call.userWaId };
}

function opaqueOf(call: WaCall): { biz_opaque_callback_data?: string } {
  return call.opaque === undefined ? {} : { biz_opaque_callback_data: call.opaque };
}

/** The call connect webhook: the user's offer, or Meta's answer to ours. */
export function connectEvent(
  number: BusinessNumber,
  call: WaCall,
  session: WaSession,
  profileName: string,
  nowMs: number,
): WebhookEvent {
  const body = envelope(number, 'calls', {
    contacts: [{ profile: { name: profileName }, wa_id: call.userWaId }],
    calls: [
      {
        id: call.id,
        ...parties(number, call),
        event: 'connect',
        timestamp: seconds(nowMs),
        direction: call.direction,
        ...opaqueOf(call),
        session,
      },
    ],
  });
  return { name: 'connect', callId: call.id, body };
}

/** The call status webhook of a business-initiated call. */
export function statusEvent(
  number: BusinessNumber,
  call: WaCall,
  status: 'RINGING' | 'ACCEPTED' | 'REJECTED',
  nowMs: number,
): WebhookEvent {
  const statuses = [
    {
      id: call.id,
      timestamp: seconds(nowMs),
      type: 'call',
      status,
      recipient_id: call.userWaId,
      ...opaqueOf(call),
    },
  ];
  return { name: status, callId: call.id, body: envelope(number, 'calls', { statuses }) };
}

/** The call terminate webhook; times and duration only if the call was picked up. */
export function terminateEvent(number: BusinessNumber, call: WaCall, nowMs: number): WebhookEvent {
  const endedAt = call.endedAt ?? nowMs;
  const times =
    call.acceptedAt === undefined
      ? {}
      : {
          start_time: seconds(call.acceptedAt),
          end_time: seconds(endedAt),
          duration: Math.round((endedAt - call.acceptedAt) / 1000),
        };
  const error = call.end?.error;
  const errors = error
    ? [
        {
          code: error.code,
          message: error.message,
          href: 'https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/',
          error_data: { details: error.details },
        },
      ]
    : undefined;
  const body = envelope(number, 'calls', {
    calls: [
      {
        id: call.id,
        ...parties(number, call),
        event: 'terminate',
        direction: call.direction,
        ...opaqueOf(call),
        timestamp: seconds(nowMs),
        status: call.end?.status ?? 'COMPLETED',
        ...times,
      },
    ],
    ...(errors ? { errors } : {}),
  });
  return { name: 'terminate', callId: call.id, body };
}

/** The user's answer to a permission request, or a grant or revocation without one. */
export function permissionReplyEvent(
  number: BusinessNumber,
  reply: {
    readonly userWaId: string;
    readonly userId: string | undefined;
    readonly contextId: string | undefined;
    readonly source: 'user_action' | 'automatic';
    readonly messageId: string;
    readonly response: 'accept' | 'reject';
    readonly isPermanent: boolean;
    readonly expiresAtMs: number | undefined;
  },
  nowMs: number,
): WebhookEvent {
  const { userWaId, userId, contextId, response, isPermanent, expiresAtMs } = reply;
  const call_permission_reply = {
    response,
    is_permanent: isPermanent,
    ...(expiresAtMs === undefined ? {} : { expiration_timestamp: seconds(expiresAtMs) }),
    response_source: reply.source,
  };
  const messages = [
    {
      from: userWaId,
      ...(userId === undefined ? {} : { from_user_id: userId }),
      id: reply.messageId,
      timestamp: seconds(nowMs),
      ...(contextId === undefined ? {} : { context: { from: number.digits, id: contextId } }),
      type: 'interactive',
      interactive: { type: 'call_permission_reply', call_permission_reply },
    },
  ];
  const contacts = [{ wa_id: userWaId, ...(userId === undefined ? {} : { user_id: userId }) }];
  return { name: 'message', callId: undefined, body: envelope(number, 'messages', { contacts, messages }) };
}
