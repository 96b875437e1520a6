import type { CallHoursBlock, HolidayEntry } from '../routing/calling-settings.js';
import { hhmmOf, minutesOf, splitAtMidnight, type WeeklyEntry } from '../routing/week.js';
import type { Complaint, Findings, KeyPath } from './issue.js';
import { MISSING } from './schema-value.js';
import type { CallHoursItem } from './settings-schema.js';

const ENTRIES_A_DAY = 2;
const MAX_HOLIDAYS = 20;

/** What a number's call hours are checked with. */
export interface CallHoursContext {
  /** Whether they are sent to Meta. */
  readonly isPushed: boolean;
  /** The date in a zone, YYYY-MM-DD. */
  readonly todayIn: (timezoneId: string) => string;
  readonly findings: Findings;
}

/** Meta's rules for `call_hours` that join several values (settings page), and what Meta gets of it: times as HHMM, no entry past midnight. */
export function checkCallHours(
  written: CallHoursItem,
  path: KeyPath,
  { findings, isPushed, todayIn }: CallHoursContext,
): CallHoursBlock {
  const { status, timezone_id, weekly_operating_hours: weekly, holiday_schedule: holidays } = written;
  if (weekly.length === 0 && !findings.isFaulty([...path, 'weekly_operating_hours'])) {
    findings.error([...path, 'weekly_operating_hours'], {
      message: 'needs at least one entry',
      cure: 'add { day_of_week: MONDAY, open_time: "0900", close_time: "1700" }',
    });
  }
  const isZoneKnown = !findings.isFaulty([...path, 'timezone_id']) && timezone_id !== '';
  const week = checkWeek(weekly, [...path, 'weekly_operating_hours'], findings);
  const hours = { status, timezone_id, weekly_operating_hours: week };
  const place = [...path, 'holiday_schedule'];
  if (holidays === undefined) {
    if (isPushed && !findings.hasErrorOnTheWayTo(place)) findings.warn(place, holidaysLeftOut);
    return hours;
  }
  const today = isZoneKnown ? todayIn(timezone_id) : '';
  return { ...hours, holiday_schedule: checkHolidays(holidays, place, today, findings) };
}

const holidaysLeftOut: Complaint = {
  message: 'is left out: Meta deletes its holidays with any change of the hours, so what it holds is sent back',
  cure: 'write the holidays, or [] for none',
};

interface Placed {
  readonly entry: WeeklyEntry;
  /** Index in the file. */
  readonly index: number;
  readonly from: number;
  readonly until: number;
}

function checkWeek(weekly: CallHoursItem['weekly_operating_hours'], path: KeyPath, findings: Findings): WeeklyEntry[] {
  const placed = weekly.flatMap((entry, index) => {
    if (entry.open_time !== '' && minutesOf(entry.open_time) === minutesOf(entry.close_time)) {
      const cure = 'write a later time, or "0000" and "2359" for a whole day';
      findings.error([...path, index, 'close_time'], { message: 'is the same as open_time', cure });
      return [];
    }
    return splitAtMidnight(entry).flatMap((part) => place(part, index) ?? []);
  });
  const earlier: Placed[] = [];
  for (const one of placed) {
    checkDay(
      one,
      earlier.filter(({ entry }) => entry.day_of_week === one.entry.day_of_week),
      path,
      findings,
    );
    earlier.push(one);
  }
  return placed.map(({ entry }) => entry);
}

/** With times as HHMM; nothing of an entry that has an error already. */
function place(entry: WeeklyEntry, index: number): Placed | undefined {
  const [from, until] = [minutesOf(entry.open_time), minutesOf(entry.close_time)];
  if (from === undefined || until === undefined || entry.day_of_week === '') return undefined;
  const { day_of_week } = entry;
  return { entry: { day_of_week, open_time: hhmmOf(from), close_time: hhmmOf(until) }, index, from, until };
}

function checkDay(
  { entry, index, from, until }: Placed,
  others: readonly Placed[],
  path: KeyPath,
  findings: Findings,
): void {
  const day = entry.day_of_week;
  const clash = others.find((other) => from < other.until && other.from < until);
  if (clash) {
    const message = `overlaps entry ${clash.index + 1} of the list on ${day}`;
    findings.error([...path, index], { message, cure: 'let one end before the other begins, or join them' });
  } else if (others.length >= ENTRIES_A_DAY) {
    const message = `is one more than the ${ENTRIES_A_DAY} entries that Meta takes for ${day}`;
    const cure = 'join or remove one; hours past midnight count on both days';
    findings.error([...path, index], { message, cure });
  }
}

function checkHolidays(
  holidays: NonNullable<CallHoursItem['holiday_schedule']>,
  path: KeyPath,
  today: string,
  findings: Findings,
): HolidayEntry[] {
  const seen = new Set<string>();
  let coming = 0;
  return holidays.flatMap((written, index) => {
    const holiday = readHoliday(written, [...path, index], findings);
    if (!holiday) return [];
    if (holiday.date < today) {
      const message = 'has passed, so it is left out of what Meta is told';
      findings.warn([...path, index, 'date'], { message, cure: 'remove it, or write the next one' });
    } else if (++coming === MAX_HOLIDAYS + 1) {
      const message = `is one more than the ${MAX_HOLIDAYS} holidays that Meta keeps`;
      findings.error([...path, index], { message, cure: 'remove those that are furthest away' });
    }
    if (seen.has(holiday.date)) {
      findings.error([...path, index, 'date'], { message: 'stands here twice', cure: 'keep one of the two' });
    }
    seen.add(holiday.date);
    return [holiday];
  });
}

function readHoliday(
  { date, start_time, end_time, open_time, close_time }: NonNullable<CallHoursItem['holiday_schedule']>[number],
  path: KeyPath,
  findings: Findings,
): HolidayEntry | undefined {
  const [first, last] = [start_time ?? open_time, end_time ?? close_time];
  const isSilent = first === undefined && last === undefined && !findings.hasErrorOnTheWayTo(path);
  if (isSilent) findings.error(path, { ...closedAllDay, message: `has no times: ${closedAllDay.message}` });
  const time = (written: string | undefined, key: string): number | undefined => {
    if (written === undefined && !isSilent) findings.error([...path, key], MISSING);
    return minutesOf(written);
  };
  const from = time(first, 'start_time');
  const until = time(last, 'end_time');
  if (from === undefined || until === undefined || date === '') return undefined;
  const key = end_time === undefined ? 'close_time' : 'end_time';
  if (from === until) {
    findings.error([...path, key], {
      ...closedAllDay,
      message: `is the same as the beginning: ${closedAllDay.message}`,
    });
  } else if (from > until) {
    findings.error([...path, key], { message: 'is not after the beginning', cure: 'write a later time of that day' });
  }
  return { date, start_time: hhmmOf(from), end_time: hhmmOf(until) };
}

/** Both times of a holiday are required, and it ends after it begins: what is written is when that day is open (settings page). */
const closedAllDay: Complaint = {
  message: 'Meta has no word for a day that is closed',
  cure: 'write when it is open; the least is start_time: "0000", end_time: "0001"',
};
