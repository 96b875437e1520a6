import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { permissionsGetCommand, permissionsRequestCommand } from '../../../src/cli/permissions.js';
import type { PhoneLine } from '../../../src/sandbox/graph/exchange.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { BUSINESS, CliScene, NUMBER_ID } from './cli-scene.js';

const USER = '12025550173';
const USER_ID = 'US.13491208655302741918';
const TOKEN = 'sandbox-token-of-the-test';
const DAY = 24 * 3600_000;

const phone: PhoneLine = {
  ...{ waId: USER, userId: USER_ID, profileName: 'Anna' },
  offered: () => Promise.resolve('v=0\r\n'),
  mediaAnswered: () => Promise.resolve(),
  accepted: () => Promise.resolve(),
  ended: () => undefined,
};

let scene: CliScene;
beforeEach(async () => {
  scene = await CliScene.start(TOKEN);
  scene.sandbox.exchange.attach(phone, 'no_permission');
  writeConfig();
});
afterEach(() => scene.stop());

const writeConfig = (more = '', graph = ''): void =>
  scene.write(`
graph: { base_url: "${scene.sandbox.graphUrl}", access_token: ${TOKEN}, app_secret: app-secret-of-the-test, timeout: 2s${graph} }
webhook: { listen: "127.0.0.1:0", verify_token: verify-of-the-test }
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }], accept_from: [127.0.0.1/32] }]
numbers: [{ id: "${NUMBER_ID}", number: "${BUSINESS}", name: sales, trunk: pbx }]
${more}`);

const cli = (...args: string[]): Promise<number> => scene.run('permissions', ...args);
const permission = () => scene.sandbox.exchange.permissionOf(USER);
const messages = () => scene.sandbox.graph.received('messages').map(({ body }) => body as Record<string, unknown>);
const jsonOut = (): Record<string, unknown> => JSON.parse(scene.out) as Record<string, unknown>;

