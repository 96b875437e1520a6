import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.js';
import { explainHours } from '../../../src/routing/call-hours.js';
import { nextChange } from '../../../src/routing/next-change.js';
import type { CallHours } from '../../../src/routing/types.js';
import { MinuteCalendar, type WrittenHours } from '../../support/minute-calendar.js';
import { runsOf } from '../../support/runs.js';

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const YEAR_MS = 366 * DAY_MS;

const WORK = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY'];
const ALL = [...WORK, 'SATURDAY', 'SUNDAY'];
type Weekly = WrittenHours['weekly'];
const daily = (days: readonly string[], open: string, close: string): Weekly => days.map((day) => [day, open, close]);

const weeks: Readonly<Record<string, Weekly>> = {
  office: [...daily(WORK, '0900', '1259'), ...daily(WORK, '1330', '1700')],
  night: daily(ALL, '2200', '0300'),
  always: daily(ALL, '0000', '2359'),
  untilMidnight: daily(ALL, '0130', '0000'),
  /** The hours that clocks skip, and show twice. */
  smallHours: [...daily(ALL, '0000', '0014'), ...daily(ALL, '0145', '0229')],
  weekend: [
    ['SATURDAY', '1800', '0230'],
    ['SUNDAY', '2300', '0100'],
    ['WEDNESDAY', '2359', '0001'],
  ],
};

interface Scene extends WrittenHours {
  /** The two years begin with it. */
  readonly year: number;
}

/**
 * Twelve zones, each in two years in which something happens to its clocks if anything ever does: half an hour (Lord Howe), a
 * change at a quarter to (Chatham), one at midnight (São Paulo, Tehran), a winter in summer (Casablanca), a day that never was (Apia).
 */
const scenes: readonly Scene[] = [
  {
    ...{ zone: 'Australia/Lord_Howe', year: 2026, weekly: weeks['smallHours'] ?? [] },
    holidays: [
      ['2026-04-05', '0140', '0150'],
      ['2026-10-04', '0200', '0229'],
      ['2027-10-03', '0000', '0001'],
    ],
  },
  {
    ...{ zone: 'Europe/Berlin', year: 2026, weekly: weeks['night'] ?? [] },
    holidays: [
      ['2026-03-29', '0200', '0259'],
      ['2026-10-25', '0230', '2359'],
      ['2026-12-25', '1000', '1200'],
    ],
  },
  {
    ...{ zone: 'Pacific/Apia', year: 2011, weekly: weeks['office'] ?? [] },
    holidays: [
      ['2011-12-30', '0000', '2359'],
      ['2011-12-31', '0800', '2359'],
      ['2012-02-29', '1200', '1201'],
    ],
  },
  {
    ...{ zone: 'America/Sao_Paulo', year: 2017, weekly: weeks['smallHours'] ?? [] },
    holidays: [['2018-11-04', '0000', '0030']],
  },
  { zone: 'Asia/Kathmandu', year: 2026, weekly: weeks['office'] ?? [], holidays: [['2026-12-31', '2300', '2359']] },
  {
    ...{ zone: 'Pacific/Chatham', year: 2026, weekly: weeks['untilMidnight'] ?? [] },
    holidays: [
      ['2026-09-27', '0245', '0344'],
      ['2027-04-04', '0245', '0300'],
    ],
  },
  {
    ...{ zone: 'America/Manaus', year: 2026, weekly: weeks['always'] ?? [] },
    holidays: [
      ['2026-01-01', '0000', '2358'],
      ['2027-12-31', '0001', '2359'],
    ],
  },
  { zone: 'America/New_York', year: 2026, weekly: weeks['weekend'] ?? [], holidays: [['2026-11-01', '0100', '0159']] },
  {
    zone: 'Africa/Casablanca',
    year: 2026,
    weekly: weeks['smallHours'] ?? [],
    holidays: [['2026-03-22', '0230', '0300']],
  },
  { zone: 'Asia/Tehran', year: 2021, weekly: weeks['night'] ?? [], holidays: [['2022-03-22', '0000', '0059']] },
  { zone: 'Asia/Kolkata', year: 2026, weekly: weeks['weekend'] ?? [], holidays: [['2027-06-19', '1800', '2000']] },
  { zone: 'UTC', year: 2027, weekly: weeks['always'] ?? [], holidays: [['2028-02-29', '0600', '0659']] },
];

