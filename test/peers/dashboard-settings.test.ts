import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { signatureOf } from '../../src/sandbox/webhook-sender.js';
import { DaemonProcess } from '../crash/daemon-process.js';
import { launchChromium } from '../support/peers/chromium.js';
import { freePort, rtpPorts, webrtcPorts } from '../support/ports.js';

const number = { numberId: '105615555715855', businessNumber: '+15551112222' };
const secrets = { appSecret: 'app-secret-of-the-test', accessToken: 'token-of-the-test' };

let sandbox: Sandbox;
let folder: string;
beforeEach(async () => {
  sandbox = await startSandbox({ ...number, ...secrets });
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-dashboard-'));
});
afterEach(async () => {
  await sandbox.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Somebody else changes the number at Meta, which tells every app. */
async function changeAtMeta(calling: object, webhookPort: number): Promise<void> {
  const reply = await fetch(`${sandbox.graphUrl}/v23.0/${number.numberId}/settings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secrets.accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ calling }),
  });
  expect(reply.status).toBe(200);
  const value = {
    type: 'phone_number_settings',
    timestamp: String(Math.floor(Date.now() / 1000)),
    phone_number_settings: { phone_number_id: number.numberId, calling },
  };
  const changes = [{ field: 'account_settings_update', value }];
  const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: '1', changes }] });
  const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signatureOf(secrets.appSecret, body) };
  const told = await fetch(`http://127.0.0.1:${webhookPort}/webhook`, { method: 'POST', headers, body });
  expect(told.status).toBe(200);
}

async function startDaemon(): Promise<{ daemon: DaemonProcess; adminPort: number; webhookPort: number }> {
  const [adminPort, webhookPort, sipPort] = [await freePort(), await freePort(), await freePort()];
  const week = 'MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY'.split(' ');
  const weekly_operating_hours = week.map((day_of_week) => ({ day_of_week, open_time: '0000', close_time: '2359' }));
  const hours = { status: 'ENABLED', timezone_id: 'UTC', weekly_operating_hours };
  const config = {
    graph: { base_url: sandbox.graphUrl, access_token: secrets.accessToken, app_secret: secrets.appSecret },
    webhook: { listen: `127.0.0.1:${webhookPort}`, verify_token: 'verify' },
    admin: { listen: `127.0.0.1:${adminPort}` },
    sip: { listen: [`udp://127.0.0.1:${sipPort}`] },
    media: {
      ...{ listen_ip: '127.0.0.1', workers: 1 },
      ...{ rtp_ports: rtpPorts.join('-'), webrtc_ports: webrtcPorts.join('-') },
    },
    trunks: [{ name: 'pbx', servers: [{ hostname: '127.0.0.1', port: 9 }], qualify: '0s' }],
    numbers: [
      {
        ...{ id: number.numberId, number: number.businessNumber, name: 'sales', trunk: 'pbx' },
        settings: { calling: { callback_permission_status: 'ENABLED', call_hours: hours } },
      },
    ],
    settings: { push: 'apply' },
    journal: { dir: join(folder, 'journal') },
    cdr: { file: join(folder, 'cdr.jsonl') },
  };
  const file = join(folder, 'sip2wa.yaml');
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  const daemon = new DaemonProcess(file, join(folder, 'log'), adminPort);
  daemon.start();
  await daemon.ready();
  return { daemon, adminPort, webhookPort };
}

it('the dashboard shows a number open and in step, and drifted once somebody changes it at Meta', async () => {
  const { daemon, adminPort, webhookPort } = await startDaemon();
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${adminPort}/`);
    const row = page.locator('#numbers tbody tr').first();
    await expect.poll(() => row.innerText(), { timeout: 15_000 }).toMatch(/sales[^]*in step[^]*open/);
    await changeAtMeta({ callback_permission_status: 'DISABLED' }, webhookPort);
    await expect.poll(() => row.innerText(), { timeout: 15_000 }).toContain('drifted: callback_permission_status');
  } finally {
    await browser.close();
    await daemon.stop();
  }
});
