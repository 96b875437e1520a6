import { describe, expect, it } from 'vitest';
import { shownTime } from '../../../src/routing/local-time.js';
import { nextChange } from '../../../src/routing/next-change.js';
import type { CallHours } from '../../../src/routing/types.js';
import { DAYS } from '../../../src/routing/week.js';

const hoursOf = (timezoneId: string, weekly: string[], holidays: string[] = []): CallHours => ({
  ...{ status: 'ENABLED', timezoneId },
  weekly: weekly.flatMap((text) => {
    const [day = '', open = '', close = ''] = text.split(' ');
    return (day === 'DAILY' ? DAYS : [day]).map((each) => ({ day: each, open, close }));
  }),
  holidays: holidays.map((text) => {
    const [date = '', start = '', end = ''] = text.split(' ');
    return { date, start, end };
  }),
});
/** `opens` or `closes`, and when by UTC. */
const next = (hours: CallHours | undefined, at: string): string | undefined => {
  const change = nextChange(hours, Date.parse(at));
  return change && `${change.opens ? 'opens' : 'closes'} ${new Date(change.atMs).toISOString().slice(0, 16)}`;
};

describe('the next opening or closing', () => {
  it('is none without hours, with disabled ones, with an empty week, and with one that is open all the time', () => {
    expect(next(undefined, '2026-01-01T00:00Z')).toBeUndefined();
    const office = hoursOf('UTC', ['MONDAY 0900 1700']);
    expect(next({ ...office, status: 'DISABLED' }, '2026-01-01T00:00Z')).toBeUndefined();
    expect(next(hoursOf('UTC', []), '2026-01-01T00:00Z')).toBeUndefined();
    expect(next(hoursOf('America/New_York', ['DAILY 0000 2359']), '2026-01-01T00:00Z')).toBeUndefined();
  });

  it('is looked for a year ahead, leap day and all, and no further', () => {
    const christmas = hoursOf('UTC', [], ['2027-12-25 0800 0900']);
    expect(next(christmas, '2026-12-24T08:00Z')).toBe('opens 2027-12-25T08:00');
    expect(next(christmas, '2026-12-24T07:59Z')).toBeUndefined();
    expect(next(christmas, '2027-12-25T08:30:30.5Z')).toBe('closes 2027-12-25T09:01');
    expect(next(christmas, '2027-12-25T09:01Z')).toBeUndefined();
  });

  it.each([
    // A closing minute is still open.
    ['UTC', 'MONDAY 0900 1700', '2026-11-23T17:00:59Z', 'closes 2026-11-23T17:01'],
    ['UTC', 'MONDAY 0900 1700', '2026-11-23T17:01:00Z', 'opens 2026-11-30T09:00'],
    // Half an hour and a quarter from the full hour.
    ['Asia/Kolkata', 'MONDAY 0900 1700', '2026-11-22T12:00Z', 'opens 2026-11-23T03:30'],
    ['Asia/Kathmandu', 'MONDAY 0900 1700', '2026-11-22T12:00Z', 'opens 2026-11-23T03:15'],
    // The clocks skip the opening: it is when they go on.
    ['Europe/Berlin', 'SUNDAY 0230 0500', '2026-03-28T12:00Z', 'opens 2026-03-29T01:00'],
    // They skip all of it: it opens a week later.
    ['Europe/Berlin', 'SUNDAY 0210 0250', '2026-03-28T12:00Z', 'opens 2026-04-05T00:10'],
    // They are put back: the same hour is open twice, apart.
    ['Europe/Berlin', 'SUNDAY 0210 0250', '2026-10-24T12:00Z', 'opens 2026-10-25T00:10'],
    ['Europe/Berlin', 'SUNDAY 0210 0250', '2026-10-25T00:51Z', 'opens 2026-10-25T01:10'],
    // Put back into the open hours: closed for no minute.
    ['Europe/Berlin', 'SUNDAY 0100 0259', '2026-10-24T23:30Z', 'closes 2026-10-25T02:00'],
    // Put back out of them: closed by the clocks alone.
    ['Australia/Lord_Howe', 'SUNDAY 0150 0200', '2026-04-04T14:51Z', 'closes 2026-04-04T15:00'],
    ['Australia/Lord_Howe', 'SUNDAY 0150 0200', '2026-04-04T15:00Z', 'opens 2026-04-04T15:20'],
    // Midnight itself is skipped.
    ['America/Sao_Paulo', 'SUNDAY 0000 0100', '2018-11-03T12:00Z', 'opens 2018-11-04T03:00'],
  ])('%s, %s: after %s %s', (zone, week, at, expected) => {
    expect(next(hoursOf(zone, [week]), at)).toBe(expected);
  });

  it('goes over midnight, and past a day that never was', () => {
    const nights = hoursOf('Pacific/Apia', ['DAILY 2200 2359', 'DAILY 0000 0300']);
    // 30 December 2011 was left out: 29 December goes on in 31 December.
    expect(next(nights, '2011-12-30T08:30Z')).toBe('closes 2011-12-30T13:01');
    const fridays = hoursOf('Pacific/Apia', ['FRIDAY 0900 1700']);
    expect(next(fridays, '2011-12-29T12:00Z')).toBe('opens 2012-01-05T19:00');
  });

  it('a holiday takes the place of its day, at both ends', () => {
    const always = hoursOf('America/Manaus', ['DAILY 0000 2359'], ['2026-12-25 1000 1159']);
    expect(next(always, '2026-12-01T00:00Z')).toBe('closes 2026-12-25T04:00');
    expect(next(always, '2026-12-25T04:00Z')).toBe('opens 2026-12-25T14:00');
    expect(next(always, '2026-12-25T14:00Z')).toBe('closes 2026-12-25T16:00');
    expect(next(always, '2026-12-25T16:00Z')).toBe('opens 2026-12-26T04:00');
  });
});

it('a time is shown with its day and zone', () => {
  expect(shownTime(Date.parse('2026-11-23T13:00:59Z'), 'America/Manaus')).toBe('Mon 2026-11-23 09:00 America/Manaus');
});
