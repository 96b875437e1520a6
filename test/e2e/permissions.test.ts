import { afterEach, describe, expect, it } from 'vitest';
import type { PublishedEvent } from '../../src/observability/event-bus.js';
import { metaError, type Reply, type SeenRequest } from '../support/graph-double.js';
import { permissionJson } from '../support/permission-fakes.js';
import { BUSINESS, NUMBER_ID, ScriptedBridge, USER } from '../support/scripted-bridge.js';
import type { PeerMessage } from '../support/sip-script-peer.js';
import { until } from '../support/until.js';

const USER_ID = 'US.13491208655302741918';

describe('permission to call users', () => {
  let bridge: ScriptedBridge;
  /** What Meta answers to a look-up and to a request. */
  let permission: Reply;
  let message: Reply;
  afterEach(() => bridge.stop());

  const says = (json: object): Reply => ({ status: 200, json });
  const start = async (policy: 'none' | 'check' | 'ask', more = ''): Promise<void> => {
    permission = says(permissionJson('no_permission', { ask: true, start: false }));
    message = says({ messaging_product: 'whatsapp', messages: [{ id: 'wamid.request' }] });
    bridge = await ScriptedBridge.start({ trunk: `permission: ${policy}`, more });
    bridge.graph.always = ({ path }) => {
      if (path.includes('/call_permissions?')) return permission;
      return path.endsWith('/messages') ? message : undefined;
    };
  };

  const seen = (part: string): SeenRequest[] => bridge.graph.seen.filter(({ path }) => path.includes(part));
  const lookUps = (): string[] => seen('/call_permissions?').map(({ path }) => path);
  const requests = (): Record<string, unknown>[] => seen('/messages').map(({ body }) => body);
  const connects = (): number => bridge.actions.filter((action) => action === 'connect').length;

  const invite = (user = `+${USER}`): PeerMessage => bridge.pbxCalls({ user });
  const isRefused = async (status: number, reason: RegExp, user?: string): Promise<PeerMessage> => {
    const refusal = await bridge.refusalOf(invite(user));
    expect([refusal.status, refusal.get('Reason')]).toEqual([status, expect.stringMatching(reason)]);
    return refusal;
  };
  /** Calls, and waits until Meta is asked to. */
  const isPlaced = async (user?: string): Promise<PeerMessage> => {
    const before = connects();
    const request = invite(user);
    await until(() => connects() === before + 1, 'connect');
    return request;
  };
  const idOfCall = (): string => `wacid.double-${connects()}`;
  const declined = async (request: PeerMessage): Promise<void> => {
    await bridge.deliver(bridge.status(idOfCall(), 'REJECTED'));
    expect((await bridge.refusalOf(request)).status).toBe(486);
    await bridge.deliver(bridge.terminate(idOfCall(), 'BUSINESS_INITIATED'));
    await until(() => bridge.daemon.calls() === 0, 'the end of the call');
  };

  let replies = 0;
  const reply = (fields: object, more: object = {}): Promise<number> => {
    const interactive = { type: 'call_permission_reply', call_permission_reply: fields };
    const messages = [
      { from: USER, id: `wamid.reply-${++replies}`, timestamp: bridge.now, type: 'interactive', interactive, ...more },
    ];
    const metadata = { display_phone_number: BUSINESS, phone_number_id: NUMBER_ID };
    const contacts = [{ profile: { name: 'Anna' }, wa_id: USER, user_id: USER_ID }];
    const value = { messaging_product: 'whatsapp', metadata, contacts, messages };
    return bridge.deliver({
      object: 'whatsapp_business_account',
      entry: [{ id: '1', changes: [{ value, field: 'messages' }] }],
    });
  };
  const accepted = { response: 'accept', is_permanent: true, response_source: 'user_action' };

  it('ask: 480 when the user was asked; the answer by webhook, and the next call goes through', async () => {
    await start('ask', 'permissions: { request_text: "May we call?" }');
    await isRefused(480, /permission requested from the user/);
    expect(lookUps()).toEqual([`/v23.0/${NUMBER_ID}/call_permissions?user_wa_id=${USER}`]);
    expect(requests()).toMatchObject([
      { to: USER, type: 'interactive', interactive: { body: { text: 'May we call?' } } },
    ]);
    expect(await bridge.record(0)).toMatchObject({ code: 'permission_requested', sipStatus: 480, endedBy: 'bridge' });
    await isRefused(403, /permission was asked already, no answer yet/);
    expect(requests()).toHaveLength(1);
    expect(await reply(accepted, { context: { id: 'wamid.request' } })).toBe(200);
    await isPlaced();
    expect(lookUps()).toHaveLength(1);
  });

  it('ask: by template, to a user known by id only', async () => {
    await start('ask', 'permissions: { request_template: call_me, request_language: pt_BR }');
    await isRefused(480, /permission requested/, USER_ID);
    expect(lookUps()).toEqual([`/v23.0/${NUMBER_ID}/call_permissions?recipient=${USER_ID}`]);
    const template = { name: 'call_me', language: { code: 'pt_BR' } };
    expect(requests()).toMatchObject([{ recipient: USER_ID, type: 'template', template }]);
    await reply(accepted);
    await isPlaced(USER_ID);
    expect(bridge.graph.seen.at(-1)?.body).toMatchObject({ action: 'connect', recipient: USER_ID });
  });

  it('ask: 403 with Retry-After when Meta allows no request', async () => {
    await start('ask');
    const end = Math.floor(Date.now() / 1000) + 1800;
    const limit = { time_period: 'PT24H', max_allowed: '1', current_usage: '1', limit_expiration_time: String(end) };
    permission = says(permissionJson('no_permission', { ask: false, askLimits: [limit] }));
    const refusal = await isRefused(403, /cannot be asked for now/);
    expect(Number(refusal.get('Retry-After'))).toBeGreaterThan(1700);
    expect(Number(refusal.get('Retry-After'))).toBeLessThanOrEqual(1800);
    const { text } = await bridge.daemon.metrics.read();
    expect(text).toContain('permission_checks_total{what="lookup",result="no_permission",number="sales"} 1\n');
    expect(text).toContain('permission_checks_total{what="refusal",result="no_permission",number="sales"} 1\n');
    expect(requests()).toEqual([]);
  });

  it('ask: a request that Meta refuses is no 480, and its code is in the Warning', async () => {
    await start('ask');
    message = metaError(400, 138009, '(#138009) Limit hit', 'asked too often');
    const refusal = await isRefused(403, /asked too often/);
    expect(refusal.get('Warning')).toContain('138009');
    expect(await bridge.record()).toMatchObject({ code: 'no_permission', metaCode: 138009 });
  });

  it('check: refused without permission, placed with it; a revocation counts at once', async () => {
    await start('check');
    await isRefused(403, /not given permission/);
    expect([connects(), requests()]).toEqual([0, []]);
    await reply(accepted);
    await declined(await isPlaced());
    await reply({ response: 'reject', response_source: 'automatic' });
    await isRefused(403, /taken the permission back/);
    expect(lookUps()).toHaveLength(1);
  });

  it('check: Meta’s limit of calls gives 403 and Retry-After', async () => {
    await start('check');
    const end = Math.floor(Date.now() / 1000) + 600;
    const limit = { time_period: 'PT24H', max_allowed: 100, current_usage: 100, limit_expiration_time: end };
    permission = says(permissionJson('permanent', { start: false, startLimits: [limit] }));
    const refusal = await isRefused(403, /limit of 100 in 24 hours/);
    expect(Number(refusal.get('Retry-After'))).toBeGreaterThan(500);
    expect(connects()).toBe(0);
  });

  it.each([
    ['too many look-ups', metaError(429, 613, 'slow down')],
    ['a fault of Meta’s', metaError(500, 131000, 'broken')],
    ['an answer of another form', { status: 200, json: { data: [] } }],
  ])('check: %s keeps nobody from calling', async (_, answer) => {
    await start('check');
    permission = answer;
    await isPlaced();
  });

  it('138006 in spite of all: refused in Meta’s words, and what was believed is forgotten', async () => {
    await start('check');
    permission = says(permissionJson('permanent', { start: true }));
    const answers = bridge.graph.always;
    bridge.graph.always = (request) =>
      request.body['action'] === 'connect' ? metaError(401, 138006, 'No permission', 'gone') : answers?.(request);
    await isRefused(403, /gone/);
    permission = says(permissionJson('no_permission'));
    await isRefused(403, /not given permission/);
    expect([lookUps().length, connects()]).toEqual([2, 1]);
  });

  it('a caller who gives up during the look-up: no request, no call', async () => {
    await start('ask');
    let answer = (): void => undefined;
    permission = (response) => {
      answer = () => response.end(JSON.stringify(permissionJson('no_permission', { ask: true })));
    };
    const request = invite();
    await until(() => lookUps().length === 1, 'look-up');
    bridge.pbxCancels(request);
    expect((await bridge.refusalOf(request)).status).toBe(487);
    expect(await bridge.record()).toMatchObject({ code: 'cancelled', endedBy: 'a' });
    answer();
    permission = says(permissionJson('permanent', { start: true }));
    // The answer to the look-up was read: it is believed, and another user's call goes its way behind it.
    await isPlaced('+14085550000');
    expect([requests(), connects()]).toEqual([[], 1]);
  });

  it('none: no look-up, and after four calls in a row that nobody took no fifth, until the user says yes', async () => {
    await start('none');
    for (let call = 0; call < 4; call++) await declined(await isPlaced());
    await isRefused(403, /4 calls in a row/);
    expect([lookUps(), connects()]).toEqual([[], 4]);
    await reply(accepted);
    await isPlaced();
  });

  it('a reply is shown whole to whoever watches, and counted', async () => {
    await start('none');
    const events: PublishedEvent[] = [];
    const subscription = bridge.daemon.events.subscribe();
    const reading = (async () => {
      for await (const event of subscription) events.push(event);
    })();
    const expires = Math.floor(Date.now() / 1000) + 7 * 24 * 3600;
    const fields = {
      response: 'accept',
      is_permanent: false,
      expiration_timestamp: String(expires),
      response_source: 'automatic',
    };
    const context = { from: BUSINESS, id: 'wacid.call' };
    const whole = { id: 'wamid.whole', timestamp: '1744738679', context, from_parent_user_id: 'US.ENT.7' };
    await reply(fields, whole);
    await reply(fields, whole);
    await until(() => events.length > 0, 'the event');
    subscription.close();
    await reading;
    expect(events).toEqual([
      {
        ...{ type: 'permission', id: expect.any(Number) as number },
        data: {
          ...{
            number: 'sales',
            numberId: NUMBER_ID,
            userNumber: `+${USER}`,
            userId: USER_ID,
            parentUserId: 'US.ENT.7',
          },
          ...{ name: 'Anna', response: 'accept', permanent: false, expiresAt: new Date(expires * 1000).toISOString() },
          ...{ source: 'automatic', contextId: 'wacid.call', context: 'call', messageId: 'wamid.whole' },
          timestamp: '2025-04-15T17:37:59.000Z',
        },
      },
    ]);
    const { text } = await bridge.daemon.metrics.read();
    expect(text).toMatch(/permission_replies_total\{response="accept",source="automatic"\} 1/);
  });
});