/** The hours as the bridge has them: by its own loader. */
function loaded({ zone, weekly, holidays, year }: Scene): CallHours {
  const hours = {
    ...{ status: 'ENABLED', timezone_id: zone },
    weekly_operating_hours: weekly.map(([day_of_week, open_time, close_time]) => ({
      day_of_week,
      open_time,
      close_time,
    })),
    holiday_schedule: holidays.map(([date, start_time, end_time]) => ({ date, start_time, end_time })),
  };
  const text = JSON.stringify({
    graph: { access_token: 'x', app_secret: 'y' },
    webhook: { verify_token: 'z' },
    trunks: [{ name: 'pbx', servers: [{ hostname: '10.0.0.5' }] }],
    numbers: [
      { id: '105615555715855', number: '+15551112222', trunk: 'pbx', settings: { calling: { call_hours: hours } } },
    ],
  });
  const readFile = () => ({ text, mode: 0o600 });
  const result = loadConfig({ file: 'c.yaml', env: {}, readFile, nowMs: Date.UTC(year - 1, 0) });
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  const found = result.config.numbers[0]?.callHours;
  if (!found) throw new Error('no call hours');
  return found;
}

/** Reduced: four zones, every thirteenth minute, and the minutes around each change. In full: SIP2WA_RUNS=3. */
const { runs, timeoutMs } = runsOf(4, 60_000);
const step = runs >= scenes.length ? 1 : 13;

describe.each(scenes.slice(0, runs))(
  'call hours in $zone, two years from $year, against a calendar of minutes',
  (scene) => {
    const firstMs = Date.UTC(scene.year, 0);
    const untilMs = Date.UTC(scene.year + 2, 0);
    const hours = loaded(scene);
    const calendar = new MinuteCalendar(scene, firstMs, (untilMs + YEAR_MS + DAY_MS - firstMs) / MINUTE_MS);

    it(
      'are open at the same minutes',
      () => {
        const wrong: string[] = [];
        let open = 0;
        for (let atMs = firstMs; atMs < untilMs; atMs += step * MINUTE_MS) {
          const { isOpen, why } = explainHours(hours, atMs);
          if (isOpen) open++;
          if (isOpen !== calendar.isOpen(atMs)) wrong.push(`${new Date(atMs).toISOString()}: ${why}`);
        }
        expect(wrong.slice(0, 10)).toEqual([]);
        expect(open).toBeGreaterThan(1000);
      },
      timeoutMs,
    );

    it(
      'change at the same minutes, seen from the minutes before and after each, and from any day',
      () => {
        const wrong: string[] = [];
        let asked = 0;
        const ask = (atMs: number): void => {
          asked++;
          const change = nextChange(hours, atMs);
          const expected = calendar.changeAfter(atMs, atMs + YEAR_MS);
          const isRight = change?.atMs === expected && (!change || change.opens === calendar.isOpen(change.atMs));
          if (!isRight) wrong.push(`${new Date(atMs).toISOString()}: ${new Date(change?.atMs ?? 0).toISOString()}`);
        };
        for (const atMs of calendar.changes()) {
          if (atMs >= untilMs) break;
          for (const minutes of [-1, 0, 1]) ask(atMs + minutes * MINUTE_MS);
          // A second of the minute before, and of this one.
          for (const seconds of [-1, 59]) ask(atMs + seconds * 1000);
        }
        for (let atMs = firstMs; atMs < untilMs; atMs += step * 1007 * MINUTE_MS) ask(atMs);
        expect(wrong.slice(0, 10)).toEqual([]);
        expect(asked).toBeGreaterThan(100);
      },
      timeoutMs,
    );
  },
);
