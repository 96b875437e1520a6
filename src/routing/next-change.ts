import { isOpen } from './call-hours.js';
import { localTime, offsetMs } from './local-time.js';
import type { CallHours } from './types.js';
import { minutesOf } from './week.js';

/** When a number opens, or closes: the first millisecond that is otherwise than the one before. */
export interface HoursChange {
  readonly atMs: number;
  readonly opens: boolean;
}

const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;
/** No further ahead is looked: a year has every week and every holiday that anybody plans for. */
const LOOK_AHEAD_MS = 366 * DAY_MINUTES * MINUTE_MS;

/**
 * The next opening or closing after `atMs` (Unix milliseconds); undefined if there is none within a year. Hours are what the
 * clocks of the zone show, so that an hour put forward can open or close, and one put back can do so twice.
 */
export function nextChange(hours: CallHours | undefined, atMs: number): HoursChange | undefined {
  if (hours?.status !== 'ENABLED') return undefined;
  const isOpenNow = isOpen(hours, atMs);
  const minuteMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
  let boundaryMs = nextBoundary(hours, minuteMs);
  while (boundaryMs <= minuteMs + LOOK_AHEAD_MS) {
    if (isOpen(hours, boundaryMs) !== isOpenNow) return { atMs: boundaryMs, opens: !isOpenNow };
    boundaryMs = nextBoundary(hours, boundaryMs);
  }
  return undefined;
}

/** The first minute after `atMs` at which an entry begins or is over, a day begins, or the clocks are changed. */
function nextBoundary(hours: CallHours, atMs: number): number {
  const { date, day, hhmm } = localTime(atMs, hours.timezoneId);
  const now = minutesOf(hhmm) ?? 0;
  const boundaries = [
    ...hours.holidays.filter((holiday) => holiday.date === date).flatMap(({ start, end }) => edges(start, end)),
    ...hours.weekly.filter((entry) => entry.day === day).flatMap(({ open, close }) => edges(open, close)),
  ];
  const next = Math.min(DAY_MINUTES, ...boundaries.filter((minute) => minute > now));
  const nextMs = atMs + (next - now) * MINUTE_MS;
  return changeOfClocks(hours.timezoneId, atMs, nextMs) ?? nextMs;
}

/** Minutes since midnight that an entry begins with and is over with: a closing minute is still open. */
const edges = (first: string, last: string): number[] => [minutesOf(first) ?? 0, (minutesOf(last) ?? 0) + 1];

/** The first minute in `(fromMs, toMs]`, a day at most, that has another offset than `fromMs`. */
function changeOfClocks(timezoneId: string, fromMs: number, toMs: number): number | undefined {
  const before = offsetMs(fromMs, timezoneId);
  if (offsetMs(toMs, timezoneId) === before) return undefined;
  let [same, other] = [fromMs / MINUTE_MS, toMs / MINUTE_MS];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (offsetMs(middle * MINUTE_MS, timezoneId) === before) same = middle;
    else other = middle;
  }
  return other * MINUTE_MS;
}
