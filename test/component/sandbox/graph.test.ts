import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signatureOf } from '../../../src/sandbox/webhook-sender.js';
import type { WaCall } from '../../../src/sandbox/graph/call-book.js';
import type { PhoneLine } from '../../../src/sandbox/graph/exchange.js';
import { BUSINESS, NUMBER_ID, SECRET, startFixture, TOKEN, USER, businessSdp, type Fixture } from './fixture.js';

let at: Fixture;
beforeEach(async () => {
  at = await startFixture();
});
afterEach(() => at.stop());

const SOON = { timeout: 5000 };
const offer = { sdp_type: 'offer', sdp: businessSdp('actpass') };
const answer = { sdp_type: 'answer', sdp: businessSdp('active') };

/** A phone without media: Meta's answer is canned. */
function line(waId = USER): PhoneLine & { told: string[] } {
  const told: string[] = [];
  return {
    waId,
    profileName: 'Jérôme 🙂',
    told,
    offered: () => Promise.resolve('v=0\r\n'),
    mediaAnswered: () => Promise.resolve(void told.push('media')),
    accepted: () => Promise.resolve(void told.push('accepted')),
    ended: () => void told.push('ended'),
  };
}

function userCalls(): { call: WaCall; phone: ReturnType<typeof line> } {
  const phone = line();
  at.sandbox.exchange.attach(phone);
  return { phone, call: at.sandbox.exchange.userCalls(phone, 'v=0\r\n') };
}

const errorOf = (reply: { body: Record<string, unknown> }) =>
  reply.body['error'] as { code: number; error_subcode?: number; message: string; error_data: { details: string } };

describe('access', () => {
  it('a wrong token: 401, code 190, in the form of Meta', async () => {
    const reply = await at.post(`${NUMBER_ID}/calls`, {}, 'wrong');
    expect(reply.status).toBe(401);
    expect(reply.body).toEqual({
      error: {
        message: expect.stringContaining('OAuth') as string,
        type: 'OAuthException',
        code: 190,
        error_data: { messaging_product: 'whatsapp', details: expect.any(String) as string },
        fbtrace_id: expect.stringMatching(/\S{8,}/) as string,
      },
    });
  });
  it('no token: 190', async () => {
    const response = await fetch(`${at.sandbox.graphUrl}/v23.0/${NUMBER_ID}/settings`);
    expect(response.status).toBe(401);
  });
  it('the number itself, as who looks whether the token is good asks for it', async () => {
    const read = (numberId: string): Promise<Response> =>
      fetch(`${at.sandbox.graphUrl}/v23.0/${numberId}?fields=id`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      });
    const reply = await read(NUMBER_ID);
    expect([reply.status, await reply.json()]).toEqual([200, { id: NUMBER_ID }]);
    expect((await read('999')).status).toBe(400);
  });
  it.each(['999/calls', '+12025550142/calls'])('another number %s: 100, subcode 33', async (path) => {
    const reply = await at.post(path, { messaging_product: 'whatsapp', action: 'terminate' });
    expect([reply.status, errorOf(reply).code, errorOf(reply).error_subcode]).toEqual([400, 100, 33]);
  });
  it('a body that is no JSON: 100', async () => {
    const reply = await at.post(`${NUMBER_ID}/calls`, '{');
    expect([reply.status, errorOf(reply).code]).toEqual([400, 100]);
  });
});

