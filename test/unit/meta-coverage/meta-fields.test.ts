import { describe, expect, it } from 'vitest';
import { permissionAnswerSchema } from '../../../src/whatsapp/permissions/permission-answer.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { parseWebhook } from '../../../src/whatsapp/webhook-parse.js';
import { metaFixture } from '../../support/fixtures.js';

/*
 * Each field that Meta's reference shows in a webhook or in the answer to a look-up, one by one: put another value there, and
 * what is read changes in just the way it should; or take it away, and nothing changes because nothing hangs on it.
 */

type Json = Record<string, unknown>;

/** Where `entry[].changes[].value.calls[].id` leads in a document; every list has its first item looked at. */
function place(json: unknown, path: string): { readonly parent: Json; readonly key: string } {
  const keys = path.replaceAll('[]', '.0').split('.');
  const key = keys.pop()!;
  const parent = keys.reduce<unknown>((at, step) => (at as Json)[step], json);
  return { parent: parent as Json, key };
}

function withValue(file: string, path: string, value: unknown): unknown {
  const json = structuredClone(metaFixture(`${file}.json`));
  const { parent, key } = place(json, path);
  expect(parent).toHaveProperty(key);
  if (value === undefined) Reflect.deleteProperty(parent, key);
  else parent[key] = value;
  return json;
}

const value = 'entry[].changes[].value';
const call = `${value}.calls[]`;
const status = `${value}.statuses[]`;
const message = `${value}.messages[]`;
const reply = `${message}.interactive.call_permission_reply`;
const error = `${value}.errors[]`;
const id = 'wacid.OTHER';
const legacySdp = JSON.stringify({ sdp: 'v=0 legacy', type: 'answer' });

const connect = 'business-connect-event';
const legacy = 'business-connect-legacy-connection-event';
const rings = 'status-ringing-event';
const completed = 'terminate-completed-event';
const failed = 'terminate-failed-event';
const asked = 'permission-reply-user-event';

/** Fixture, field, another value, what comes of it. */
const read: readonly (readonly [file: string, path: string, other: unknown, event: object])[] = [
  [connect, 'entry[].changes[].field', 'account_update', { kind: 'unknown', field: 'account_update' }],
  [connect, `${value}.metadata.phone_number_id`, '42', { kind: 'business_connect', numberId: '42' }],
  // Meta's own sample has the business in `to`: it is told from the user by its display number.
  [connect, `${value}.metadata.display_phone_number`, '16315553602', { user: { number: '+16315553601' } }],
  [connect, `${value}.contacts[].profile.name`, 'Another', { user: { name: 'Another' } }],
  [connect, `${value}.contacts[].wa_id`, '4930123456', { user: { number: '+16315553602', name: undefined } }],
  [connect, `${call}.id`, id, { waCallId: id }],
  [legacy, `${call}.to`, '4930123456', { user: { number: '+4930123456' } }],
  [connect, `${call}.from`, '4930123456', { user: { number: '+4930123456' } }],
  [connect, `${call}.event`, 'terminate', { kind: 'call_terminate' }],
  [connect, `${call}.timestamp`, '1700000000', { timestampMs: 1_700_000_000_000 }],
  [connect, `${call}.direction`, 'USER_INITIATED', { kind: 'unknown', what: 'user_initiated connect with ANSWER' }],
  [connect, `${call}.session.sdp`, 'v=0 other', { answer: 'v=0 other' }],
  [connect, `${call}.session.sdp_type`, 'offer', { kind: 'unknown', what: 'business_initiated connect with OFFER' }],
  [rings, `${status}.id`, id, { waCallId: id }],
  [rings, `${status}.timestamp`, '1700000000', { timestampMs: 1_700_000_000_000 }],
  [rings, `${status}.status`, 'ACCEPTED', { status: 'ACCEPTED' }],
  [rings, `${status}.recipient_id`, '4930123456', { user: { number: '+4930123456' } }],
  [rings, `${status}.biz_opaque_callback_data`, 'mine', { opaque: 'mine' }],
  [completed, `${call}.biz_opaque_callback_data`, 'mine', { opaque: 'mine' }],
  [completed, `${call}.status`, 'FAILED', { outcome: 'FAILED' }],
  [completed, `${call}.start_time`, '1700000000', { startMs: 1_700_000_000_000 }],
  [completed, `${call}.end_time`, '1700000000', { endMs: 1_700_000_000_000 }],
  [completed, `${call}.duration`, '7', { durationS: 7 }],
  [failed, `${call}.status[]`, 'COMPLETED', { outcome: 'COMPLETED' }],
  [failed, `${error}.code`, '138008', { errors: [{ code: 138_008 }] }],
  [failed, `${error}.message`, 'Another title', { errors: [{ title: 'Another title' }] }],
  [failed, `${error}.error_data.details`, 'Other details', { errors: [{ details: 'Other details' }] }],
  [asked, `${message}.from`, '4930123456', { user: { number: '+4930123456' } }],
  [asked, `${message}.id`, 'wamid.OTHER', { messageId: 'wamid.OTHER' }],
  [asked, `${message}.timestamp`, '1700000000', { timestampMs: 1_700_000_000_000 }],
  [asked, `${message}.context.id`, 'wamid.REQUEST', { contextId: 'wamid.REQUEST' }],
  [asked, `${reply}.response`, 'reject', { response: 'reject' }],
  [asked, `${reply}.is_permanent`, true, { permanent: true }],
  [asked, `${reply}.expiration_timestamp`, '1700000000', { expiresAtMs: 1_700_000_000_000 }],
  [asked, `${reply}.response_source`, 'automatic', { source: 'automatic' }],
];

