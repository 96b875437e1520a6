import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/program.js';
import { facts, table } from '../../../src/cli/table.js';
import { saidBy, type Said } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';

const FILE = `
graph: { access_token: x, app_secret: y }
webhook: { verify_token: z }
trunks:
  - name: pbx
    servers:
      - { hostname: spare.example, priority: 2 }
      - { hostname: 10.0.0.5, request_uri_user_params: { tgrp: wa } }
      - { hostname: 10.0.0.6, weight: 3, transport: tcp, port: 5070 }
    accept_from: [10.0.0.0/24]
  - { name: night, servers: [{ hostname: 10.0.0.9 }], accept_from: [10.0.0.9/24], permission: ask }
  - { name: far, servers: [{ hostname: 10.9.0.9 }], accept_from: [10.9.0.0/24] }
numbers:
  - id: "10551"
    number: "+15551112222"
    name: sales
    trunk: pbx
    settings:
      calling:
        call_hours:
          status: ENABLED
          timezone_id: Europe/Berlin
          weekly_operating_hours: [{ day_of_week: THURSDAY, open_time: "0900", close_time: "1700" }]
          holiday_schedule: [{ date: "2026-12-24", start_time: "0900", end_time: "1200" }]
  - { id: "10661", number: "+15551113333", name: help, trunk: night }
  - { id: "10771", number: "+15551114444", name: lone, trunk: far }
routes:
  - { number: help, trunk: night }
  - { from: "+4930*", hours: closed, trunk: night, to: "700" }
  - { number: sales, hours: open, trunk: pbx, to: "600" }
`;

const file = new ConfigFile(FILE);
afterAll(() => file.remove());

const routeTest = (...args: string[]): Promise<Said> =>
  saidBy((io) => runCli(['route-test', '--config', file.path, ...args], io));

const jsonOf = async (...args: string[]): Promise<unknown> =>
  JSON.parse((await routeTest(...args, '--json')).out) as unknown;