describe('connect is refused', () => {
  beforeEach(() => at.sandbox.exchange.attach(line()));
  const connect = (fields: Record<string, unknown>) => at.call('connect', { to: USER, session: offer, ...fields });
  const sdp = (edit: (sdp: string) => string) => ({ session: { ...offer, sdp: businessSdp('actpass', edit) } });

  it.each<[string, number, number, Record<string, unknown>, RegExp]>([
    ['no such action', 400, 100, { action: 'ring' }, /action must be/],
    ['no product', 400, 100, { messaging_product: 'sms' }, /messaging_product/],
    ['no receiver', 400, 100, { to: undefined }, /phone number/],
    ['a receiver that is no number', 400, 100, { to: 'bob' }, /phone number/],
    ['no session', 400, 100, { session: undefined }, /session\.sdp/],
    ['an answer for an offer', 400, 100, { session: { ...offer, sdp_type: 'answer' } }, /must be offer/],
    ['opaque data too long', 400, 100, { biz_opaque_callback_data: 'x'.repeat(513) }, /512/],
    ['a user who is not on WhatsApp', 400, 138001, { to: '12025550199' }, /not on WhatsApp/],
    ['no fingerprint', 400, 100, sdp((s) => s.replace(/a=fingerprint.*\r\n/, '')), /no fingerprint found/],
    ['LF line ends', 400, 100, sdp((s) => s.replaceAll('\r', '')), /CRLF/],
    ['no opus', 400, 100, sdp((s) => s.replace('opus/48000/2', 'opus/16000/2')), /opus/],
    ['recvonly', 400, 100, sdp((s) => s.replace('a=sendrecv', 'a=recvonly')), /sendrecv/],
    ['passive', 400, 100, sdp((s) => s.replace('setup:actpass', 'setup:passive')), /setup/],
    ['ICE-lite', 400, 100, sdp((s) => s.replace('a=group', 'a=ice-lite\r\na=group')), /full ICE/],
    ['two sources', 400, 100, sdp((s) => `${s}a=ssrc:99 cname:y\r\n`), /SSRC/],
    ['30 ms packets', 400, 100, sdp((s) => s.replace('ptime:20', 'ptime:30')), /ptime/],
    ['no rtcp-mux', 400, 100, sdp((s) => s.replace('a=rtcp-mux\r\n', '')), /rtcp-mux/],
    ['no ICE credentials', 400, 100, sdp((s) => s.replace(/a=ice-pwd.*\r\n/, '')), /ice-pwd/],
    ['two m-lines', 400, 100, sdp((s) => `${s}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n`), /exactly one/],
  ])('%s: HTTP %i, code %i', async (_, status, code, fields, details) => {
    const reply = await connect(fields);
    expect([reply.status, errorOf(reply).code]).toEqual([status, code]);
    expect(errorOf(reply).error_data.details).toMatch(details);
    expect(at.webhook.received).toEqual([]);
  });

  it.each([
    ['sha-1', (s: string) => s.replace('sha-256', 'sha-1')],
    ['sha-384 besides', (s: string) => s.replace('a=setup', 'a=fingerprint:sha-384 AA:BB\r\na=setup')],
  ])('fingerprint %s: subcode 2494010', async (_, edit) => {
    const reply = await connect(sdp(edit));
    expect([errorOf(reply).code, errorOf(reply).error_subcode]).toEqual([100, 2494010]);
  });
  it('calling switched off: 401, 138000', async () => {
    await at.post(`${NUMBER_ID}/settings`, { calling: { status: 'DISABLED' } });
    const reply = await connect({});
    expect([reply.status, errorOf(reply).code]).toEqual([401, 138000]);
  });
  it('a number in SIP mode: 131055', async () => {
    const sip = { status: 'ENABLED', servers: [{ hostname: 'sip.example.com' }] };
    expect((await at.post(`${NUMBER_ID}/settings`, { calling: { sip } })).body).toEqual({ success: true });
    expect(errorOf(await connect({})).code).toBe(131055);
  });
  it('no permission: 401, 138006', async () => {
    at.sandbox.exchange.permissionOf(USER).decide('no_permission', Date.now());
    const reply = await connect({});
    expect([reply.status, errorOf(reply).code]).toEqual([401, 138006]);
  });
  it('a second call with the same user: 138003', async () => {
    expect((await connect({})).status).toBe(200);
    expect(errorOf(await connect({})).code).toBe(138003);
  });
});

