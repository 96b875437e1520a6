import type { UnknownEvent, WebhookEvent } from './webhook-events.js';

/**
 * What of a delivery an operator may want to look at because this version has no use for it, as one line of JSON; undefined if
 * there is nothing. Other apps' numbers and customers' messages are none of it, and session descriptions, which hold keys, are
 * left out.
 */
export function unknownOf(
  body: Buffer,
  events: readonly WebhookEvent[],
  isOurNumber: (numberId: string) => boolean,
): string | undefined {
  const fields = new Set(events.flatMap((event) => (isWorthKeeping(event) ? [event.field] : [])));
  if (fields.size === 0) return undefined;
  const delivery = JSON.parse(body.toString('utf8')) as { readonly entry: readonly unknown[] };
  const isWanted = (change: unknown): boolean => {
    const numberId = numberIdOf(change);
    return fields.has(fieldOf(change)) && (numberId === undefined || isOurNumber(numberId));
  };
  const items = delivery.entry.flatMap((entry) => changesOf(entry).filter(isWanted).flatMap(withoutMessages));
  if (items.length === 0) return undefined;
  return JSON.stringify(items, (key, value: unknown) =>
    secretive.has(key) && typeof value === 'string' ? `(${value.length} characters)` : value,
  );
}

const secretive: ReadonlySet<string> = new Set(['sdp']);

/** Fields by which Meta sends what customers write, besides `messages`: echoes, histories, hand-overs. */
const FIELD_OF_MESSAGES = /messag|history|standby|state_sync/i;

function isWorthKeeping(event: WebhookEvent): event is UnknownEvent {
  if (event.kind !== 'unknown') return false;
  return event.what.startsWith('permission reply') || !FIELD_OF_MESSAGES.test(event.field);
}

/** The change, or, of one of messages, what it has of permission replies. */
function withoutMessages(change: unknown): readonly unknown[] {
  if (!isObject(change) || !isObject(change['value']) || fieldOf(change) !== 'messages') return [change];
  const all = Array.isArray(change['value']['messages']) ? (change['value']['messages'] as unknown[]) : [];
  const messages = all.filter(isPermissionReply);
  return messages.length === 0 ? [] : [{ ...change, value: { ...change['value'], messages } }];
}

const isPermissionReply = (message: unknown): boolean =>
  isObject(message) && isObject(message['interactive']) && isObject(message['interactive']['call_permission_reply']);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** An entry or change that is not of Meta's form is kept as it is. */
function changesOf(entry: unknown): readonly unknown[] {
  return isObject(entry) && Array.isArray(entry['changes']) ? (entry['changes'] as unknown[]) : [entry];
}

const fieldOf = (change: unknown): string =>
  isObject(change) && isObject(change['value']) && typeof change['field'] === 'string'
    ? change['field'].slice(0, 64)
    : '';

function numberIdOf(change: unknown): string | undefined {
  const value = isObject(change) ? change['value'] : undefined;
  const metadata = isObject(value) ? value['metadata'] : undefined;
  const numberId = isObject(metadata) ? metadata['phone_number_id'] : undefined;
  return typeof numberId === 'string' || typeof numberId === 'number' ? String(numberId) : undefined;
}
