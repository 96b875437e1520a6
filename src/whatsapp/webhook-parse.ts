import { BadInputError } from '../lib/bridge-error.js';
import type { WaCallId } from '../lib/ids.js';
import type { WebhookError } from './graph-cause.js';
import { isWaId } from './wa-ids.js';
import { userOfCall, userOfParty } from './wa-user.js';
import type { PermissionReply, UnknownEvent, WaDirection, WebhookEvent } from './webhook-events.js';
import {
  callSchema,
  changeSchema,
  contactSchema,
  entrySchema,
  envelopeSchema,
  errorSchema,
  legacyDescriptionSchema,
  messageSchema,
  statusSchema,
  withErrorsSchema,
  type CallItem,
  type ChangeValue,
  type Contact,
  type Message,
} from './webhook-schema.js';

/** Deepest nesting of brackets taken; Meta's events have 8. A million nested arrays would stall the loop. */
const DEPTH_CAP = 64;

/**
 * Reads a webhook body whose signature was checked.
 * @throws BadInputError (`SIP2WA_WEBHOOK_BODY`) if it is not JSON of a webhook's form
 */
export function parseWebhookBody(body: Uint8Array): WebhookEvent[] {
  if (isNestedDeeper(body, DEPTH_CAP)) throw new BadInputError('SIP2WA_WEBHOOK_BODY', 'webhook is nested too deep');
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new BadInputError('SIP2WA_WEBHOOK_BODY', 'webhook is not JSON in UTF-8');
  }
  return parseWebhook(json);
}

/**
 * All events of a delivery, in order: several entries, changes, calls and statuses. An item that cannot be used becomes an
 * UnknownEvent; it never spoils the others.
 * @throws BadInputError (`SIP2WA_WEBHOOK_BODY`) if there is no `entry` list at all
 */
export function parseWebhook(json: unknown): WebhookEvent[] {
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) throw new BadInputError('SIP2WA_WEBHOOK_BODY', 'webhook has no entry list');
  return envelope.data.entry.flatMap((item) => {
    const entry = entrySchema.safeParse(item);
    return entry.success ? entry.data.changes.flatMap(parseChange) : [unknown('', undefined, 'entry without changes')];
  });
}

interface Context {
  readonly field: string;
  readonly numberId: string;
  readonly displayNumber: string | undefined;
  readonly contacts: readonly Contact[];
  readonly errors: readonly WebhookError[];
}

function parseChange(item: unknown): WebhookEvent[] {
  const change = changeSchema.safeParse(item);
  if (!change.success) return [unknown('', undefined, 'change without value')];
  const { field = '', value } = change.data;
  const numberId = value.metadata?.phone_number_id;
  if (field === 'account_settings_update') return [parseSettings(value)];
  if (field !== 'calls' && field !== 'messages') return [unknown(field, numberId, 'field')];
  if (numberId === undefined) return [unknown(field, undefined, 'no phone_number_id')];
  const context: Context = {
    field,
    numberId,
    displayNumber: value.metadata?.display_phone_number,
    contacts: (value.contacts ?? []).flatMap((one) => contactSchema.safeParse(one).data ?? []),
    errors: errorsOf(value.errors),
  };
  return field === 'calls' ? parseCallsField(value, context) : parseMessagesField(value, context);
}

/** Which setting it was is not read: Meta names a few of them only, and is asked for all. */
function parseSettings({ phone_number_settings: settings, metadata, timestamp }: ChangeValue): WebhookEvent {
  const numberId = settings?.phone_number_id ?? metadata?.phone_number_id;
  if (numberId === undefined) return unknown('account_settings_update', undefined, 'no phone_number_id');
  return { kind: 'settings_changed', numberId, timestampMs: timestamp };
}

