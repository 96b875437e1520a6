import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../support/ports.js';
import { NUMBER_ID } from '../cli-scene.js';
import { DoctorScene, type SceneFile } from './doctor-scene.js';

let scene: DoctorScene;
beforeEach(async () => {
  scene = await DoctorScene.start();
});
afterEach(() => scene.close());

const inDashboard = 'App dashboard, WhatsApp, Configuration';

interface Case {
  readonly file?: SceneFile;
  readonly before?: (scene: DoctorScene) => void;
  readonly state: string;
  readonly detail: string;
  readonly cure: string | null;
}

const sipOn = { sip: { status: 'ENABLED', servers: [{ hostname: 'pbx.example.com' }] } };

const cases: readonly (readonly [check: string, what: string, it: Case])[] = [
  [
    'access token',
    'a permission is missing',
    {
      before: ({ sandbox }) => (sandbox.account.scopes = ['whatsapp_business_messaging']),
      ...{ state: 'failed', detail: 'it lacks whatsapp_business_management' },
      cure: 'make a new token with it in Business settings, System users',
    },
  ],
  [
    'access token',
    'it ends soon',
    {
      before: ({ sandbox }) => (sandbox.account.tokenExpiresS = Date.now() / 1000 + 2.5 * 86_400),
      ...{ state: 'warning', detail: 'valid, both WhatsApp permissions, expires in 2 days, app Sandbox' },
      cure: 'use a token of a system user, which does not expire',
    },
  ],
  [
    'access token',
    'Meta refuses it',
    {
      before: ({ sandbox }) =>
        sandbox.graph.failNext('token.read', { status: 401, code: 190, title: 'Session has expired' }),
      ...{ state: 'failed', detail: 'the token cannot be looked at: (#190) Session has expired' },
      cure: 'make a token of a system user with both WhatsApp permissions and put it into graph.access_token',
    },
  ],
  [
    'access token',
    'it may not look at itself',
    {
      before: ({ sandbox }) =>
        sandbox.graph.failNext('token.read', { status: 400, code: 100, title: 'You must be a developer of the app' }),
      ...{
        state: 'skipped',
        detail: 'the token cannot be looked at: (#100) You must be a developer of the app',
        cure: null,
      },
    },
  ],
  [
    'number sales',
    'it is another one',
    {
      file: { number: '+12025550199' },
      ...{ state: 'failed', detail: `${NUMBER_ID} is +12025550142 at Meta, +12025550199 in the file` },
      cure: 'put the id that belongs to the number there: WhatsApp Manager, Phone numbers',
    },
  ],
  [
    'health sales',
    'the account is blocked',
    {
      before: ({ sandbox }) =>
        sandbox.account.setHealth({
          ...{ entity_type: 'WABA', can_send_message: 'BLOCKED' },
          errors: [
            {
              error_code: 141006,
              error_description: 'There is an error with the payment method.',
              possible_solution: 'Add a payment method.',
            },
          ],
        }),
      ...{
        state: 'failed',
        detail: 'WABA BLOCKED (#141006 There is an error with the payment method.)',
        cure: 'Add a payment method.',
      },
    },
  ],
  [
    'health sales',
    'the number is limited',
    {
      before: ({ sandbox }) => sandbox.account.setHealth({ entity_type: 'PHONE_NUMBER', can_send_message: 'LIMITED' }),
      ...{ state: 'warning', detail: 'PHONE_NUMBER LIMITED', cure: 'look at the account in WhatsApp Manager' },
    },
  ],
  [
    'calling sales',
    'it is off',
    {
      before: ({ sandbox }) => sandbox.exchange.settings.write({ calling: { status: 'DISABLED' } }, '2026-01-01'),
      ...{ state: 'failed', detail: 'calling is not ENABLED at Meta' },
      cure: 'write settings.calling.status: ENABLED for it and run sip2wa settings apply sales',
    },
  ],
  [
    'calling sales',
    'Meta restricts the number',
    {
      before: ({ sandbox }) =>
        (sandbox.exchange.settings.restrictions = [
          { type: 'RESTRICTED_USER_INITIATED_CALLING', reason: 'LOW_PICKUP_RATE', expiration: 1_800_000_000 },
          { type: 'RESTRICTED_BUSINESS_INITIATED_CALLING' },
        ]),
      ...{ state: 'failed', cure: 'see the reason in WhatsApp Manager; it ends by itself' },
      detail:
        'ENABLED, but Meta holds RESTRICTED_USER_INITIATED_CALLING (LOW_PICKUP_RATE) until 2027-01-15T08:00Z, RESTRICTED_BUSINESS_INITIATED_CALLING',
    },
  ],
  [
    'calling sales',
    'it is off, and restricted',
    {
      before: ({ sandbox }) => {
        sandbox.exchange.settings.write({ calling: { status: 'DISABLED' } }, '2026-01-01');
        sandbox.exchange.settings.restrictions = [{ type: 'RESTRICTED_USER_INITIATED_CALLING' }];
      },
      ...{
        state: 'failed',
        detail: 'calling is not ENABLED at Meta, and Meta holds RESTRICTED_USER_INITIATED_CALLING',
      },
      cure: 'write settings.calling.status: ENABLED for it and run sip2wa settings apply sales',
    },
  ],
  [
    'callback sales',
    'the number has one of its own',
    {
      before: ({ sandbox }) => (sandbox.account.overrides.number = 'https://old.example.com/hook'),
      state: 'skipped',
      detail:
        "no sip2wa runs here; https://old.example.com/hook is set for the number in place of the app's callback URL",
      cure: null,
    },
  ],
  [
    'callback sales',
    'nobody has one',
    {
      before: ({ sandbox }) => (sandbox.account.callbackUrl = undefined),
      ...{ state: 'skipped', detail: 'Meta tells none of it', cure: null },
    },
  ],
  [
    'callback sales',
    'Meta does not tell',
    {
      before: ({ sandbox }) =>
        ['display_phone_number', 'health_status', 'webhook_configuration'].forEach(() =>
          sandbox.graph.failNext('number.read', { status: 400, code: 100, title: 'No such field' }),
        ),
      ...{ state: 'skipped', detail: 'Meta does not tell it: (#100) No such field', cure: null },
    },
  ],
  [
    'calling sales',
    'the token may not read settings',
    {
      before: ({ sandbox }) =>
        sandbox.graph.failNext('settings.read', { status: 403, code: 10, title: 'Permission denied' }),
      ...{ state: 'failed', detail: 'settings: (#10) Permission denied' },
      cure: 'compare the id with WhatsApp Manager, and give the system user of the token the WhatsApp account',
    },
  ],
  [
    'signaling sales',
    'SIP is on at Meta',
    {
      before: ({ sandbox }) => sandbox.exchange.settings.write({ calling: sipOn }, '2026-01-01'),
      ...{ state: 'failed', detail: 'SIP is ENABLED at Meta, signaling is graph here: calls go elsewhere' },
      cure: 'write settings.calling.sip.status: DISABLED for it and run sip2wa settings apply sales',
    },
  ],
  [
    'settings sales',
    'Meta holds otherwise',
    {
      file: { settings: 'status: DISABLED, callback_permission_status: ENABLED' },
      ...{ state: 'warning', detail: 'Meta holds otherwise: status, callback_permission_status' },
      cure: 'sip2wa settings plan sales, then apply',
    },
  ],
  [
    'app secret',
    'it is another app’s',
    {
      file: { secret: 'canary-verify' },
      state: 'failed',
      detail: 'Meta does not take graph.app_secret as that of app 670843887433847: webhooks will be refused',
      cure: 'copy it from the App dashboard, Settings, Basic',
    },
  ],
  [
    'app secret',
    'one of two is the app’s',
    {
      file: { secret: '[canary-verify, canary-secret]' },
      ...{ state: 'ok', detail: 'graph.app_secret is that of app 670843887433847', cure: null },
    },
  ],
  [
    'app webhooks',
    'there is no callback URL',
    {
      before: ({ sandbox }) => (sandbox.account.callbackUrl = undefined),
      ...{ state: 'failed', detail: 'the app has no callback URL for WhatsApp', cure: `set it: ${inDashboard}` },
    },
  ],
  [
    'app webhooks',
    'calls are left out',
    {
      before: ({ sandbox }) => (sandbox.account.fields = ['messages']),
      ...{ state: 'failed', detail: 'the app is not subscribed to calls (it is to: messages)' },
      cure: `subscribe to the field calls: ${inDashboard}`,
    },
  ],
  [
    'app webhooks',
    'messages are left out',
    {
      before: ({ sandbox }) => (sandbox.account.fields = ['account_settings_update', 'calls']),
      ...{ state: 'warning', detail: 'subscribed to calls, not to messages' },
      cure: `subscribe to it as well, for answers to permission requests and changes of settings: ${inDashboard}`,
    },
  ],
  [
    'app webhooks',
    'Meta does not tell',
    {
      before: ({ sandbox }) =>
        sandbox.graph.failNext('subscriptions', { status: 400, code: 100, title: 'Not for you' }),
      ...{ state: 'skipped', detail: 'Meta does not tell it: (#100) Not for you', cure: null },
    },
  ],
  [
    'account webhooks sales',
    'the app is not subscribed to the account',
    {
      before: ({ sandbox }) => (sandbox.account.subscribedApps = ['1']),
      ...{ state: 'failed', detail: 'WhatsApp account 102290129340398 does not tell app 670843887433847' },
      cure: 'POST /102290129340398/subscribed_apps with its token',
    },
  ],
  [
    'admin access',
    'it is exposed with a token',
    {
      file: { admin: '0.0.0.0:0' },
      ...{ state: 'ok', detail: '0.0.0.0: with admin.token', cure: null },
    },
  ],
  [
    'admin access',
    'it is exposed with a token that can be guessed',
    {
      file: { admin: '0.0.0.0:0', adminToken: 'canary-drachtio' },
      ...{ state: 'warning', detail: '0.0.0.0 can be reached from outside, and admin.token is short' },
      cure: 'openssl rand -hex 24 makes a better one',
    },
  ],
];