/** Fixture, field, why nothing hangs on it. */
const needless: readonly (readonly [file: string, path: string, why: string])[] = [
  [connect, 'object', 'an app is subscribed to one object; `field` says the rest'],
  [connect, 'entry[].id', 'the number is known by its own id, not by its account'],
  [connect, `${value}.messaging_product`, 'there is only whatsapp'],
  [rings, `${status}.type`, 'a status under `calls` is one of a call'],
  [failed, `${error}.href`, 'a link to the list of errors'],
  [asked, `${message}.context.from`, 'our own number'],
  [asked, `${message}.interactive.type`, 'told by `call_permission_reply` being there'],
];

const first = (events: readonly WebhookEvent[]): WebhookEvent => {
  expect(events).toHaveLength(1);
  return events[0]!;
};

describe('fields of Meta’s webhooks', () => {
  it.each(read)('%s: %s is read', (file, path, other, event) => {
    const before = first(parseWebhook(metaFixture(`${file}.json`)));
    expect(before).not.toMatchObject(event);
    expect(first(parseWebhook(withValue(file, path, other)))).toMatchObject(event);
  });

  it('connection.webrtc.sdp is read where there is no session', () => {
    const json = withValue(legacy, `${call}.connection.webrtc.sdp`, legacySdp);
    expect(first(parseWebhook(json))).not.toMatchObject({ answer: 'v=0 legacy' });
    const { parent } = place(json, `${call}.session`);
    Reflect.deleteProperty(parent, 'session');
    expect(first(parseWebhook(json))).toMatchObject({ kind: 'business_connect', answer: 'v=0 legacy' });
  });

  it.each(needless)('%s: %s may be missing: %s', (file, path) => {
    expect(parseWebhook(withValue(file, path, undefined))).toEqual(parseWebhook(metaFixture(`${file}.json`)));
  });
});

describe('fields of the answer to a look-up of permissions', () => {
  const file = 'call-permissions-response';
  const parsed = (json: unknown) => {
    const { actions, ...rest } = permissionAnswerSchema.parse(json);
    return { ...rest, actions: Object.fromEntries(actions) };
  };
  const requests = (more: object) => ({ actions: { send_call_permission_request: more } });
  const limit = 'actions[].limits[]';

  it.each<readonly [path: string, other: unknown, answer: object]>([
    ['permission.status', 'permanent', { status: 'permanent' }],
    ['permission.status', 'no_permission', { status: 'no_permission' }],
    ['permission.expiration_time', 1_800_000_000, { expiresAtMs: 1_800_000_000_000 }],
    ['actions[].action_name', 'some_action', { actions: { some_action: { can: true } } }],
    ['actions[].can_perform_action', false, requests({ can: false })],
    [`${limit}.time_period`, 'PT1H', requests({ limits: [{ period: 'PT1H' }, {}] })],
    [`${limit}.max_allowed`, 3, requests({ limits: [{ max: 3 }, {}] })],
    [`${limit}.current_usage`, 3, requests({ limits: [{ used: 3 }, {}] })],
  ])('%s is read', (path, other, answer) => {
    expect(parsed(metaFixture(`${file}.json`))).not.toMatchObject(answer);
    expect(parsed(withValue(file, path, other))).toMatchObject(answer);
  });

  it('limit_expiration_time is read, of the limit that is used up', () => {
    const used = { start_call: { can: false, limits: [{ endsAtMs: 1_745_622_600_000 }] } };
    expect(parsed(metaFixture(`${file}.json`))).toMatchObject({ actions: used });
  });

  it('expiration is read where expiration_time is missing: table and sample of the reference differ', () => {
    const json = withValue(file, 'permission.expiration_time', undefined) as { permission: Json };
    expect(parsed(json)).toMatchObject({ expiresAtMs: undefined });
    json.permission['expiration'] = 1_800_000_000;
    expect(parsed(json)).toMatchObject({ expiresAtMs: 1_800_000_000_000 });
  });

  it('messaging_product may be missing', () => {
    const json = metaFixture(`${file}.json`);
    expect(parsed(withValue(file, 'messaging_product', undefined))).toEqual(parsed(json));
  });
});
