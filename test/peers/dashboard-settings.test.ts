import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { DaemonProcess } from '../crash/daemon-process.js';
import { ConfigFile } from '../support/config-file.js';
import { launchChromium } from '../support/peers/chromium.js';
import { freePort, rtpPorts, webrtcPorts } from '../support/ports.js';
import { changeAtMeta } from '../support/settings-at-meta.js';

const number = { numberId: '105615555715855', businessNumber: '+15551112222' };
const secrets = { appSecret: 'app-secret-of-the-test', accessToken: 'token-of-the-test' };

let sandbox: Sandbox;
let file: ConfigFile;
beforeEach(async () => {
  sandbox = await startSandbox({ ...number, ...secrets });
  file = new ConfigFile();
});
afterEach(async () => {
  await sandbox.stop();
  file.remove();
});

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
    journal: { dir: join(file.folder, 'journal') },
    cdr: { file: join(file.folder, 'cdr.jsonl') },
  };
  file.write(JSON.stringify(config));
  const daemon = new DaemonProcess(file.path, join(file.folder, 'log'), adminPort);
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
    const meta = { ...number, ...secrets, graphUrl: sandbox.graphUrl, webhookPort };
    await changeAtMeta(meta, { callback_permission_status: 'DISABLED' });
    await expect.poll(() => row.innerText(), { timeout: 15_000 }).toContain('drifted: callback_permission_status');
  } finally {
    await browser.close();
    await daemon.stop();
  }
});
