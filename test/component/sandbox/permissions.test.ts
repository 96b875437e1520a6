import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PhoneLine } from '../../../src/sandbox/graph/exchange.js';
import { BUSINESS, NUMBER_ID, startFixture, USER, businessSdp, type Fixture } from './fixture.js';

const USER_ID = 'US.13491208655302741918';
const SOON = { timeout: 5000 };
const offer = { sdp_type: 'offer', sdp: businessSdp('actpass') };

let at: Fixture;
beforeEach(async () => {
  at = await startFixture();
});
afterEach(() => at.stop());

const line = (more: Partial<PhoneLine> = {}): PhoneLine => ({
  ...{ waId: USER, profileName: 'Jérôme', ...more },
  offered: () => Promise.resolve('v=0\r\n'),
  mediaAnswered: () => Promise.resolve(),
  accepted: () => Promise.resolve(),
  ended: () => undefined,
});
const freeForm = {
  type: 'call_permission_request',
  action: { name: 'call_permission_request' },
  body: { text: 'May we?' },
};
const send = (fields: object) => at.post(`${NUMBER_ID}/messages`, { messaging_product: 'whatsapp', ...fields });
const look = async (query: string) => (await at.get(`${NUMBER_ID}/call_permissions?${query}`)).body;
const errorOf = ({ body }: { body: Record<string, unknown> }) =>
  body['error'] as { code: number; error_data: { details: string } };
const connect = () => at.call('connect', { to: USER, session: offer });
const replies = () => at.webhook.events.flatMap(([name, message]) => (name === 'message' ? [message] : []));

describe('permission requests', () => {
  beforeEach(() => at.sandbox.exchange.attach(line({ userId: USER_ID }), 'no_permission'));

  it('by a template that carries one, and by no other', async () => {
    const template = { name: 'call_permission', language: { code: 'en' } };
    expect((await send({ to: USER, type: 'template', template })).status).toBe(200);
    const unknown = await send({ to: USER, type: 'template', template: { ...template, name: 'greeting' } });
    expect([unknown.status, errorOf(unknown).code]).toEqual([404, 132001]);
    const bare = await send({ to: USER, type: 'template', template: { name: 'call_permission', language: 'en' } });
    expect(errorOf(bare).code).toBe(100);
  });

  it('to a business-scoped user id, which is the same user', async () => {
    const sent = await send({ recipient: USER_ID, type: 'interactive', interactive: freeForm });
    expect(sent.body).toMatchObject({ contacts: [{ input: USER_ID, wa_id: USER }] });
    const said = { actions: [{ can_perform_action: false, limits: [{ current_usage: 1 }, {}] }, {}] };
    expect(await look(`recipient=${USER_ID}`)).toMatchObject(said);
    expect(await look(`user_wa_id=${USER}`)).toMatchObject(said);
  });

  it.each([
    ['no user', {}],
    ['an id without a country', { recipient: '13491208655302741918' }],
    ['a text of 1025 characters', { to: USER, interactive: { ...freeForm, body: { text: 'x'.repeat(1025) } } }],
    ['another action', { to: USER, interactive: { ...freeForm, action: { name: 'call' } } }],
  ])('%s: 100', async (_, fields) => {
    const reply = await send({ type: 'interactive', interactive: freeForm, ...fields });
    expect([reply.status, errorOf(reply).code]).toEqual([400, 100]);
  });

  it('a user nobody knows has given no permission', async () => {
    expect(await look('recipient=DE.1')).toMatchObject({ permission: { status: 'no_permission' } });
  });
});

describe('permission replies', () => {
  const cases = [
    ['accepted for a time', 'temporary', 'wamid.request', 'user_action'],
    ['accepted for good', 'permanent', 'wamid.request', 'user_action'],
    ['given in the profile', 'permanent', undefined, 'user_action'],
    ['rejected', 'no_permission', 'wamid.request', 'user_action'],
    ['given after a call of the user', 'temporary', 'wacid.call', 'automatic'],
    ['taken away', 'no_permission', undefined, 'automatic'],
  ] as const;
  it.each(cases)('%s', async (_, status, contextId, source) => {
    at.sandbox.exchange.attach(line({ userId: USER_ID }), 'no_permission');
    at.sandbox.exchange.decidePermission(USER, status, contextId, source);
    await expect.poll(replies, SOON).toHaveLength(1);
    const [message] = replies();
    expect(message).toMatchObject({ from: USER, from_user_id: USER_ID, type: 'interactive' });
    expect(message?.['context']).toEqual(contextId && { from: BUSINESS, id: contextId });
    const { call_permission_reply: reply } = message?.['interactive'] as { call_permission_reply: object };
    expect(reply).toEqual({
      response: status === 'no_permission' ? 'reject' : 'accept',
      is_permanent: status === 'permanent',
      response_source: source,
      ...(status === 'temporary' && { expiration_timestamp: expect.stringMatching(/^\d{10}$/) as string }),
    });
    expect(await look(`user_wa_id=${USER}`)).toMatchObject({ permission: { status } });
  });

  it('a user’s call gives a permission when the number has callbacks on, once', async () => {
    const phone = line();
    at.sandbox.exchange.attach(phone, 'no_permission');
    const callAndHangUp = () => {
      const call = at.sandbox.exchange.userCalls(phone, 'v=0\r\n');
      at.sandbox.exchange.end(call, { by: 'user', status: 'COMPLETED', rejected: false, timedOut: false });
      return call.id;
    };
    callAndHangUp();
    await at.post(`${NUMBER_ID}/settings`, { calling: { callback_permission_status: 'ENABLED' } });
    const id = callAndHangUp();
    callAndHangUp();
    const ended = (): number => at.webhook.names.filter((name) => name === 'terminate').length;
    await expect.poll(ended, SOON).toBe(3);
    await expect.poll(replies, SOON).toHaveLength(1);
    expect(replies()[0]).toMatchObject({
      context: { id },
      interactive: { call_permission_reply: { response: 'accept', response_source: 'automatic' } },
    });
  });

  it('four calls in a row that nobody picks up: taken away, and the fifth gets 138006', async () => {
    at.sandbox.exchange.attach(line());
    for (let calls = 0; calls < 4; calls++) {
      const reply = await connect();
      const [{ id }] = reply.body['calls'] as [{ id: string }];
      await at.call('terminate', { call_id: id });
    }
    await expect.poll(replies, SOON).toHaveLength(1);
    expect(replies()[0]).toMatchObject({
      interactive: { call_permission_reply: { response: 'reject', response_source: 'automatic' } },
    });
    expect(replies()[0]).not.toHaveProperty('context');
    expect(errorOf(await connect()).code).toBe(138006);
  });

  it('one that is picked up starts the row anew, and lets the user be asked again', async () => {
    at.sandbox.exchange.attach(line());
    for (let calls = 0; calls < 8; calls++) {
      const reply = await connect();
      const [{ id }] = reply.body['calls'] as [{ id: string }];
      if (calls === 3) at.sandbox.exchange.userAccepts(at.sandbox.exchange.calls.find(id));
      await at.call('terminate', { call_id: id });
      if (calls === 6) expect(at.sandbox.exchange.permissionOf(USER).status(Date.now())).toBe('permanent');
    }
    expect(at.sandbox.exchange.permissionOf(USER).status(Date.now())).toBe('no_permission');
  });
});
