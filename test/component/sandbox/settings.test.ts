import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { businessSdp, NUMBER_ID, startFixture, USER, type Fixture } from './fixture.js';

/* Calling settings as Meta's reference names them, one by one: written, read back, and what they do. */

let at: Fixture;
beforeEach(async () => {
  at = await startFixture();
});
afterEach(() => at.stop());

const path = `${NUMBER_ID}/settings`;
const write = async (calling: unknown) => at.post(path, { calling });
const read = async () => (await at.get(path)).body['calling'] as Record<string, unknown>;

/** To a user who is not on WhatsApp: nobody is rung. */
const connect = async () => {
  const session = { sdp_type: 'offer', sdp: businessSdp('actpass') };
  return (await at.call('connect', { to: USER, session })).body;
};

describe('calling settings', () => {
  it.each(['DISABLE_ALL', 'DEFAULT'])(
    'call_icon_visibility is DEFAULT or DISABLE_ALL, and read back: %s',
    async (icon) => {
      expect(await write({ call_icon_visibility: icon })).toMatchObject({ status: 200, body: { success: true } });
      expect(await read()).toMatchObject({ call_icon_visibility: icon });
      expect((await write({ call_icon_visibility: 'HIDDEN' })).status).toBe(400);
      expect(await read()).toMatchObject({ call_icon_visibility: icon });
    },
  );

  it('calling.status switches calling off and on again', async () => {
    await write({ status: 'DISABLED' });
    expect(await read()).toMatchObject({ status: 'DISABLED' });
    expect(await connect()).toMatchObject({ error: { code: 138000 } });
    await write({ status: 'ENABLED' });
    expect(await read()).toMatchObject({ status: 'ENABLED' });
    expect(await connect()).toMatchObject({ error: { code: 138001 } });
  });

  it('holiday_schedule takes 20 overrides and no more', async () => {
    const holidays = (days: number) => ({
      status: 'ENABLED',
      timezone_id: 'America/Manaus',
      weekly_operating_hours: [{ day_of_week: 'MONDAY', open_time: '0400', close_time: '1020' }],
      holiday_schedule: Array.from({ length: days }, (_, day) => ({
        date: `2999-01-${String(day + 1).padStart(2, '0')}`,
        start_time: '0000',
        end_time: '2359',
      })),
    });
    expect((await write({ call_hours: holidays(20) })).status).toBe(200);
    expect((await write({ call_hours: holidays(21) })).status).toBe(400);
    expect((await read())['call_hours']).toEqual(holidays(20));
  });

  it('a date that no calendar has is none, and a day cannot be closed all of it', async () => {
    const hours = (date: string, end: string) => ({
      status: 'ENABLED',
      timezone_id: 'America/Manaus',
      weekly_operating_hours: [{ day_of_week: 'MONDAY', open_time: '0400', close_time: '1020' }],
      holiday_schedule: [{ date, start_time: '0000', end_time: end }],
    });
    expect((await write({ call_hours: hours('2999-02-28', '0001') })).status).toBe(200);
    expect(await write({ call_hours: hours('2999-02-30', '0001') })).toMatchObject({
      ...{ status: 400, body: { error: { code: 100 } } },
    });
    expect((await write({ call_hours: hours('2999-02-28', '0000') })).status).toBe(400);
    expect((await read())['call_hours']).toEqual(hours('2999-02-28', '0001'));
  });

  it('of voicemail and SIP what is left out stays; restrictions are read, and written by nobody', async () => {
    const audio = { default: { timeout_seconds: 10 } };
    await write({ voicemail: { status: 'ENABLED', triggers: ['TIMEOUT'], audio } });
    await write({ voicemail: { triggers: ['REJECT', 'TIMEOUT'] }, sip: { servers: [{ hostname: 'a.example.com' }] } });
    await write({ sip: { webhook_delivery: 'ENABLED' } });
    const restrictions = [{ type: 'RESTRICTED_USER_INITIATED_CALLING' }];
    at.sandbox.exchange.settings.restrictions = restrictions;
    expect(await read()).toMatchObject({
      voicemail: { status: 'ENABLED', triggers: ['REJECT', 'TIMEOUT'], audio },
      sip: { webhook_delivery: 'ENABLED', servers: [{ hostname: 'a.example.com', port: 5061 }] },
      restrictions: { restrictions_list: restrictions },
    });
    expect((await write({ restrictions: { restrictions_list: [] } })).status).toBe(400);
    expect((await write({ voicemail: { triggers: [] } })).status).toBe(400);
  });

  it('request_uri_user_params are kept as they are, keys and values of at most 128 characters', async () => {
    const sip = (params: Record<string, string>) => ({
      sip: {
        status: 'DISABLED',
        servers: [{ hostname: 'sip.example.com', port: 5061, request_uri_user_params: params }],
      },
    });
    const params = { KEY1: 'VALUE1', KEY2: 'VALUE2', ['k'.repeat(128)]: 'v'.repeat(128) };
    expect((await write(sip(params))).status).toBe(200);
    expect((await write(sip({ ['k'.repeat(129)]: 'v' }))).status).toBe(400);
    expect(await read()).toMatchObject(sip(params));
  });
});
