import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/lib/clock.js';
import type { DesiredCalling } from '../../../../src/routing/calling-settings.js';
import { startSandbox, type Sandbox } from '../../../../src/sandbox/sandbox.js';
import { GraphClient } from '../../../../src/whatsapp/graph-client.js';
import { GraphError } from '../../../../src/whatsapp/graph-error.js';
import { SettingsClient } from '../../../../src/whatsapp/settings/settings-client.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

const numberId = '106540352242922';
const today = '2026-11-22';

let sandbox: Sandbox;
let logger: RecordingLogger;
let client: SettingsClient;
beforeEach(async () => {
  const meta = { appSecret: 'app-secret', accessToken: 'token', numberId, businessNumber: '+15551112222' };
  sandbox = await startSandbox(meta);
  logger = new RecordingLogger();
  const fixed = { baseUrl: sandbox.graphUrl, version: 'v23.0', timeoutMs: 1000, clock: systemClock, logger };
  client = new SettingsClient(new GraphClient({ ...fixed, token: () => 'token', backoffMs: 1 }));
});
afterEach(() => sandbox.stop());

const posts = (): unknown[] => sandbox.graph.received('settings').map(({ body }) => body);

const desired: DesiredCalling = {
  status: 'ENABLED',
  callback_permission_status: 'ENABLED',
  call_hours: {
    status: 'ENABLED',
    timezone_id: 'America/Manaus',
    weekly_operating_hours: [{ day_of_week: 'MONDAY', open_time: '0400', close_time: '1020' }],
    holiday_schedule: [{ date: '2127-01-01', start_time: '0000', end_time: '2359' }],
  },
};

describe('settings at Meta', () => {
  it('are brought to what the file wants by the least that does it, and found so', async () => {
    const { status: _, ...differing } = desired;
    const outcome = await client.apply(numberId, desired, today);
    expect(outcome.remaining).toEqual([]);
    expect(outcome.changes.map(({ path }) => path)).toEqual([
      'call_hours.status',
      'call_hours.timezone_id',
      'call_hours.weekly_operating_hours',
      'call_hours.holiday_schedule',
      'callback_permission_status',
    ]);
    expect(posts()).toEqual([{ calling: differing }]);
    expect(await client.pull(numberId)).toMatchObject(differing);
  });

  it('a second time nothing is sent', async () => {
    await client.apply(numberId, desired, today);
    expect(await client.apply(numberId, desired, today)).toEqual({ changes: [], writes: [], remaining: [] });
    expect(posts()).toHaveLength(1);
  });

  it('nothing is sent for a file that says nothing', async () => {
    expect((await client.apply(numberId, {}, today)).writes).toEqual([]);
    expect(posts()).toEqual([]);
  });

  it('half done, the next apply finishes', async () => {
    const servers = [{ hostname: 'pbx.example.com', port: 5061 }];
    const wanted: DesiredCalling = { sip: { status: 'ENABLED', servers }, srtp_key_exchange_protocol: 'SDES' };
    await client.apply(numberId, { sip: { status: 'ENABLED', servers } }, today);
    sandbox.graph.failNext('settings', { status: 500, code: 131000 });
    await expect(client.apply(numberId, wanted, today)).rejects.toThrow(GraphError);
    expect((await client.apply(numberId, wanted, today)).remaining).toEqual([]);
    expect(await client.pull(numberId)).toMatchObject({ srtp_key_exchange_protocol: 'SDES' });
    expect(posts().at(-1)).toEqual({ calling: { srtp_key_exchange_protocol: 'SDES' } });
  });

  it('that Meta confirms and does not keep are told', async () => {
    const stubborn = new SettingsClient({
      request: ({ method, answer }) =>
        Promise.resolve(answer.parse(method === 'GET' ? { calling: {} } : { success: true })),
    });
    const { remaining } = await stubborn.apply(numberId, { status: 'ENABLED' }, today);
    expect(remaining).toEqual([{ path: 'status', from: 'DISABLED', to: 'ENABLED' }]);
  });

  it('a refusal says what Meta says', async () => {
    sandbox.graph.failNext('settings', { status: 400, code: 138015, details: 'messaging limit too low' });
    await expect(client.apply(numberId, { status: 'DISABLED' }, today)).rejects.toMatchObject({ metaCode: 138015 });
  });

  it('shows the SIP password only when asked for it', async () => {
    const servers = [{ hostname: 'pbx.example.com', port: 5061 }];
    await client.apply(numberId, { sip: { status: 'DISABLED', servers } }, today);
    expect(JSON.stringify(await client.pull(numberId))).not.toContain('sip_user_password');
    expect(JSON.stringify(await client.pull(numberId, true))).toContain('sip_user_password');
    expect(logger.text()).not.toContain('sip_user_password');
  });

  it('of another product, or none at all, are no fault', async () => {
    const bare = new SettingsClient({
      request: ({ answer }) => Promise.resolve(answer.parse({ user_identity_change: {} })),
    });
    expect(await bare.pull(numberId)).toEqual({});
  });
});
