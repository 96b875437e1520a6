import { describe, expect, it } from 'vitest';
import { parseWebhook, parseWebhookBody } from '../../../src/whatsapp/webhook-parse.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { jsonFixture } from '../../support/fixtures.js';

const offer = { sdp_type: 'offer', sdp: 'v=0\r\n' };
const answer = { sdp_type: 'answer', sdp: 'v=0\r\n' };
const base = { id: 'wacid.A=', from: '13057765456', to: '15551112222', event: 'connect', timestamp: '1671644824' };
const metadata = { phone_number_id: '106540352242922', display_phone_number: '15551112222' };
const envelope = (...values: unknown[]): unknown => ({
  object: 'whatsapp_business_account',
  entry: [{ id: '1', changes: values.map((value) => ({ field: 'calls', value: { metadata, ...(value as object) } })) }],
});
const one = (value: unknown): WebhookEvent => parseWebhook(envelope(value))[0]!;
const call = (extra: object, rest: object = {}): WebhookEvent => one({ calls: [{ ...base, ...extra }], ...rest });

describe('parseWebhook', () => {
  it('reads a user-initiated connect with all its fields', () => {
    const [event] = parseWebhook(jsonFixture('webhooks/user-initiated-connect.json'));
    expect(event).toMatchObject({
      kind: 'user_connect',
      numberId: '106540352242922',
      timestampMs: 1_671_644_824_000,
      ctaPayload: 'order-4711',
      deeplinkPayload: 'spring-sale',
      user: { number: '+13057765456', name: 'Ana "Nina" Ñandú 🙂' },
    });
    expect(event).toHaveProperty('offer', expect.stringContaining('a=setup:actpass\r\n'));
  });

  it('reads the session of Meta’s sample and leaves its legacy connection alone', () => {
    const path = 'webhooks/business-initiated-connect-with-legacy-connection.json';
    expect(parseWebhook(jsonFixture(path))).toMatchObject([
      { kind: 'business_connect', user: { number: '+16501230000' }, numberId: '105615555715855' },
    ]);
  });

  it('reads the legacy connection only where there is no session', () => {
    const connection = { webrtc: { sdp: JSON.stringify({ sdp: 'legacy', type: 'offer' }) } };
    expect(call({ connection })).toMatchObject({ kind: 'user_connect', offer: 'legacy' });
    expect(call({ connection, session: offer })).toMatchObject({ offer: 'v=0\r\n' });
    expect(call({ connection, session: { sdp_type: 'offer' } })).toMatchObject({
      kind: 'user_connect',
      offer: 'legacy',
    });
    expect(call({ connection: { webrtc: { sdp: 'not json' } } })).toMatchObject({ kind: 'unknown' });
  });

  it('takes no half of an id or number for a user', () => {
    const unknown = { number: undefined, userId: undefined, parentUserId: undefined };
    const long = `US.${'1'.repeat(126)}`;
    const ends = { from: long, from_user_id: long, from_parent_user_id: long, session: offer };
    const contacts = [{ wa_id: long, user_id: long, parent_user_id: long, profile: { name: 'Ana' } }];
    expect(call(ends, { contacts })).toMatchObject({ kind: 'user_connect', user: { ...unknown, name: 'Ana' } });
    const blank = { from: '', from_user_id: ' ', from_parent_user_id: '', session: offer };
    expect(call(blank)).toMatchObject({ user: { ...unknown, name: undefined } });
    const userId = long.slice(0, 128);
    expect(call({ ...ends, from_user_id: userId })).toMatchObject({ user: { ...unknown, userId } });
  });

  it('takes the direction from who offers when it is missing', () => {
    expect(call({ session: offer })).toMatchObject({ kind: 'user_connect', user: { number: '+13057765456' } });
    expect(call({ session: answer })).toMatchObject({ kind: 'business_connect' });
    expect(call({ session: { sdp: 'x' }, direction: 'USER_INITIATED' })).toMatchObject({ kind: 'user_connect' });
  });

  it('does not use a description that contradicts the direction', () => {
    expect(call({ session: answer, direction: 'USER_INITIATED' })).toMatchObject({ kind: 'unknown' });
    expect(call({ session: offer, direction: 'BUSINESS_INITIATED' })).toMatchObject({ kind: 'unknown' });
  });

  it.each([
    ['by direction', { direction: 'USER_INITIATED' }, {}, '+13057765456'],
    ['when the ends are the wrong way round', { from: '15551112222', to: '13057765456' }, {}, '+13057765456'],
    ['with a plus and as a number', { from: 13057765456 }, {}, '+13057765456'],
    ['from the contact when the number is missing', { from: undefined }, { wa_id: '13057765456' }, '+13057765456'],
    ['never the business itself', { from: undefined }, { wa_id: '15551112222' }, undefined],
  ])('finds the user %s', (_, ends, contact, number) => {
    const event = call({ session: offer, ...ends }, { contacts: [contact] });
    expect(event).toMatchObject({ kind: 'user_connect', user: { number } });
  });

  it('goes by the direction alone when the business number is not named', () => {
    const value = { metadata: { phone_number_id: '1' } };
    expect(call({ session: offer }, value)).toMatchObject({ user: { number: '+13057765456' } });
    expect(call({ session: answer }, value)).toMatchObject({ user: { number: '+15551112222' } });
  });

  it('keeps business-scoped ids apart from numbers', () => {
    const contacts = [{ user_id: 'US.134', parent_user_id: 'US.1', profile: { name: 'Ana', username: 'ana' } }];
    expect(call({ session: offer, from: undefined, from_user_id: 'US.134' }, { contacts })).toMatchObject({
      user: { number: undefined, userId: 'US.134', parentUserId: 'US.1', name: 'Ana', username: 'ana' },
    });
    expect(call({ session: offer, from: 'US.13491208655302741918' })).toMatchObject({
      user: { number: undefined, userId: 'US.13491208655302741918' },
    });
  });

  it.each([
    ['another id', { user_id: 'US.2' }, undefined],
    ['no id', { wa_id: '13057765456' }, 'Ana'],
    ['the same id', { user_id: 'US.1' }, 'Ana'],
  ])('takes a contact with %s for a user known by id alone: name %s', (_, contact, name) => {
    const contacts = [{ ...contact, profile: { name: 'Ana' } }];
    const ends = { from: undefined, from_user_id: 'US.1' };
    expect(call({ session: offer, ...ends }, { contacts })).toMatchObject({ user: { userId: 'US.1', name } });
  });

  it.each<[string, object, object]>([
    ['the ends are the wrong way round and the business is not named', { from: '15551112222', to: '13057765456' }, {}],
    ['the business is named as people write it', {}, { display_phone_number: '+1 555-111-2222' }],
  ])('lets the contacts tell who is the user when %s', (_, ends, more) => {
    const contacts = [{ wa_id: '13057765456', profile: { name: 'Ana' } }];
    const value = { contacts, metadata: { phone_number_id: '1', ...more } };
    expect(call({ session: offer, ...ends }, value)).toMatchObject({ user: { number: '+13057765456', name: 'Ana' } });
  });

  it('does not take the digits of an id for the business’s number', () => {
    const event = call({ session: offer, from: 'US.15551112222', to: '15551112222' });
    expect(event).toMatchObject({ user: { number: undefined, userId: 'US.15551112222' } });
  });

  it.each<[string, object, object]>([
    ['by the parent’s id', { from_parent_user_id: 'US.1' }, { user_id: 'US.2', parent_user_id: 'US.1' }],
    ['by an id inside wa_id', { from: 'US.2' }, { wa_id: 'US.2' }],
    ['by an id without a number, business not named', { from_user_id: 'US.2' }, { user_id: 'US.2' }],
  ])('finds the contact of a user %s', (_, ends, contact) => {
    const contacts = [{ ...contact, profile: { username: 'ana' } }, { wa_id: '491700000000' }];
    const value = { contacts, metadata: { phone_number_id: '1' } };
    const event = call({ session: offer, from: undefined, ...ends }, value);
    expect(event).toMatchObject({ user: { number: undefined, userId: 'US.2', username: 'ana' } });
    expect(call({ session: offer, from: undefined }, { ...value, contacts: contacts.slice(0, 1) })).toMatchObject({
      user: { userId: 'US.2', username: 'ana' },
    });
  });

  it('takes the name from the contact that is the user, not from another', () => {
    const contacts = [
      { wa_id: '491700000000', profile: { name: 'Other' } },
      { wa_id: '13057765456', profile: { name: 'Ana' } },
    ];
    expect(call({ session: offer }, { contacts })).toMatchObject({ user: { name: 'Ana' } });
    expect(call({ session: offer }, { contacts: contacts.slice(0, 1) })).toMatchObject({ user: { name: undefined } });
  });

  it.each([
    ['COMPLETED', 'COMPLETED'],
    ['completed', 'COMPLETED'],
    [['Failed', 'Completed'], 'FAILED'],
    [['COMPLETED'], 'COMPLETED'],
    ['odd', undefined],
    [undefined, undefined],
    [7, undefined],
  ])('reads terminate status %j as %s', (status, outcome) => {
    expect(call({ event: 'terminate', status })).toMatchObject({ kind: 'call_terminate', outcome });
  });

  it('reads errors beside and inside calls, and numbers as strings', () => {
    const beside = { errors: [{ code: '138021', message: 'm', error_data: { details: 'd' } }] };
    const inside = [{ code: 138020, title: 't' }, { no: 'code' }];
    const times = { start_time: '1671644824', end_time: 1671644944, duration: '120' };
    expect(call({ event: 'TERMINATE', errors: inside, ...times }, beside)).toMatchObject({
      startMs: 1_671_644_824_000,
      endMs: 1_671_644_944_000,
      durationS: 120,
      errors: [
        { code: 138020, title: 't' },
        { code: 138021, title: 'm', details: 'd' },
      ],
    });
  });

  it.each([
    ['120', 120],
    [0, 0],
    ['2.5', 2.5],
    ['', undefined],
    [null, undefined],
    [[], undefined],
    [true, undefined],
    [-1, undefined],
  ])('reads the duration %j as %s', (duration, durationS) => {
    expect(call({ event: 'terminate', duration })).toMatchObject({ durationS });
  });

  it.each([
    ['1671644824', 1_671_644_824_000],
    [1671644824, 1_671_644_824_000],
    ['1671644824123', 1_671_644_824_123],
    ['9999999999999999', undefined],
    [1e300, undefined],
    ['-1', undefined],
    [null, undefined],
  ])('reads the time %j as %s, a date there is', (start_time, startMs) => {
    expect(call({ event: 'terminate', start_time })).toMatchObject({ startMs });
  });

  it('loses no errors that stand with a connect or a status', () => {
    const inside = [{ code: 131044, title: 'inside' }];
    const beside = [{ code: '138013', title: 'beside' }];
    const connect = { ...base, session: offer, errors: inside };
    const told = (errors: object[]) => ({
      kind: 'unknown',
      what: expect.stringMatching(/^errors 13/) as string,
      errors,
    });
    expect(parseWebhook(envelope({ calls: [connect], errors: beside }))).toMatchObject([
      { kind: 'user_connect' },
      told([{ code: 131044 }, { code: 138013 }]),
    ]);
    const status = { id: 'wacid.S', status: 'RINGING' };
    expect(parseWebhook(envelope({ statuses: [status], errors: beside }))).toMatchObject([
      { kind: 'call_status' },
      told([{ code: 138013 }]),
    ]);
    // A terminate has taken what stands beside it.
    const over = { ...base, id: 'wacid.T', event: 'terminate' };
    expect(parseWebhook(envelope({ calls: [over], statuses: [status], errors: beside }))).toHaveLength(2);
  });

  it('reads a whole batch in order: entries, changes, calls and statuses', () => {
    const status = { id: 'wacid.S', status: ['ringing'], recipient_id: 13057765456, timestamp: 1671644824 };
    const first = envelope({
      calls: [
        { ...base, session: offer },
        { ...base, id: 'wacid.B', event: 'terminate' },
      ],
    });
    const second = envelope({ statuses: [status] }, { calls: [{ ...base, event: 'call_created' }] });
    const entry = [first, second].flatMap((item) => (item as { entry: unknown[] }).entry);
    expect(parseWebhook({ entry })).toMatchObject([
      { kind: 'user_connect' },
      { kind: 'call_terminate', waCallId: 'wacid.B' },
      { kind: 'call_status', status: 'RINGING', user: { number: '+13057765456' } },
      { kind: 'unknown', what: 'event call_created' },
    ]);
  });

  it('keeps what it does not know, without spoiling what stands beside it', () => {
    const calls = [
      null,
      7,
      'x',
      {},
      { ...base, id: 'bad id' },
      { ...base, id: 'x'.repeat(257) },
      { ...base, session: offer },
    ];
    const events = parseWebhook(envelope({ calls }));
    expect(events.map(({ kind }) => kind)).toEqual([...Array<string>(6).fill('unknown'), 'user_connect']);
    expect(parseWebhook({ entry: [{ changes: [{ field: 'account_update', value: {} }, 3] }, null] })).toMatchObject([
      { kind: 'unknown', field: 'account_update' },
      { kind: 'unknown' },
      { kind: 'unknown' },
    ]);
    const alone = { kind: 'unknown', what: 'errors 131044', errors: [{ code: 131044 }] };
    expect(one({ errors: [{ code: 131044 }] })).toMatchObject(alone);
    const failed = { statuses: [{ id: 'wacid.1', status: 'FAILED' }], errors: [{ code: 131044, title: 't' }] };
    const said = [{ code: 131044, title: 't', details: undefined }];
    expect(one(failed)).toMatchObject({ kind: 'unknown', what: 'status FAILED', errors: said });
    const own = { calls: [{ id: 'wacid.1', event: 'call_created', errors: [{ code: 131044, title: 't' }] }] };
    expect(one(own)).toMatchObject({ kind: 'unknown', errors: said });
    expect(one({ statuses: [{ id: 'wacid.S', status: 'BUSY' }] })).toMatchObject({ what: 'status BUSY' });
    for (const id of [undefined, '', 'bad id', 7]) {
      expect(one({ statuses: [{ id, status: 'RINGING' }] })).toMatchObject({ what: 'status without a usable id' });
    }
  });

  it('never takes a prototype from a body', () => {
    const text = JSON.stringify(envelope({ calls: [{ ...base, session: offer }] })).replace(
      '"calls":[{',
      '"__proto__":{"polluted":1},"calls":[{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},',
    );
    const [event] = parseWebhookBody(Buffer.from(text));
    expect(event).toMatchObject({ kind: 'user_connect' });
    expect(Object.getPrototypeOf(event)).toBe(Object.prototype);
    expect(event).not.toHaveProperty('polluted');
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    ['not JSON', Buffer.from('{"entry":')],
    ['no entry', Buffer.from('{"object":"x"}')],
    ['not an object', Buffer.from('[]')],
    ['not UTF-8', Buffer.concat([Buffer.from('{"entry":[],"name":"'), Buffer.from([0xff]), Buffer.from('"}')])],
    ['empty', Buffer.alloc(0)],
    ['nested a million deep', Buffer.alloc(1_000_000, '[')],
  ])('refuses a body that is %s', (_, body) => {
    expect(() => parseWebhookBody(body)).toThrow(expect.objectContaining({ code: 'SIP2WA_WEBHOOK_BODY' }));
  });

  it.each([
    [62, true],
    [63, true],
    [64, false],
    [100_000, false],
  ])('reads JSON with a list nested %i deep beside what it needs: %s', (depth, isRead) => {
    const body = Buffer.from(`{"entry":[],"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    if (isRead) expect(parseWebhookBody(body)).toEqual([]);
    else expect(() => parseWebhookBody(body)).toThrow('nested too deep');
  });

  it('does not take many objects beside each other for nesting', () => {
    const calls = Array.from({ length: 200 }, (_, i) => ({ ...base, id: `wacid.${i}`, session: offer }));
    expect(parseWebhookBody(Buffer.from(JSON.stringify(envelope({ calls }))))).toHaveLength(200);
  });

  it('does not take brackets inside strings for nesting', () => {
    const cta_payload = `${'['.repeat(500)}\\"${'{'.repeat(500)}`;
    const body = Buffer.from(JSON.stringify(envelope({ calls: [{ ...base, session: offer, cta_payload }] })));
    expect(parseWebhookBody(body)).toMatchObject([{ kind: 'user_connect', ctaPayload: cta_payload }]);
  });
});

describe('permission replies', () => {
  const message = (extra: object): unknown => ({
    entry: [
      {
        changes: [
          {
            field: 'messages',
            value: { metadata, messages: [{ from: '13057765456', id: 'wamid.1', timestamp: '1744738679', ...extra }] },
          },
        ],
      },
    ],
  });
  const reply = (call_permission_reply: object, extra: object = {}): unknown =>
    message({ interactive: { type: 'call_permission_reply', call_permission_reply }, ...extra });

  it.each([
    [{ response: 'accept', is_permanent: true, response_source: 'user_action' }, 'accept', true, 'user_action'],
    [{ response: 'reject', response_source: 'automatic' }, 'reject', false, 'automatic'],
    [{ response: 'ACCEPT', is_permanent: 'true' }, 'accept', true, undefined],
  ])('reads %j', (fields, response, permanent, source) => {
    const expected = { kind: 'permission_reply', response, permanent, source, contextId: undefined };
    expect(parseWebhook(reply(fields))).toMatchObject([expected]);
  });

  it('keeps other messages and unreadable replies as unknown', () => {
    expect(parseWebhook(message({ type: 'text' }))).toMatchObject([{ kind: 'unknown', what: 'message text' }]);
    expect(parseWebhook(reply({ response: 'maybe' }))).toMatchObject([{ kind: 'unknown' }]);
  });
});
