import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { startDaemon, type Daemon } from '../../src/daemon.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { AdminAsker } from '../support/admin-asker.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { changeAtMeta } from '../support/settings-at-meta.js';
import { until } from '../support/until.js';

const NUMBER_ID = '105615555715855';
const APP_SECRET = 'app-secret-of-the-test';
const meta = { appSecret: APP_SECRET, accessToken: 'token', numberId: NUMBER_ID, businessNumber: '+15551112222' };

let sandbox: Sandbox;
let daemon: Daemon | undefined;
let logger: RecordingLogger;
/** The configuration file. */
let text: string;
beforeEach(async () => {
  logger = new RecordingLogger();
  sandbox = await startSandbox(meta);
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await sandbox.stop();
});

async function start(push: 'apply' | 'report' | 'off'): Promise<Daemon> {
  text = `
graph: { base_url: "${sandbox.graphUrl}", access_token: token, app_secret: ${APP_SECRET} }
webhook: { listen: "127.0.0.1:0", verify_token: verify }
admin: { listen: "127.0.0.1:0" }
sip: { listen: ["udp://127.0.0.1:0"] }
media: { listen_ip: 127.0.0.1 }
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1, port: 9 }], qualify: 0s }]
numbers:
  - id: "${NUMBER_ID}"
    number: "+15551112222"
    name: sales
    trunk: pbx
    settings: { calling: { callback_permission_status: ENABLED } }
settings: { push: ${push} }
journal: { dir: /nowhere }
`;
  const load = () => loadConfig({ file: 'test.yaml', env: {}, readFile: () => ({ text, mode: 0o600 }) });
  const loaded = load();
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
  const config = { ...loaded.config, journal: { dir: '' } };
  daemon = await startDaemon({ config, logger, load, cdr: { write: () => undefined, close: () => Promise.resolve() } });
  return daemon;
}

const posts = (): unknown[] => sandbox.graph.received('settings').map(({ body }) => body);

async function drift(): Promise<string | undefined> {
  const { port } = daemon!.addresses.admin;
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return /^sip2wa_settings_drift\{number="sales"\} (\d+)$/m.exec(text)?.[1];
}

/** Somebody else changes the number at Meta. */
const changed = (calling: object): Promise<void> =>
  changeAtMeta({ ...meta, graphUrl: sandbox.graphUrl, webhookPort: daemon!.addresses.webhook.port }, calling);

describe('settings of a number', () => {
  it('are pushed at the start; what somebody changes at Meta later is told and left', async () => {
    const { addresses } = await start('apply');
    await until(async () => (await drift()) === '0', 'in step', 10_000);
    expect(posts()).toEqual([{ calling: { callback_permission_status: 'ENABLED' } }]);
    await changed({ callback_permission_status: 'DISABLED' });
    await until(async () => (await drift()) === '1', 'drift seen', 10_000);
    expect(posts()).toHaveLength(2);
    const ready = await (await fetch(`http://127.0.0.1:${addresses.admin.port}/readyz?verbose`)).text();
    expect(ready).toContain('settings sales');
    expect(ready).toContain('differs: callback_permission_status');
    expect(logger.lines.map(({ message }) => message)).toContain('settings at Meta differ from the file');
  });

  it('report: nothing is written', async () => {
    await start('report');
    await until(async () => (await drift()) === '1', 'difference seen', 10_000);
    expect(posts()).toEqual([]);
  });

  it('off: Meta is not even asked', async () => {
    await start('off');
    await changed({ callback_permission_status: 'DISABLED' });
    expect(await drift()).toBeUndefined();
    expect(sandbox.graph.received('settings.read')).toEqual([]);
  });

  it('are pushed again with a reload, and the admin API shows how they stand', async () => {
    const { addresses } = await start('apply');
    const reload = () => daemon?.reload();
    const stand = async () => (await new AdminAsker(addresses.admin.port).numbers())[0]?.settings;
    await until(async () => (await stand())?.state === 'in step', 'the first push');
    const before = posts().length;
    text = text.replace('callback_permission_status: ENABLED', 'callback_permission_status: DISABLED');
    expect(reload()).toMatchObject({ result: 'ok', changed: ['numbers'], restart: ['journal.dir'] });
    await until(() => posts().length === before + 1, 'the second push');
    expect(posts().at(-1)).toMatchObject({ calling: { callback_permission_status: 'DISABLED' } });
    await until(async () => (await stand())?.state === 'in step', 'the settings as in the file');
    text = text
      .replace('callback_permission_status: DISABLED', 'callback_permission_status: ENABLED')
      .replace('push: apply', 'push: report');
    expect(reload()).toMatchObject({ result: 'ok', changed: ['numbers', 'settings.push'] });
    await until(async () => (await stand())?.state === 'differs', 'the drift');
    expect((await stand())?.differing).toEqual([
      { path: 'callback_permission_status', from: 'DISABLED', to: 'ENABLED' },
    ]);
    expect(posts()).toHaveLength(before + 1);
  });
});