describe('permissions get', () => {
  it.each([
    ['name', 'sales', `+${USER}`],
    ['id', NUMBER_ID, `00${USER}`],
    ['number', BUSINESS, USER_ID],
  ])('a table of what Meta says, number by its %s', async (_, number, user) => {
    expect([await cli('get', number, user), scene.err]).toEqual([0, '']);
    const [request] = scene.sandbox.graph.received('call_permissions');
    expect(request?.url).toMatch(user === USER_ID ? `recipient=${USER_ID}` : new RegExp(`user_wa_id=${USER}$`));
    expect(scene.out).toContain(`  Number      sales, ${BUSINESS}, id ${NUMBER_ID}\n`);
    expect(scene.out).toContain(`  User        ${user === USER_ID ? USER_ID : `+${USER}`}\n`);
    expect(scene.out).toContain('  Permission  no_permission\n');
    expect(scene.out).toMatch(/\n {2}Action +Allowed +Used +Period +FreeAt +FreeIn\n/);
    expect(scene.out).toMatch(/\n {2}ask for permission +yes +0 of 1 +24 hours\n {2} +0 of 2 +7 days\n/);
    expect(scene.out).toMatch(/\n {2}call +no +0 of 100 +24 hours\n/);
  });

  it('the end of a permission and of a limit, local and from now', async () => {
    const now = Date.now();
    permission().decide('temporary', now - DAY);
    permission().request(now);
    const said = new CapturedConsole();
    const clock = {
      now: () => now + 3600_000,
      monotonicMs: () => performance.now(),
      after: () => ({ cancel: () => undefined }),
    };
    expect(await permissionsGetCommand('sales', USER, { config: scene.config }, said, clock)).toBe(0);
    const stamp = '\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d \\S+';
    expect(said.out).toMatch(new RegExp(`\n {2}Expires +${stamp} \\(in 5 days 23 hours\\)\n`));
    expect(said.out).toMatch(
      new RegExp(`ask for permission +no +1 of 1 +24 hours +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +23 hours\n`),
    );
    expect(said.out).toMatch(/\n {2}call +yes/);
  });

  it('--json: one object with everything', async () => {
    permission().decide('temporary', Date.now());
    permission().request(Date.now());
    expect([await cli('get', 'sales', USER, '--json'), scene.err]).toEqual([0, '']);
    const isoTime = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
    expect(jsonOut()).toEqual({
      ok: true,
      number: { name: 'sales', id: NUMBER_ID, number: BUSINESS },
      user: { number: `+${USER}` },
      permission: { status: 'temporary', statusText: 'temporary', expiresAt: isoTime },
      actions: [
        {
          action: 'send_call_permission_request',
          can: false,
          limits: [
            { period: 'PT24H', max: 1, used: 1, endsAt: isoTime },
            { period: 'P7D', max: 2, used: 1 },
          ],
        },
        { action: 'start_call', can: true, limits: [{ period: 'PT24H', max: 100, used: 0 }] },
      ],
    });
  });

  it.each([
    ['a number nobody has', ['slaes', USER], /has no number slaes; did you mean sales\?/],
    ['a number far from all', ['reception', USER], /has no number reception; it has: sales/],
    ['a user that is none', ['sales', 'anna'], /anna is no user: write a number with country code/],
  ])('%s: 2, and nothing is asked', async (_, [number = '', user = ''], message) => {
    expect([await cli('get', number, user), scene.out]).toEqual([2, '']);
    expect(scene.err).toMatch(message);
    expect(scene.err).toMatch(/^sip2wa permissions get: /);
    expect(scene.sandbox.graph.requests).toEqual([]);
  });

  it('Meta’s refusal with code and details: 1', async () => {
    scene.sandbox.graph.failNext('call_permissions', {
      ...{
        status: 429,
        code: 613,
        title: 'Calls to this api have exceeded the rate limit',
        details: 'slow\u001b[31m down',
      },
    });
    expect([await cli('get', 'sales', USER), scene.out]).toEqual([1, '']);
    expect(scene.err).toBe(
      'sip2wa permissions get: (#613) Calls to this api have exceeded the rate limit: slow [31m down\n',
    );
  });

  it('the same by --json on standard output', async () => {
    scene.sandbox.graph.failNext('call_permissions', {
      status: 400,
      code: 100,
      title: 'Invalid parameter',
      details: 'what',
    });
    expect([await cli('get', 'sales', USER, '--json'), scene.err]).toEqual([1, '']);
    expect(jsonOut()).toMatchObject({
      ok: false,
      error: { fault: 'api', httpStatus: 400, metaCode: 100, details: 'what' },
    });
  });

  it('with the proof that we know the app secret, where the configuration asks for it', async () => {
    writeConfig('', ', appsecret_proof: true');
    expect([await cli('get', 'sales', USER), scene.err]).toEqual([0, '']);
    const proof = createHmac('sha256', 'app-secret-of-the-test').update(TOKEN).digest('hex');
    const [request] = scene.sandbox.graph.received('call_permissions');
    expect(request?.url).toMatch(new RegExp(`\\?user_wa_id=${USER}&appsecret_proof=${proof}$`));
  });

  it('a server that is not there: 1', async () => {
    await scene.sandbox.stop();
    expect([await cli('get', 'sales', USER), scene.out]).toEqual([1, '']);
    expect(scene.err).toMatch(/call_permissions did not get through: ECONNREFUSED\n$/);
  });

  it('a configuration with errors: 1, said as check says them', async () => {
    writeConfig('permissions: { max_age: soon }');
    expect([await cli('get', 'sales', USER), scene.out]).toEqual([1, '']);
    expect(scene.err).toMatch(/sip2wa\.yaml:\d+:\d+: permissions\.max_age: .*\n.*1 error/);
  });

  it('an argument missing: 2', async () => {
    expect(await cli('get', 'sales')).toBe(2);
    expect(scene.err).toContain("missing required argument 'user'");
  });
});

