import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { runCli } from '../../../src/cli/program.js';
import { settingsApplyCommand } from '../../../src/cli/settings.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { BUSINESS, CliScene, NUMBER_ID } from './cli-scene.js';

const OTHER_ID = '105615555715866';

let scene: CliScene;
beforeEach(async () => void (scene = await CliScene.start('canary-token')));
afterEach(async () => {
  expect(scene.out + scene.err).not.toContain('canary');
  await scene.stop();
});

const wanted = `
      calling:
        callback_permission_status: ENABLED
        call_hours:
          status: ENABLED
          timezone_id: America/Manaus
          weekly_operating_hours: [{ day_of_week: MONDAY, open_time: 0400, close_time: 1020 }]
          holiday_schedule: [{ date: 2127-01-01, start_time: 0000, end_time: 2359 }]
        sip: { servers: [{ hostname: pbx.example.com, port: 5060, request_uri_user_params: { tgrp: wa } }] }`;

function writeConfig(settings: string | undefined = wanted, more = ''): void {
  const block = settings === '' ? '' : `\n    settings:${settings}`;
  scene.write(`
graph: { base_url: "${scene.sandbox.graphUrl}", access_token: canary-token, app_secret: canary-secret, timeout: 2s }
webhook: { verify_token: canary-verify }
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }], accept_from: [127.0.0.1/32] }]
numbers:
  - id: "${NUMBER_ID}"
    number: "${BUSINESS}"
    name: sales
    trunk: pbx${block}
${more}`);
}

const settings = (...args: string[]): Promise<number> => scene.run('settings', ...args);

const posts = () => scene.sandbox.graph.received('settings').map(({ body }) => body);