describe('business-initiated call', () => {
  it('reply, connect, RINGING, ACCEPTED, terminate with times: signed, opaque data given back', async () => {
    at.sandbox.exchange.attach(line());
    const reply = await at.call('connect', { to: `+${USER}`, session: offer, biz_opaque_callback_data: 'my call' });
    expect(reply).toMatchObject({
      status: 200,
      body: { messaging_product: 'whatsapp', calls: [{ id: expect.stringMatching(/^wacid\./) as string }] },
    });
    const { id } = (reply.body['calls'] as { id: string }[])[0]!;
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'RINGING']);
    const [, connect] = at.webhook.events[0]!;
    expect(connect).toMatchObject({
      id,
      from: BUSINESS,
      to: USER,
      direction: 'BUSINESS_INITIATED',
      session: { sdp_type: 'answer', sdp: 'v=0\r\n' },
      biz_opaque_callback_data: 'my call',
      timestamp: expect.stringMatching(/^\d{10}$/) as string,
    });
    at.sandbox.exchange.userAccepts(at.sandbox.exchange.calls.find(id));
    expect((await at.call('terminate', { call_id: id })).body).toMatchObject({ success: true });
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'RINGING', 'ACCEPTED', 'terminate']);
    expect(at.webhook.events[2]![1]).toMatchObject({ id, type: 'call', recipient_id: USER });
    expect(at.webhook.events[3]![1]).toMatchObject({
      status: 'COMPLETED',
      start_time: expect.stringMatching(/^\d+$/) as string,
      duration: expect.any(Number) as number,
    });
    for (const { raw, signature } of at.webhook.received) expect(signature).toBe(signatureOf(SECRET, raw));
    expect(at.webhook.received[0]!.raw).toContain('Jérôme 🙂');
  });
  it('declined: REJECTED, then terminate without times', async () => {
    at.sandbox.exchange.attach(line());
    const reply = await at.call('connect', { to: USER, session: offer });
    const { id } = (reply.body['calls'] as { id: string }[])[0]!;
    at.sandbox.exchange.userRejects(at.sandbox.exchange.calls.find(id));
    await expect.poll(() => at.webhook.names, SOON).toContain('terminate');
    expect(at.webhook.names.indexOf('REJECTED')).toBe(at.webhook.names.indexOf('terminate') - 1);
    expect(at.webhook.events.at(-1)![1]).not.toHaveProperty('duration');
  });
  it.each(['pre_accept', 'accept', 'reject'])('%s is not for calls of the business', async (action) => {
    at.sandbox.exchange.attach(line());
    const reply = await at.call('connect', { to: USER, session: offer });
    const { id } = (reply.body['calls'] as { id: string }[])[0]!;
    const refused = await at.call(action, { call_id: id, session: answer });
    expect(errorOf(refused).error_data.details).toMatch(/user-initiated/);
  });
  it('an SDP that the media stack refuses ends the call with a FAILED terminate and 138008', async () => {
    at.sandbox.exchange.attach({ ...line(), offered: () => Promise.reject(new Error('no')) });
    expect((await at.call('connect', { to: USER, session: offer })).status).toBe(200);
    await expect.poll(() => at.webhook.names, SOON).toEqual(['terminate']);
    expect(at.webhook.events[0]![1]).toMatchObject({ status: 'FAILED' });
    expect(at.webhook.received[0]!.raw).toContain('"code":138008');
  });
});

