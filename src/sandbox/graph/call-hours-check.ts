import { invalidParameter } from './graph-error.js';

const DAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'];
const MAX_ENTRIES_A_DAY = 2;
const MAX_HOLIDAYS = 20;

type Fields = Record<string, unknown>;

function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidParameter(`${what} must be an object`);
  }
  return value as Fields;
}

/** Minutes since midnight; HHMM, or the HH:MM that older samples show. */
function minutes(value: unknown, what: string): number {
  const match = typeof value === 'string' ? /^([01]\d|2[0-3]):?([0-5]\d)$/.exec(value) : null;
  if (!match) throw invalidParameter(`${what} must be a time in the form HHMM`);
  return Number(match[1]) * 60 + Number(match[2]);
}

interface Span {
  readonly day: string;
  readonly open: number;
  readonly close: number;
}

function weeklySpan(value: unknown): Span {
  const entry = fields(value, 'weekly_operating_hours entry');
  const day = entry['day_of_week'];
  if (typeof day !== 'string' || !DAYS.includes(day)) throw invalidParameter('day_of_week must be MONDAY to SUNDAY');
  const open = minutes(entry['open_time'], 'open_time');
  const close = minutes(entry['close_time'], 'close_time');
  if (open >= close) throw invalidParameter('open_time must be before close_time');
  return { day, open, close };
}

function checkWeek(value: unknown): void {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalidParameter('weekly_operating_hours in call_hours cannot be empty');
  }
  const spans = value.map(weeklySpan);
  for (const day of DAYS) {
    const [first, second, third] = spans.filter((span) => span.day === day).sort((a, b) => a.open - b.open);
    if (third) throw invalidParameter(`more than ${MAX_ENTRIES_A_DAY} entries for ${day}`);
    if (first && second && second.open < first.close) throw invalidParameter(`overlapping schedule on ${day}`);
  }
}

/** 30 February is none, though `Date` takes it for 2 March. */
function isDate(text: string): boolean {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function checkHoliday(value: unknown, today: string): void {
  const entry = fields(value, 'holiday_schedule entry');
  const date = entry['date'];
  if (typeof date !== 'string' || !isDate(date))
    throw invalidParameter('date in holiday_schedule for call_hours is invalid');
  if (date < today) throw invalidParameter('holiday_schedule in call_hours is a past date');
  const start = minutes(entry['start_time'] ?? entry['open_time'], 'start_time');
  const end = minutes(entry['end_time'] ?? entry['close_time'], 'end_time');
  if (start >= end) throw invalidParameter('start_time must be before end_time');
}

function checkTimeZone(value: unknown): void {
  try {
    if (typeof value !== 'string') throw new RangeError();
    new Intl.DateTimeFormat('en', { timeZone: value });
  } catch {
    throw invalidParameter('timezone_id in call_hours is invalid');
  }
}

/**
 * Meta's rules for `call_hours`. @param today YYYY-MM-DD: holidays must not lie before it
 * @throws GraphRefusal 100 naming the fault
 */
export function checkCallHours(value: unknown, today: string): void {
  const hours = fields(value, 'call_hours');
  if (hours['status'] !== 'ENABLED' && hours['status'] !== 'DISABLED') {
    throw invalidParameter('call_hours.status must be ENABLED or DISABLED');
  }
  checkTimeZone(hours['timezone_id']);
  checkWeek(hours['weekly_operating_hours']);
  const holidays = hours['holiday_schedule'] ?? [];
  if (!Array.isArray(holidays) || holidays.length > MAX_HOLIDAYS) {
    throw invalidParameter(`holiday_schedule: at most ${MAX_HOLIDAYS} entries`);
  }
  holidays.forEach((holiday) => checkHoliday(holiday, today));
}