describe('sip2wa doctor', () => {
  it.each(cases)('%s: %s', async (check, _what, { file, before, ...wanted }) => {
    scene.write(file);
    before?.(scene);
    expect(await scene.check(check)).toEqual({ name: check, ...wanted });
  });

  it.each([
    [4_000, 'ok', '3.0 s from Meta’s', null],
    [-8_000, 'warning', '8 s behind Meta’s', 'run a time service (chrony, systemd-timesyncd)'],
    [90_000, 'failed', '89 s ahead of Meta’s', 'run a time service (chrony, systemd-timesyncd)'],
  ])('clock: %i ms ahead', async (aheadMs, state, detail, cure) => {
    scene.write();
    const theirs = new Date(Date.now() - aheadMs).toUTCString();
    for (const action of [
      'token.read',
      'number.read',
      'number.read',
      'number.read',
      'settings.read',
      'subscriptions',
      'subscribed_apps',
    ] as const)
      scene.sandbox.graph.failNext(action, { status: 200, headers: { date: theirs } });
    const found = await scene.check('clock');
    expect([found.state, found.cure]).toEqual([state, cure]);
    const seconds = (text: string): number => Number(/^[\d.]+/.exec(text)?.[0]);
    expect(Math.abs(seconds(found.detail) - seconds(detail))).toBeLessThanOrEqual(1);
    expect(found.detail.replace(/^[\d.]+/, '')).toBe(detail.replace(/^[\d.]+/, ''));
  });

  it('Meta that cannot be reached is one failure; the rest says why it is skipped', async () => {
    scene.write({ graph: `http://127.0.0.1:${await freePort()}` });
    const all = await scene.checks();
    expect(all.get('access token')).toMatchObject({
      ...{
        state: 'failed',
        detail: 'the token cannot be looked at: look at the token did not get through: ECONNREFUSED',
      },
      cure: 'let this machine reach graph.base_url by HTTPS: DNS, firewall, proxy',
    });
    const names = ['clock', 'number sales', 'health sales', 'calling sales', 'signaling sales', 'app webhooks'];
    expect(names.map((name) => all.get(name)?.state)).toEqual(names.map(() => 'skipped'));
    expect(all.get('number sales')?.detail).toBe('Meta does not answer');
  });

  it('a refused token is one failure as well', async () => {
    scene.write();
    scene.sandbox.account.isTokenValid = false;
    const denied = { status: 401, code: 190, title: 'Invalid OAuth access token' };
    for (const action of ['number.read', 'number.read', 'number.read', 'settings.read', 'subscribed_apps'] as const)
      scene.sandbox.graph.failNext(action, denied);
    const all = await scene.checks();
    const failures = [...all.values()].filter(({ state }) => state === 'failed').map(({ name }) => name);
    expect(failures).toEqual(['access token']);
    expect(all.get('number sales')).toMatchObject({ state: 'skipped', detail: 'Meta refuses the access token' });
  });
});