describe('sip2wa settings', () => {
  it('plan shows what differs, field by field, sends nothing and exits with 2', async () => {
    writeConfig();
    expect(await settings('plan')).toBe(2);
    expect(scene.out).toBe(
      [
        `  sales (${NUMBER_ID}): 6 changes`,
        '    ~ call_hours.status: DISABLED -> ENABLED',
        '    ~ call_hours.timezone_id: (nothing) -> America/Manaus',
        '    ~ call_hours.weekly_operating_hours:',
        '      + MONDAY 0400-1020',
        '    ~ call_hours.holiday_schedule:',
        '      + 2127-01-01 0000-2359',
        '    ~ callback_permission_status: DISABLED -> ENABLED',
        '    ~ sip.servers:',
        '      + pbx.example.com:5060 tgrp=wa',
        '  1 number: 1 with changes',
        '',
      ].join('\n'),
    );
    expect([scene.err, posts()]).toEqual(['', []]);
  });

  it('apply sends them, a second one sends nothing, and plan and drift have nothing to say', async () => {
    writeConfig();
    expect(await settings('apply', 'sales')).toBe(0);
    expect(scene.out).toContain('6 changes applied');
    expect(posts()).toHaveLength(1);
    expect(await settings('apply')).toBe(0);
    expect(posts()).toHaveLength(1);
    for (const command of ['plan', 'drift']) {
      expect(await settings(command)).toBe(0);
      expect(scene.out).toBe(`  sales (${NUMBER_ID}): in step\n  1 number: 1 in step\n`);
    }
  });

  it('what pull prints is what the file wants: pasted, nothing differs', async () => {
    writeConfig();
    await settings('apply');
    expect(await settings('pull')).toBe(0);
    const [number] = (parse(scene.out) as { numbers: { id: string; settings: object }[] }).numbers;
    expect(number?.id).toBe(NUMBER_ID);
    writeConfig(` ${JSON.stringify(number?.settings)}`);
    expect(await settings('plan')).toBe(0);
    expect(scene.err).toBe('');
    expect(scene.out).toContain('in step');
  });

  it('pull keeps times and ids text, and shows what only Meta writes as a comment', async () => {
    writeConfig();
    await settings('apply');
    writeConfig(' { calling: { sip: { status: DISABLED, servers: [{ hostname: pbx.example.com, port: 5060 }] } } }');
    await settings('apply');
    await settings('pull', 'sales');
    expect(scene.out).toContain('open_time: "0400"');
    expect(scene.out).toContain(`- id: "${NUMBER_ID}"\n    number: "${BUSINESS}"\n    name: sales\n`);
    expect(scene.out).toMatch(
      /\n# sales: Meta also holds\n# {3}calling:\n# {5}sip:\n# {7}servers:\n# {9}- app_id: \d+\n$/,
    );
    await settings('pull', '--sip-credentials');
    expect(scene.out).toContain('sip_user_password: "********"');
    await settings('pull', '--sip-credentials', '--show-secrets', '--json');
    const shown = JSON.parse(scene.out) as {
      numbers: { settings: { calling: { sip: { servers: { sip_user_password: string }[] } } } }[];
    };
    expect(shown.numbers[0]?.settings.calling.sip.servers[0]?.sip_user_password).toMatch(/^[\w-]{16}$/);
  });

  it('pull shows what the file has no word for as a comment, so that the rest can be pasted', async () => {
    writeConfig();
    const strange = { call_icon_visibility: 'HIDE_IN_CHAT', call_hours: { status: 'DISABLED' }, glow: ['GREEN'] };
    scene.sandbox.exchange.settings.restrictions = [
      { type: 'RESTRICTED_USER_INITIATED_CALLING', expiration: 1_800_000_000 },
    ];
    scene.sandbox.exchange.settings.hold({
      status: 'ENABLED',
      audio: { additional_codecs: ['PCMA', 'G729'] },
      ...strange,
    });
    expect(await settings('pull')).toBe(0);
    expect(scene.out.slice(scene.out.indexOf('    settings:'))).toBe(`    settings:
      calling:
        status: ENABLED
# sales: Meta also holds
#   calling:
#     audio:
#       additional_codecs:
#         - PCMA
#         - G729
#     call_icon_visibility: HIDE_IN_CHAT
#     call_hours:
#       status: DISABLED
#     glow:
#       - GREEN
#     restrictions:
#       restrictions_list:
#         - type: RESTRICTED_USER_INITIATED_CALLING
#           expiration: 1800000000
`);
    writeConfig(` ${JSON.stringify((parse(scene.out) as { numbers: { settings: object }[] }).numbers[0]?.settings)}`);
    expect(await settings('plan')).toBe(0);
    writeConfig(' { calling: { call_icon_visibility: DEFAULT } }');
    expect(await settings('plan')).toBe(2);
    expect(scene.out).toContain('~ call_icon_visibility: HIDE_IN_CHAT -> DEFAULT');
    await settings('apply');
    expect(posts()).toEqual([{ calling: { call_icon_visibility: 'DEFAULT' } }]);
  });

  it('colours a terminal alone, and none where NO_COLOR is set', async () => {
    writeConfig();
    const plan = async (io: CapturedConsole): Promise<string> => {
      scene.said = io;
      expect(await runCli(['settings', 'plan', '--config', scene.config], io)).toBe(2);
      return io.out;
    };
    expect(await plan(new CapturedConsole({}, false, true))).toContain('\u001b[32m+ MONDAY 0400-1020\u001b[0m');
    expect(await plan(new CapturedConsole({ NO_COLOR: '1' }, false, true))).not.toContain('\u001b');
    expect(await plan(new CapturedConsole({ TERM: 'dumb' }, false, true))).not.toContain('\u001b');
    // Messages go to a terminal, data to a file.
    expect(await plan(new CapturedConsole({}, true))).not.toContain('\u001b');
  });

  it('a number that Meta does not know fails alone', async () => {
    const other = `  - { id: "${OTHER_ID}", number: "+12025550143", name: help, trunk: pbx, settings: { calling: { status: ENABLED } } }\n`;
    writeConfig(undefined, other);
    expect(await settings('apply')).toBe(1);
    expect(scene.out).toContain('sales (105615555715855): 6 changes applied');
    expect(scene.out).toMatch(/help \(105615555715866\): \(#100\)/);
    expect(scene.out).toMatch(/2 numbers: .*1 applied/);
    expect(scene.out.indexOf('sales (')).toBeLessThan(scene.out.indexOf('help ('));
    expect(await settings('plan', '--json')).toBe(1);
    expect(JSON.parse(scene.out)).toMatchObject({
      ok: false,
      numbers: [
        { name: 'sales', state: 'in step', changes: [] },
        { name: 'help', state: 'failed' },
      ],
    });
    expect(await settings('pull')).toBe(1);
    expect(scene.out).toContain('name: sales');
    expect(scene.err).toMatch(/^sip2wa settings pull: help: \(#100\)/);
  });

  it('a number without settings in the file is left alone', async () => {
    writeConfig('');
    expect(await settings('apply', '--yes')).toBe(0);
    expect(scene.out).toContain('the file has no settings for it');
    expect([posts(), scene.sandbox.graph.received('settings.read')]).toEqual([[], []]);
  });

  it('--dry-run sends nothing; --json says it for machines', async () => {
    writeConfig(' { calling: { status: DISABLED } }');
    expect(await settings('apply', '--dry-run', '--json')).toBe(0);
    expect(JSON.parse(scene.out)).toEqual({
      ok: true,
      numbers: [
        {
          ...{ id: NUMBER_ID, name: 'sales', number: '+12025550142', state: 'differs' },
          changes: [{ path: 'status', from: 'ENABLED', to: 'DISABLED' }],
        },
      ],
    });
    expect(posts()).toEqual([]);
  });

  it.each([
    [true, 0, 1],
    [false, 1, 0],
  ])('on a terminal apply asks first (answer %j)', async (answer, code, sent) => {
    writeConfig();
    const questions: string[] = [];
    const confirm = (question: string): Promise<boolean> => Promise.resolve((questions.push(question), answer));
    expect(await settingsApplyCommand([], { config: scene.config }, scene.said, confirm)).toBe(code);
    expect(questions).toEqual(['Apply these changes at Meta?']);
    expect(posts()).toHaveLength(sent);
    expect(scene.err).toContain('~ callback_permission_status: DISABLED -> ENABLED');
    expect(await settingsApplyCommand([], { config: scene.config, yes: true }, scene.said, confirm)).toBe(0);
    expect(questions).toHaveLength(1);
  });

  it('what Meta refuses is said in its words', async () => {
    writeConfig();
    scene.sandbox.graph.failNext('settings', {
      status: 400,
      code: 138015,
      title: 'Limit too low',
      details: 'needs 2,000',
    });
    expect(await settings('apply')).toBe(1);
    expect(scene.out).toContain(`sales (${NUMBER_ID}): (#138015) Limit too low: needs 2,000`);
  });

  it.each([
    [['plan', 'sale'], 2, 'sip2wa settings plan: the configuration has no number sale; did you mean sales?\n'],
    [['plam'], 2, "error: unknown command 'plam'\n(Did you mean plan?)"],
  ])('%j is a mistake of the command line', async (args, code, message) => {
    writeConfig();
    expect(await settings(...args)).toBe(code);
    expect(scene.err).toContain(message);
  });

  it('a file with errors is said as by check', async () => {
    writeConfig(' { calling: { status: ON } }');
    expect(await settings('plan')).toBe(1);
    expect(scene.err).toContain('numbers[0].settings.calling.status: must be one of ENABLED | DISABLED');
  });
});