describe('user-initiated call', () => {
  it('pre_accept, accept with the same SDP, terminate', async () => {
    const { call, phone } = userCalls();
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect']);
    expect(at.webhook.events[0]![1]).toMatchObject({ from: USER, to: BUSINESS, direction: 'USER_INITIATED' });
    expect((await at.call('pre_accept', { call_id: call.id, session: answer })).status).toBe(200);
    expect(phone.told).toEqual(['media']);
    const fields = { call_id: call.id, session: answer, biz_opaque_callback_data: 'back' };
    expect((await at.call('accept', fields)).body).toEqual({ messaging_product: 'whatsapp', success: true });
    expect(phone.told).toEqual(['media', 'accepted']);
    expect((await at.call('terminate', { call_id: call.id })).status).toBe(200);
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'terminate']);
    expect(at.webhook.events[1]![1]).toMatchObject({ biz_opaque_callback_data: 'back', status: 'COMPLETED' });
  });
  it('accept with another SDP than pre_accept: 100', async () => {
    const { call } = userCalls();
    await at.call('pre_accept', { call_id: call.id, session: answer });
    const other = { ...answer, sdp: businessSdp('active', (sdp) => sdp.replace('abcd', 'efgh')) };
    const reply = await at.call('accept', { call_id: call.id, session: other });
    expect([reply.status, errorOf(reply).code]).toEqual([400, 100]);
    expect(errorOf(reply).error_data.details).toMatch(/repeat the SDP/);
    expect(call.state).toBe('pre_accepted');
  });
  it.each(['offer', undefined])('sdp_type %s in accept: 100', async (sdp_type) => {
    const { call } = userCalls();
    const reply = await at.call('accept', { call_id: call.id, session: { ...answer, sdp_type } });
    expect(errorOf(reply).error_data.details).toMatch(/must be answer/);
  });
  it('reject while nothing was accepted; not after pre_accept', async () => {
    const first = userCalls();
    expect((await at.call('reject', { call_id: first.call.id })).status).toBe(200);
    expect(first.phone.told).toEqual(['ended']);
    const second = userCalls();
    await at.call('pre_accept', { call_id: second.call.id, session: answer });
    expect((await at.call('reject', { call_id: second.call.id })).status).toBe(400);
    expect((await at.call('pre_accept', { call_id: second.call.id, session: answer })).status).toBe(400);
    expect((await at.call('terminate', { call_id: second.call.id })).status).toBe(200);
  });
  it.each(['accept', 'pre_accept', 'reject', 'terminate'])(
    '%s on an ended call, and on no call: 100',
    async (action) => {
      const { call } = userCalls();
      at.sandbox.exchange.end(call, { by: 'user', status: 'COMPLETED', rejected: false, timedOut: false });
      for (const call_id of [call.id, 'wacid.nothing', undefined]) {
        const reply = await at.call(action, { call_id, session: answer });
        expect([reply.status, errorOf(reply).code]).toEqual([400, 100]);
      }
    },
  );
  it('nobody answers in time: terminate; a late accept gets 138007', async () => {
    await at.stop();
    at = await startFixture({ answerWindowMs: 30 });
    const { call } = userCalls();
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'terminate']);
    const reply = await at.call('accept', { call_id: call.id, session: answer });
    expect([reply.status, errorOf(reply).code]).toEqual([500, 138007]);
  });
});