describe('permissions request', () => {
  it('sends the text of the configuration and says which message it was', async () => {
    expect([await cli('request', 'sales', `+${USER}`), scene.err]).toEqual([0, '']);
    expect(messages()).toEqual([
      {
        ...{ messaging_product: 'whatsapp', recipient_type: 'individual', to: USER, type: 'interactive' },
        interactive: {
          type: 'call_permission_request',
          action: { name: 'call_permission_request' },
          body: { text: 'We would like to call you on WhatsApp. May we?' },
        },
      },
    ]);
    expect(scene.out).toMatch(/\n {2}MessageId +wamid\.\S+\n\n {2}Permission was asked for/);
  });

  it('to a user id, by another text, as JSON', async () => {
    expect(await cli('request', 'sales', USER_ID, '--text', 'May we?', '--json')).toBe(0);
    expect(messages()).toMatchObject([{ recipient: USER_ID, interactive: { body: { text: 'May we?' } } }]);
    expect(messages()[0]).not.toHaveProperty('to');
    expect(jsonOut()).toMatchObject({
      ...{ ok: true, user: { userId: USER_ID }, message: { kind: 'text', text: 'May we?' } },
      messageId: expect.stringMatching(/^wamid\./) as string,
    });
  });

  it('by the template of the configuration, in another language', async () => {
    writeConfig('permissions: { request_template: call_permission }');
    expect(await cli('request', 'sales', USER, '--language', 'pt_BR')).toBe(0);
    const template = { name: 'call_permission', language: { code: 'pt_BR' } };
    expect(messages()).toMatchObject([{ to: USER, type: 'template', template }]);
  });

  it('a template that Meta does not know: its words, 1', async () => {
    expect(await cli('request', 'sales', USER, '--template', 'greeting')).toBe(1);
    expect(scene.err).toMatch(/\(#132001\) Template name does not exist: template greeting does not exist\n$/);
  });

  it('refuses when Meta says that it cannot be done, with the limit and its end, and sends nothing', async () => {
    permission().request(Date.now() - 3600_000);
    expect([await cli('request', 'sales', USER), scene.out]).toEqual([1, '']);
    expect(scene.err).toMatch(
      /^sip2wa permissions request: Meta allows no request now: limit of 1 in 24 hours, again .* \(in 2[23] hours.*\); --force asks all the same\n$/,
    );
    expect(messages()).toEqual([]);
  });

  it('the same as JSON', async () => {
    permission().request(Date.now());
    expect([await cli('request', 'sales', USER, '--json'), scene.err]).toEqual([1, '']);
    expect(jsonOut()).toMatchObject({
      ok: false,
      error: { message: expect.stringMatching(/^Meta allows no request now/) as string },
      actions: [{}, {}],
    });
  });

  it('--force asks without looking, and shows what Meta says to that', async () => {
    permission().request(Date.now());
    expect([await cli('request', 'sales', USER, '--force'), scene.out]).toEqual([1, '']);
    expect(scene.err).toMatch(/\(#138009\) Call permission request limit hit: Limit of permission requests/);
    expect(scene.sandbox.graph.received('call_permissions')).toEqual([]);
  });

  it('has nothing to ask for when the permission is there for good', async () => {
    permission().decide('permanent', Date.now());
    expect(await cli('request', 'sales', USER)).toBe(1);
    expect(scene.err).toContain('the user has given permission for good');
  });

  it.each([
    ['text and template', { text: 'a', template: 'b' }, /not both/],
    ['a language without a template', { language: 'de' }, /the configuration names none/],
    ['an empty text', { text: ' ' }, /--text is 1 to 1024 characters/],
    ['a text too long', { text: 'x'.repeat(1025) }, /--text is 1 to 1024 characters/],
  ])('%s: 2', async (_, options, message) => {
    const said = new CapturedConsole();
    expect(await permissionsRequestCommand('sales', USER, { config: scene.config, ...options }, said)).toBe(2);
    expect(said.err).toMatch(message);
    expect(scene.sandbox.graph.requests).toEqual([]);
  });
});
