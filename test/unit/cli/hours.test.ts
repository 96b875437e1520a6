import { afterAll, describe, expect, it } from 'vitest';
import { hoursCommand } from '../../../src/cli/hours.js';
import { runCli } from '../../../src/cli/program.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';

const FILE = `
graph: { access_token: canary-token, app_secret: canary-secret }
webhook: { verify_token: canary-verify }
trunks: [{ name: pbx, servers: [{ hostname: 10.0.0.5 }] }]
numbers:
  - id: "105615555715855"
    number: "+15551112222"
    name: sales
    trunk: pbx
    settings:
      calling:
        call_hours:
          status: ENABLED
          timezone_id: America/Manaus
          weekly_operating_hours: [{ day_of_week: MONDAY, open_time: "0900", close_time: "1700" }]
          holiday_schedule: [{ date: "2127-01-06", start_time: "1000", end_time: "1200" }]
  - id: "105615555715866"
    number: "+15551113333"
    name: always
    trunk: pbx
    settings:
      calling:
        call_hours:
          status: DISABLED
          timezone_id: America/Manaus
          weekly_operating_hours: [{ day_of_week: MONDAY, open_time: "0900", close_time: "1700" }]
  - { id: "105615555715877", number: "+15551114444", name: plain, trunk: pbx }
`;

const file = new ConfigFile(FILE);
afterAll(() => file.remove());

let said: CapturedConsole;
async function hours(...args: string[]): Promise<number> {
  said = new CapturedConsole();
  const code = await runCli(['hours', '--config', file.path, ...args], said);
  expect(said.out + said.err).not.toContain('canary');
  return code;
}

describe('hours', () => {
  it('closed: says why and when it opens, and exits with 1', async () => {
    expect(await hours('sales', '--at', '2026-11-22T19:00')).toBe(1);
    expect([said.out, said.err]).toEqual([
      `
  Number  sales, +15551112222, id 105615555715855
  Time    2026-11-22T23:00:00.000Z, Sun 2026-11-22 19:00 America/Manaus
  State   closed: SUNDAY has no entry
  Next    opens Mon 2026-11-23 09:00 America/Manaus (in 14 h)

`,
      '',
    ]);
  });

  it('open: says by which entry and when it closes, which is after the closing minute, and exits with 0', async () => {
    expect(await hours('+15551112222', '--at', '2026-11-23T12:58:30Z')).toBe(1);
    expect(said.out).toContain('closed: outside MONDAY 0900-1700');
    expect(said.out).toContain('opens Mon 2026-11-23 09:00 America/Manaus (in 2 min)');
    expect(await hours('105615555715855', '--at', '2026-11-23T09:00')).toBe(0);
    expect(said.out).toContain('State   open: within MONDAY 0900-1700\n');
    expect(said.out).toContain('closes Mon 2026-11-23 17:01 America/Manaus (in 8 h 1 min)');
  });

  it.each([
    ['2127-01-05T08:00:00-04:00', 'opens Mon 2127-01-06 10:00 America/Manaus (in 1 d 2 h)'],
    ['2127-01-06T12:01', 'opens Mon 2127-01-13 09:00 America/Manaus (in 6 d 20 h)'],
  ])('at %s the day of the holiday: %s', async (at, next) => {
    expect(await hours('sales', '--at', at)).toBe(1);
    expect(said.out).toContain(next);
  });

  it.each([
    ['always', 'open: call hours are DISABLED'],
    ['plain', 'open: no call hours are set'],
  ])('%s: without hours there is no change', async (number, state) => {
    expect(await hours(number)).toBe(0);
    expect(said.out).toContain(`State   ${state}\n  Next    no change\n`);
    expect(await hours(number, '--json')).toBe(0);
    expect(JSON.parse(said.out)).toMatchObject({ open: true, local: null, next: null });
  });

  it('--json has it all', async () => {
    expect(await hours('sales', '--at', '2026-11-22T23:00Z', '--json')).toBe(1);
    expect(JSON.parse(said.out)).toEqual({
      ok: true,
      number: { name: 'sales', id: '105615555715855', number: '+15551112222' },
      at: '2026-11-22T23:00:00.000Z',
      open: false,
      why: 'SUNDAY has no entry',
      local: { date: '2026-11-22', hhmm: '1900', day: 'SUNDAY', timezoneId: 'America/Manaus' },
      next: {
        ...{ at: '2026-11-23T13:00:00.000Z', local: 'Mon 2026-11-23 09:00 America/Manaus', state: 'open' },
        inSeconds: 14 * 3600,
      },
    });
  });

  it('takes the present time when none is named', () => {
    said = new CapturedConsole();
    expect(hoursCommand('sales', { config: file.path }, said, () => Date.parse('2026-11-23T13:00:00Z'))).toBe(0);
    expect(said.out).toContain('Time    2026-11-23T13:00:00.000Z');
  });

  it.each([
    [['nobody'], 'the configuration has no number nobody'],
    [['sale'], 'did you mean sales?'],
    [['sales', '--at', 'noon'], '--at is a date and time'],
    [[], "missing required argument 'number'"],
  ])('%j exits with 2', async (args, message) => {
    expect(await hours(...args)).toBe(2);
    expect(said.out).toBe('');
    expect(said.err).toContain(message);
  });

  it('a broken file exits with 2, which is neither open nor closed', async () => {
    const broken = file.beside('broken.yaml', FILE.replace('America/Manaus', 'America/Manau'));
    expect(await hours('sales', '--config', broken)).toBe(2);
    expect(said.err).toContain('timezone_id');
    expect(await hours('sales', '--json', '--config', broken)).toBe(2);
    expect(JSON.parse(said.out)).toMatchObject({ ok: false });
  });
});