describe('route-test of a user’s call', () => {
  it('prints every route with its reason, the winner and its servers', async () => {
    const { code, out, err } = await routeTest(
      '--number',
      'sales',
      '--from',
      '+4930123456',
      '--at',
      '2026-12-24T14:00',
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(`
  Number     sales, +15551112222, id 10551
  Caller     +4930123456
  Time       2026-12-24T13:00:00.000Z
  CallHours  closed at 2026-12-24 1400 Europe/Berlin: outside holiday 2026-12-24
             0900-1200

  Route  Result  Trunk  To      Why
  1      miss    night  number  number is sales, not help; closed at 2026-12-24
                                1400 Europe/Berlin: outside holiday 2026-12-24
                                0900-1200
  2      match   night  700     caller begins with +4930; closed at 2026-12-24
                                1400 Europe/Berlin: outside holiday 2026-12-24
                                0900-1200
  3      miss    pbx    600     closed at 2026-12-24 1400 Europe/Berlin: outside
                                holiday 2026-12-24 0900-1200

  Priority  Weight  Server             RequestUri
  1         1       udp 10.0.0.9:5060  sip:700@10.0.0.9:5060

  Routed by route 2 to trunk night: 1 server.

`);
  });

  it('shows servers in priority groups with weights, and Request-URIs as they go out', async () => {
    const args = ['--number', '+1 555 111 2222', '--from', '+14085551234', '--at', '2026-12-24T09:30+01:00'];
    expect((await routeTest(...args)).out).toContain(
      'Routed by route 3 to trunk pbx: 3 servers, lowest priority first, by weight within one.',
    );
    expect(await jsonOf(...args)).toMatchObject({
      ...{ ok: true, direction: 'user_initiated', number: { name: 'sales', id: '10551' }, from: '+14085551234' },
      ...{ at: '2026-12-24T08:30:00.000Z', by: 'route 3', trunk: 'pbx' },
      callHours: { open: true, local: { date: '2026-12-24', hhmm: '0930', timezoneId: 'Europe/Berlin' } },
      routes: [{ result: 'miss' }, { result: 'miss' }, { position: 3, result: 'match', route: { to: '600' } }],
      targets: [
        { priority: 1, weight: 1, server: 'udp 10.0.0.5:5060', requestUri: 'sip:600;tgrp=wa@10.0.0.5:5060' },
        { priority: 1, weight: 3, requestUri: 'sip:600@10.0.0.6:5070;transport=tcp' },
        { priority: 2, weight: 1, requestUri: 'sip:600@spare.example' },
      ],
    });
  });

  it('says that a closed number refuses, with what, and when it opens', async () => {
    const args = ['--number', 'sales', '--from', '+14085551234', '--at', '2026-12-24T14:00'];
    const { code, out } = await routeTest(...args);
    expect(code).toBe(1);
    expect(out).toContain('Not routed (closed, 480): closed at 2026-12-24 1400 Europe/Berlin: outside');
    const shut = 'closed at 2026-12-24 1400 Europe/Berlin: outside holiday 2026-12-24 0900-1200';
    expect(await jsonOf(...args)).toMatchObject({
      ...{ ok: false, callHours: { open: false } },
      refusal: { code: 'closed', sipStatus: 480, why: `${shut}; opens Thu 2026-12-31 09:00 Europe/Berlin` },
    });
  });

  it('takes users who hide their number, and the present time', async () => {
    const before = Date.now();
    const report = (await jsonOf('--number', '10771', '--from', 'US.13491208655302741918')) as { at: string };
    expect(report).toMatchObject({
      from: null,
      by: 'trunk of number lone',
      callHours: { why: 'no call hours are set' },
    });
    expect(Date.parse(report.at)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(report.at)).toBeLessThanOrEqual(Date.now());
    expect((await routeTest('--number', 'lone')).out).toContain('Caller     hides the number\n');
  });
});

describe('route-test of a call from the PBX', () => {
  it('says which number is chosen, what Meta is asked and what of permission', async () => {
    const { code, out, err } = await routeTest('--trunk', 'pbx', '--to', '0049301234567', '--number-id', 'help');
    expect([code, err]).toEqual([0, '']);
    expect(out).toBe(`
  Trunk           pbx or night
  Dialled         0049301234567
  Caller          -
  X-WA-Number-Id  help

  Number  Result    Why
  sales   possible  help is meant
  help    chosen    X-WA-Number-Id names it
  lone    refused   is on trunk far

  Connect     to: 49301234567
  Permission  ask: looked up first; a user who has not given leave is asked for
              it, and the PBX gets 480

  Placed with number help, since X-WA-Number-Id names it.

`);
  });

  it('names a user by a business-scoped id as recipient', async () => {
    const args = ['--trunk', 'far', '--to', 'US.13491208655302741918'];
    expect(await jsonOf(...args)).toMatchObject({
      ...{ ok: true, direction: 'business_initiated', trunks: ['far'], permission: 'none' },
      ...{ number: { name: 'lone' }, connect: { recipient: 'US.13491208655302741918' } },
    });
    expect((await routeTest(...args)).out).toContain('Connect     recipient: US.13491208655302741918\n');
  });

  it('knows which trunks share the address of a server that a number’s settings name', async () => {
    const servers = '[{ hostname: 10.0.0.5, port: 5060 }]';
    const shared = file.beside(
      'shared.yaml',
      `
graph: { access_token: x, app_secret: y }
webhook: { verify_token: z }
trunks: [{ name: pbx, servers: ${servers}, accept_from: [10.0.0.5/32] }]
numbers:
  - { id: "10551", number: "+15551112222", name: sales, trunk: pbx }
  - { id: "10661", number: "+15551113333", name: help, settings: { calling: { sip: { servers: ${servers} } } } }
settings: { push: off } # Meta takes no addresses
`,
    );
    const { code, out } = await routeTest(
      '--config',
      shared,
      '--trunk',
      'pbx',
      '--to',
      '+4930123456',
      '--number-id',
      'help',
    );
    expect(out).toContain('Trunk           pbx or settings:help\n');
    expect(code).toBe(0);
  });

  it.each([
    [['--trunk', 'pbx', '--to', '+49301234567'], 403, 'not_allowed', 'several numbers use this trunk'],
    [['--trunk', 'far', '--to', '+49301234567', '--number-id', 'sales'], 403, 'not_allowed', 'names no number'],
    [['--trunk', 'far', '--to', 'reception'], 484, 'bad_number', 'dial the user as +COUNTRY NUMBER or by id'],
  ])('%j is refused', async (args, sipStatus, code, why) => {
    const { code: exit, out } = await routeTest(...args);
    expect(exit).toBe(1);
    expect(out).toContain(`Refused with ${sipStatus} (${code}): `);
    expect(out).toContain(why);
    const refusal = { code, sipStatus, why: expect.stringContaining(why) as string };
    expect(await jsonOf(...args)).toMatchObject({ ok: false, refusal });
  });
});

describe('route-test with a question that makes no sense', () => {
  it.each([
    [[], 'name --number for a call of a user, or --trunk and --to for a call from a PBX'],
    [['--number', 'sales', '--trunk', 'pbx', '--to', '1'], 'name --number for a call of a user'],
    [['--number', 'sales', '--to', '1'], '--to, --caller and --number-id are for calls from a PBX'],
    [['--trunk', 'pbx'], '--to says whom the PBX dials'],
    [['--trunk', 'pbx', '--to', '1', '--at', '2026-12-24T10:00'], '--from and --at are for calls of users'],
    [['--number', 'reception'], 'the configuration has no number reception; it has: sales, help, lone'],
    [['--number', 'slaes'], 'the configuration has no number slaes; did you mean sales?'],
    [['--trunk', 'reception', '--to', '1'], 'the configuration has no trunk reception; it has: pbx, night, far'],
    [['--trunk', 'nihgt', '--to', '1'], 'the configuration has no trunk nihgt; did you mean night?'],
    [['--number', 'sales', '--from', 'anna'], '--from is a number with country code'],
    [['--number', 'sales', '--at', 'noon'], '--at is a date and time'],
  ])('%j is exit code 2, said on stderr', async (args, message) => {
    const { code, out, err } = await routeTest(...args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^sip2wa route-test: .*\n$/);
    expect(err).toContain(message);
  });

  it('prints errors of the configuration as check does', async () => {
    const bad = file.beside('bad.yaml', 'routes:\n  - { trunk: nowhere }\n');
    const { code, out, err } = await routeTest('--config', bad, '--number', 'sales');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`${bad}:2:14: routes[0].trunk: names no trunk of this file; add it under trunks\n`);
    expect(await jsonOf('--config', bad, '--number', 'sales')).toMatchObject({
      ok: false,
      errors: [{ key: 'routes[0].trunk' }],
    });
  });
});

describe('tables', () => {
  it('line their columns up and wrap the last one between words', () => {
    const long = 'word '.repeat(20).trim();
    const text = table(
      ['Name', 'Why'],
      [
        ['a', long],
        ['bcdefg', 'x'.repeat(90)],
      ],
    );
    const lines = text.split('\n');
    expect(lines[0]).toBe('  Name    Why');
    expect(lines[1]).toBe(`  a       ${'word '.repeat(14).trim()}`);
    expect(lines[2]).toBe(`${' '.repeat(10)}${'word '.repeat(6).trim()}`);
    expect(lines[3]).toBe(`  bcdefg  ${'x'.repeat(90)}`);
    expect(lines.slice(0, 3).every((line) => line.length <= 80)).toBe(true);
    expect(
      facts([
        ['A', '1'],
        ['Bcd', '2'],
      ]),
    ).toBe('  A    1\n  Bcd  2\n');
  });
});
