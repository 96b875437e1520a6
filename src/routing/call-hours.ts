import { localTime, type LocalTime } from './local-time.js';
import type { CallHours } from './types.js';

/** Whether a number takes users' calls at a time, and what decided it. */
export interface HoursVerdict {
  readonly isOpen: boolean;
  /** The time by the clocks of the number's zone; undefined when its hours do not count. */
  readonly local: (LocalTime & { readonly timezoneId: string }) | undefined;
  /** In words: the entry that decided, or that none did. */
  readonly why: string;
}

/** An entry of either list that holds for the day. */
interface Span {
  readonly from: string;
  readonly until: string;
}

/**
 * Whether a number takes users' calls at `atMs` (Unix milliseconds), by Meta's rules: disabled hours mean always open; a
 * holiday entry replaces the whole day; a closing minute is still open (Meta's samples close a full day at 2359).
 */
export function explainHours(hours: CallHours | undefined, atMs: number): HoursVerdict {
  if (!hours) return { isOpen: true, local: undefined, why: 'no call hours are set' };
  if (hours.status !== 'ENABLED') return { isOpen: true, local: undefined, why: 'call hours are DISABLED' };
  const now = localTime(atMs, hours.timezoneId);
  const local = { ...now, timezoneId: hours.timezoneId };
  const holidays = hours.holidays
    .filter(({ date }) => date === now.date)
    .map(({ start, end }) => ({ from: start, until: end }));
  if (holidays.length > 0) return { local, ...within(holidays, now.hhmm, `holiday ${now.date}`) };
  const weekly = hours.weekly
    .filter(({ day }) => day === now.day)
    .map(({ open, close }) => ({ from: open, until: close }));
  if (weekly.length > 0) return { local, ...within(weekly, now.hhmm, now.day) };
  return { isOpen: false, local, why: `${now.day} has no entry` };
}

/** Whether users' calls are taken at `atMs`; the verdict of `explainHours` alone. */
export function isOpen(hours: CallHours | undefined, atMs: number): boolean {
  return explainHours(hours, atMs).isOpen;
}

function within(spans: readonly Span[], hhmm: string, of: string): Pick<HoursVerdict, 'isOpen' | 'why'> {
  const holding = spans.find(({ from, until }) => from <= hhmm && hhmm <= until);
  if (holding) return { isOpen: true, why: `within ${of} ${spanText(holding)}` };
  return { isOpen: false, why: `outside ${of} ${spans.map(spanText).join(' and ')}` };
}

const spanText = ({ from, until }: Span): string => `${from}-${until}`;
