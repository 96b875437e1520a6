import type { CallHours } from './types.js';

const WEEKDAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;

/** Wall clock of a time zone: date as YYYY-MM-DD, time as HHMM, English day name as Meta spells it. */
function localTime(atMs: number, timezoneId: string): { date: string; hhmm: string; day: string } {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: timezoneId,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  }).formatToParts(atMs);
  const part = (type: string): string => parts.find((p) => p.type === type)?.value ?? '';
  const date = `${part('year')}-${part('month')}-${part('day')}`;
  const day = WEEKDAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? 'SUNDAY';
  return { date, hhmm: part('hour') + part('minute'), day };
}

/**
 * Whether a number takes users' calls at `atMs` (Unix milliseconds), by Meta's rules: disabled hours mean always open; a
 * holiday entry replaces the whole day; a closing minute is still open (Meta's samples close a full day at 2359).
 */
export function isOpen(hours: CallHours | undefined, atMs: number): boolean {
  if (hours?.status !== 'ENABLED') return true;
  const { date, hhmm, day } = localTime(atMs, hours.timezoneId);
  const holidays = hours.holidays.filter((entry) => entry.date === date);
  if (holidays.length > 0) return holidays.some(({ start, end }) => start <= hhmm && hhmm <= end);
  return hours.weekly.some((entry) => entry.day === day && entry.open <= hhmm && hhmm <= entry.close);
}