function parseCallsField(value: ChangeValue, context: Context): WebhookEvent[] {
  const events = [
    ...(value.calls ?? []).map((item) => parseCall(item, context)),
    ...(value.statuses ?? []).map((item) => parseStatus(item, context)),
  ];
  if (events.length === 0 && context.errors.length === 0) return [unusable(context, 'neither calls nor statuses')];
  const errors = untoldErrors(events, [...(value.calls ?? []), ...(value.statuses ?? [])], context);
  if (errors.length === 0) return events;
  const what = `errors ${errors.map(({ code }) => code).join(' ')}`;
  return [...events, { ...unknown(context.field, context.numberId, what), errors }];
}

/** Errors inside or beside items whose events have no place for them: a connect or a status ends no call. */
function untoldErrors(events: readonly WebhookEvent[], items: readonly unknown[], context: Context): WebhookError[] {
  const inside = events.flatMap((event, i) =>
    'errors' in event ? [] : errorsOf(withErrorsSchema.safeParse(items[i]).data?.errors),
  );
  const isTold = events.some((event) => 'errors' in event);
  return isTold ? inside : [...inside, ...context.errors];
}

function parseCall(item: unknown, context: Context): WebhookEvent {
  const parsed = callSchema.safeParse(item);
  const call = parsed.data;
  if (!call?.id || !isWaId(call.id)) return unusable(context, 'call without a usable id', call?.errors);
  switch (call.event?.toLowerCase()) {
    case 'connect':
      return parseConnect(call, call.id, context);
    case 'terminate':
      return parseTerminate(call, call.id, context);
    default:
      return unusable(context, `event ${call.event ?? 'missing'}`, call.errors);
  }
}

const directionOf = (call: CallItem): WaDirection | undefined => {
  if (call.direction === 'USER_INITIATED') return 'user_initiated';
  return call.direction === 'BUSINESS_INITIATED' ? 'business_initiated' : undefined;
};

function parseConnect(call: CallItem, id: WaCallId, context: Context): WebhookEvent {
  const { numberId, displayNumber, contacts } = context;
  const description = descriptionOf(call);
  if (!description) return unusable(context, 'connect without a session description', call.errors);
  // Some samples lack the direction; who offers is who called.
  const direction = directionOf(call) ?? (description.type === 'OFFER' ? 'user_initiated' : 'business_initiated');
  const expected = direction === 'user_initiated' ? 'OFFER' : 'ANSWER';
  if (description.type !== undefined && description.type !== expected) {
    return unusable(context, `${direction} connect with ${description.type}`, call.errors);
  }
  const common = {
    ...commonOf(call, id, numberId),
    user: userOfCall(endsOf(call), direction, displayNumber, contacts),
  };
  return direction === 'user_initiated'
    ? { kind: 'user_connect', ...common, ...payloadsOf(call), offer: description.sdp }
    : { kind: 'business_connect', ...common, answer: description.sdp };
}

const commonOf = (call: CallItem, waCallId: WaCallId, numberId: string) => ({
  numberId,
  waCallId,
  timestampMs: call.timestamp,
  opaque: call.biz_opaque_callback_data,
});

const payloadsOf = (call: CallItem) => ({ ctaPayload: call.cta_payload, deeplinkPayload: call.deeplink_payload });

const endsOf = (call: CallItem) => ({
  from: { id: call.from, userId: call.from_user_id, parentUserId: call.from_parent_user_id },
  to: { id: call.to, userId: call.to_user_id, parentUserId: call.to_parent_user_id },
});

/** `session`; the legacy `connection.webrtc` (JSON within a string) only where that holds no description. */
function descriptionOf(call: CallItem): { sdp: string; type: string | undefined } | undefined {
  if (call.session?.sdp) return { sdp: call.session.sdp, type: call.session.sdp_type };
  const legacy = call.connection?.webrtc?.sdp;
  if (legacy === undefined) return undefined;
  try {
    const { sdp, type } = legacyDescriptionSchema.parse(JSON.parse(legacy));
    return sdp === '' ? undefined : { sdp, type };
  } catch {
    return undefined;
  }
}

