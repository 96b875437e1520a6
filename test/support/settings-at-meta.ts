import { signatureOf } from '../../src/sandbox/webhook-sender.js';

/** A stand-in for Meta with one number, and the daemon that it tells. */
export interface SettingsAtMeta {
  readonly graphUrl: string;
  readonly numberId: string;
  readonly accessToken: string;
  readonly appSecret: string;
  readonly webhookPort: number;
}

/** Somebody else changes the number at Meta, which tells every app. @throws Error when either is refused */
export async function changeAtMeta(at: SettingsAtMeta, calling: object): Promise<void> {
  const json = { 'content-type': 'application/json' };
  const headers = { ...json, authorization: `Bearer ${at.accessToken}` };
  await post(`${at.graphUrl}/v23.0/${at.numberId}/settings`, headers, JSON.stringify({ calling }));
  const value = {
    type: 'phone_number_settings',
    timestamp: String(Math.floor(Date.now() / 1000)),
    phone_number_settings: { phone_number_id: at.numberId, calling },
  };
  const changes = [{ field: 'account_settings_update', value }];
  const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: '1', changes }] });
  const signed = { ...json, 'x-hub-signature-256': signatureOf(at.appSecret, body) };
  await post(`http://127.0.0.1:${at.webhookPort}/webhook`, signed, body);
}

async function post(url: string, headers: Record<string, string>, body: string): Promise<void> {
  const { status } = await fetch(url, { method: 'POST', headers, body });
  if (status !== 200) throw new Error(`${url} answers ${status}`);
}
