import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSandbox, type Sandbox } from '../../../src/sandbox/sandbox.js';
import { BUSINESS, NUMBER_ID, SECRET, TOKEN } from './fixture.js';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox({
    ...{ appSecret: SECRET, accessToken: TOKEN, numberId: NUMBER_ID, businessNumber: BUSINESS },
    webhookUrl: 'http://127.0.0.1:1/webhook',
  });
});
afterEach(() => sandbox.stop());

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

async function get(path: string, token = TOKEN): Promise<Answer> {
  const response = await fetch(`${sandbox.graphUrl}/v23.0/${path}`, { headers: { authorization: `Bearer ${token}` } });
  return { status: response.status, json: await response.json() };
}

const { appId, wabaId } = { appId: '670843887433847', wabaId: '102290129340398' };

describe('what the sandbox tells of token, app and account', () => {
  it('debug_token: its permissions, or that it is not valid', async () => {
    expect((await get(`debug_token?input_token=${TOKEN}`)).json).toMatchObject({
      data: {
        app_id: appId,
        is_valid: true,
        expires_at: 0,
        scopes: expect.arrayContaining(['whatsapp_business_messaging']) as unknown,
      },
    });
    expect((await get('debug_token?input_token=other')).json).toMatchObject({ data: { is_valid: false, scopes: [] } });
    expect((await get('debug_token')).status).toBe(400);
    expect((await get(`debug_token?input_token=${TOKEN}`, 'other')).status).toBe(401);
  });

  it('a number: the fields that are asked for, and no others', async () => {
    expect((await get(`${NUMBER_ID}?fields=id`)).json).toEqual({ id: NUMBER_ID });
    expect((await get(`${NUMBER_ID}?fields=display_phone_number`)).json).toEqual({
      ...{ id: NUMBER_ID, display_phone_number: '+1 202-555-0142' },
    });
    sandbox.account.setHealth({ entity_type: 'APP', can_send_message: 'LIMITED' });
    const { json } = await get(`${NUMBER_ID}?fields=health_status`);
    expect(json).toMatchObject({ health_status: { can_send_message: 'LIMITED' } });
    expect(await get(`${NUMBER_ID}?fields=nothing`)).toMatchObject({ status: 400, json: { error: { code: 100 } } });
  });

  it('subscriptions: to the account’s owner, and to the app itself alone', async () => {
    expect((await get(`${wabaId}/subscribed_apps`)).json).toEqual({
      data: [{ whatsapp_business_api_data: { id: appId, name: 'Sandbox' } }],
    });
    expect((await get('1/subscribed_apps')).status).toBe(400);
    expect((await get(`${appId}/subscriptions`, `${appId}|${SECRET}`)).json).toMatchObject({
      data: [{ object: 'whatsapp_business_account', callback_url: 'http://127.0.0.1:1/webhook', active: true }],
    });
    expect((await get(`${appId}/subscriptions`)).status).toBe(401);
    expect((await get(`1/subscriptions`, `${appId}|${SECRET}`)).status).toBe(400);
    expect((await get(`${NUMBER_ID}?fields=id`, `${appId}|${SECRET}`)).status).toBe(401);
  });
});