function parseTerminate(call: CallItem, id: WaCallId, context: Context): WebhookEvent {
  const outcome = call.status === 'COMPLETED' || call.status === 'FAILED' ? call.status : undefined;
  return {
    kind: 'call_terminate',
    ...commonOf(call, id, context.numberId),
    ...payloadsOf(call),
    direction: directionOf(call),
    outcome,
    startMs: call.start_time,
    endMs: call.end_time,
    durationS: call.duration,
    // Meta's reference has errors beside `calls`; real deliveries have had them inside.
    errors: [...errorsOf(call.errors), ...context.errors],
  };
}

function parseStatus(item: unknown, context: Context): WebhookEvent {
  const { numberId, displayNumber, contacts } = context;
  const parsed = statusSchema.safeParse(item).data;
  if (!parsed?.id || !isWaId(parsed.id)) return unusable(context, 'status without a usable id', parsed?.errors);
  const { status } = parsed;
  if (status !== 'RINGING' && status !== 'ACCEPTED' && status !== 'REJECTED') {
    return unusable(context, `status ${status ?? 'missing'}`, parsed.errors);
  }
  const party = {
    id: parsed.recipient_id,
    userId: parsed.recipient_user_id,
    parentUserId: parsed.recipient_parent_user_id,
  };
  return {
    kind: 'call_status',
    numberId,
    waCallId: parsed.id,
    timestampMs: parsed.timestamp,
    opaque: parsed.biz_opaque_callback_data,
    status,
    user: userOfParty(party, displayNumber, contacts),
  };
}

function parseMessagesField(value: ChangeValue, context: Context): WebhookEvent[] {
  const events = (value.messages ?? []).map((item) => parseMessage(item, context));
  return events.length > 0 ? events : [unusable(context, 'no messages')];
}

function parseMessage(item: unknown, context: Context): WebhookEvent {
  const { field, numberId } = context;
  const message = messageSchema.safeParse(item).data;
  const reply = message?.interactive?.call_permission_reply;
  if (!message || !reply) return unknown(field, numberId, `message ${message?.type ?? 'of no type'}`);
  if (reply.response !== 'ACCEPT' && reply.response !== 'REJECT') {
    return unknown(field, numberId, 'permission reply without a response');
  }
  return permissionReply(message, reply.response, context);
}

function permissionReply(message: Message, response: 'ACCEPT' | 'REJECT', context: Context): PermissionReply {
  const reply = message.interactive?.call_permission_reply;
  const party = { id: message.from, userId: message.from_user_id, parentUserId: message.from_parent_user_id };
  return {
    kind: 'permission_reply',
    numberId: context.numberId,
    timestampMs: message.timestamp,
    user: userOfParty(party, context.displayNumber, context.contacts),
    messageId: message.id,
    contextId: message.context?.id,
    response: response === 'ACCEPT' ? 'accept' : 'reject',
    permanent: reply?.is_permanent ?? false,
    expiresAtMs: reply?.expiration_timestamp,
    source: sourceOf(reply?.response_source),
  };
}

function sourceOf(word: string | undefined): 'user_action' | 'automatic' | undefined {
  if (word === 'USER_ACTION') return 'user_action';
  return word === 'AUTOMATIC' ? 'automatic' : undefined;
}

function errorsOf(items: readonly unknown[] | undefined): WebhookError[] {
  return (items ?? []).slice(0, 16).flatMap((item) => {
    const error = errorSchema.safeParse(item).data;
    if (!error) return [];
    return { code: error.code, title: error.title ?? error.message, details: error.error_data?.details };
  });
}

/** An item without use, with what Meta says went wrong: beside the items or inside this one. */
function unusable(context: Context, what: string, own?: readonly unknown[]): UnknownEvent {
  const errors = [...errorsOf(own), ...context.errors];
  return { ...unknown(context.field, context.numberId, what), ...(errors.length > 0 && { errors }) };
}

function unknown(field: string, numberId: string | undefined, what: string): UnknownEvent {
  return { kind: 'unknown', numberId, field, what: what.slice(0, 128) };
}

/** Whether brackets outside strings nest deeper than `cap`. */
function isNestedDeeper(body: Uint8Array, cap: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > cap) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}