describe('settings', () => {
  const write = (calling: unknown) => at.post(`${NUMBER_ID}/settings`, { calling });
  const read = async (query = '') =>
    (await at.get(`${NUMBER_ID}/settings${query}`)).body['calling'] as Record<string, unknown>;
  const hours = {
    status: 'ENABLED',
    timezone_id: 'America/Manaus',
    weekly_operating_hours: [{ day_of_week: 'MONDAY', open_time: '0400', close_time: '1020' }],
  };
  const holiday_schedule = [{ date: '2999-01-01', start_time: '0000', end_time: '2359' }];

  it('are merged at the top level; call_hours is replaced whole, an omitted holiday schedule is gone', async () => {
    expect((await write({ call_hours: { ...hours, holiday_schedule } })).body).toEqual({ success: true });
    await write({ callback_permission_status: 'ENABLED' });
    expect(await read()).toMatchObject({
      status: 'ENABLED',
      callback_permission_status: 'ENABLED',
      call_hours: { holiday_schedule },
    });
    await write({ call_hours: hours });
    expect(await read()).toMatchObject({ callback_permission_status: 'ENABLED', call_hours: hours });
    expect((await read())['call_hours']).not.toHaveProperty('holiday_schedule');
  });
  it('show SIP passwords only when asked, keep servers when SIP is switched off', async () => {
    await write({ sip: { status: 'ENABLED', servers: [{ hostname: 'sip.example.com' }] } });
    expect(await read()).toMatchObject({ sip: { servers: [{ hostname: 'sip.example.com', port: 5061 }] } });
    expect(JSON.stringify(await read())).not.toContain('sip_user_password');
    const shown = JSON.stringify(await read('?include_sip_credentials=true'));
    expect(shown).toMatch(/"sip_user_password":"[^"]{8,}"/);
    await write({ sip: { status: 'DISABLED' } });
    expect(await read()).toMatchObject({ sip: { status: 'DISABLED', servers: [{ hostname: 'sip.example.com' }] } });
    await write({ sip: { servers: [] } });
    await write({ sip: { status: 'ENABLED', servers: [{ hostname: 'sip.example.com' }] } });
    expect(JSON.stringify(await read('?include_sip_credentials=true'))).not.toBe(shown);
  });
  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /calling is required/],
    ['an unknown key', { icon: 1 }, /not a known setting/],
    ['a wrong status', { status: 'ON' }, /calling\.status/],
    ['SIP without a server', { sip: { status: 'ENABLED' } }, /at least one server/],
    ['two SIP servers', { sip: { servers: [{ hostname: 'a' }, { hostname: 'b' }] } }, /at most one/],
    ['a codec that does not exist', { audio: { additional_codecs: ['G729'] } }, /additional_codecs/],
    ['hours without a zone', { call_hours: { ...hours, timezone_id: 'Mars/Base' } }, /timezone/],
    ['an empty week', { call_hours: { ...hours, weekly_operating_hours: [] } }, /cannot be empty/],
    [
      'a day that closes before it opens',
      {
        call_hours: {
          ...hours,
          weekly_operating_hours: [{ day_of_week: 'MONDAY', open_time: '1000', close_time: '0900' }],
        },
      },
      /before/,
    ],
    [
      'overlapping hours',
      {
        call_hours: {
          ...hours,
          weekly_operating_hours: [
            ...hours.weekly_operating_hours,
            { day_of_week: 'MONDAY', open_time: '1000', close_time: '1200' },
          ],
        },
      },
      /overlap/,
    ],
    [
      'three entries a day',
      {
        call_hours: {
          ...hours,
          weekly_operating_hours: ['01', '03', '05'].map((h) => ({
            day_of_week: 'MONDAY',
            open_time: `${h}00`,
            close_time: `${h}30`,
          })),
        },
      },
      /more than 2/,
    ],
    [
      'a holiday in the past',
      { call_hours: { ...hours, holiday_schedule: [{ date: '2020-01-01', start_time: '0000', end_time: '2359' }] } },
      /past date/,
    ],
    [
      'a holiday that is no date',
      { call_hours: { ...hours, holiday_schedule: [{ date: '1 May', start_time: '0000', end_time: '2359' }] } },
      /invalid/,
    ],
  ])('%s: 100, and nothing is changed', async (_, calling, details) => {
    const before = await read();
    const reply = await write(calling);
    expect([reply.status, errorOf(reply).code]).toEqual([400, 100]);
    expect(errorOf(reply).error_data.details).toMatch(details);
    expect(await read()).toEqual(before);
  });
});

describe('permissions and messages', () => {
  const request = {
    type: 'interactive',
    interactive: { type: 'call_permission_request', action: { name: 'call_permission_request' } },
  };
  const ask = () => at.post(`${NUMBER_ID}/messages`, { messaging_product: 'whatsapp', to: USER, ...request });
  const look = async () => (await at.get(`${NUMBER_ID}/call_permissions?user_wa_id=%2B${USER}`)).body;

  it('none, asked for once a day, granted by webhook, usable', async () => {
    at.sandbox.exchange.attach(line(), 'no_permission');
    expect(await look()).toMatchObject({
      permission: { status: 'no_permission' },
      actions: [{ can_perform_action: true }, { can_perform_action: false }],
    });
    const sent = await ask();
    expect(sent.body).toMatchObject({ messages: [{ id: expect.stringMatching(/^wamid\./) as string }] });
    expect(errorOf(await ask()).code).toBe(138009);
    expect(await look()).toMatchObject({
      actions: [
        {
          can_perform_action: false,
          limits: [{ current_usage: 1, limit_expiration_time: expect.any(Number) as number }, { current_usage: 1 }],
        },
        {},
      ],
    });
    at.sandbox.exchange.decidePermission(USER, 'temporary', 'wamid.request');
    await expect.poll(() => at.webhook.names, SOON).toEqual(['message']);
    expect(at.webhook.events[0]![1]).toMatchObject({
      from: USER,
      context: { id: 'wamid.request' },
      interactive: {
        call_permission_reply: {
          response: 'accept',
          is_permanent: false,
          expiration_timestamp: expect.stringMatching(/^\d{10}$/) as string,
        },
      },
    });
    expect(await look()).toMatchObject({
      permission: { status: 'temporary', expiration_time: expect.any(Number) as number },
    });
    expect((await at.call('connect', { to: USER, session: offer })).status).toBe(200);
  });
  it('asking a user who granted it for good: 138017', async () => {
    at.sandbox.exchange.attach(line(), 'permanent');
    expect(errorOf(await ask()).code).toBe(138017);
  });
  it('text goes out; what is neither text nor request is refused', async () => {
    const send = (fields: object) =>
      at.post(`${NUMBER_ID}/messages`, { messaging_product: 'whatsapp', to: USER, ...fields });
    expect((await send({ type: 'text', text: { body: 'hi' } })).status).toBe(200);
    expect((await send({ type: 'text' })).status).toBe(400);
    expect((await send({ type: 'image' })).status).toBe(400);
    expect((await send({ type: 'interactive', interactive: { ...request.interactive, header: {} } })).status).toBe(400);
  });
});

describe('scripts for tests', () => {
  it('failNext fails the next request of its kind, before it does anything, then no more', async () => {
    at.sandbox.exchange.attach(line());
    at.sandbox.graph.failNext('connect', {
      status: 429,
      code: 138005,
      details: 'slow down',
      headers: { 'retry-after': '7' },
    });
    const reply = await at.call('connect', { to: USER, session: offer });
    expect([reply.status, errorOf(reply).code, errorOf(reply).error_data.details]).toEqual([429, 138005, 'slow down']);
    expect(at.sandbox.exchange.calls.all()).toEqual([]);
    expect((await at.call('connect', { to: USER, session: offer })).status).toBe(200);
    expect(at.sandbox.graph.received('connect').map(({ status }) => status)).toEqual([429, 200]);
  });
  it('holdReplyMs lets webhooks outrun the reply', async () => {
    at.sandbox.exchange.attach(line());
    at.sandbox.graph.failNext('connect', { status: 200, holdReplyMs: 60_000 });
    let replied = false;
    const reply = at
      .call('connect', { to: USER, session: offer })
      .finally(() => (replied = true))
      .catch(() => undefined);
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'RINGING']);
    expect(replied).toBe(false);
    await at.sandbox.stop();
    await reply;
  });
  it('webhooks can be doubled, delayed past others, and wrongly signed', async () => {
    at.sandbox.webhooks.disturb(({ name }) =>
      name === 'connect' ? { delayMs: 50 } : name === 'RINGING' ? { copies: 2, signature: 'sha256=00' } : undefined,
    );
    at.sandbox.exchange.attach(line());
    await at.call('connect', { to: USER, session: offer });
    await expect.poll(() => at.webhook.names, SOON).toEqual(['RINGING', 'RINGING', 'connect']);
    expect(at.webhook.received[0]!.signature).toBe('sha256=00');
  });
  it('a webhook not answered with 200 comes again, twice at most', async () => {
    at.webhook.answers = [500, 503, 500];
    const { call } = userCalls();
    at.sandbox.exchange.end(call, { by: 'user', status: 'COMPLETED', rejected: false, timedOut: false });
    await expect.poll(() => at.webhook.names, SOON).toEqual(['connect', 'connect', 'connect', 'terminate']);
    const tried = () => at.sandbox.webhooks.deliveries.map(({ attempt, status }) => [attempt, status]);
    await expect.poll(tried, SOON).toEqual([
      [1, 500],
      [2, 503],
      [3, 500],
      [1, 200],
    ]);
  });
  it('the verify token is asked for as Meta does, and only loopback is ever sent to', async () => {
    expect(await at.sandbox.webhooks.verify('any')).toBe(true);
    expect(() => at.sandbox.setWebhook('https://example.com/webhook')).toThrow(RangeError);
  });
  it('a user calls a number that does not take calls: no webhook', async () => {
    await at.post(`${NUMBER_ID}/settings`, { calling: { status: 'DISABLED' } });
    expect(() => userCalls()).toThrow(/138000/);
    expect(at.webhook.received).toEqual([]);
  });
});
