/** Days as Meta spells them, in the order of the week. */
export const DAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const;
export type Day = (typeof DAYS)[number];

/** An entry of `weekly_operating_hours`; times are HHMM. */
export interface WeeklyEntry {
  readonly day_of_week: string;
  readonly open_time: string;
  readonly close_time: string;
}

const DAY_MINUTES = 24 * 60;

/** Minutes since midnight of `0930`, `09:30` (which Meta's older samples show); undefined if it is no time of day. */
export function minutesOf(text: unknown): number | undefined {
  const match = typeof text === 'string' ? /^([01]\d|2[0-3]):?([0-5]\d)$/.exec(text) : null;
  return match ? Number(match[1]) * 60 + Number(match[2]) : undefined;
}

/** `0930` for 570 minutes since midnight. */
export function hhmmOf(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}${String(minutes % 60).padStart(2, '0')}`;
}

/** From a minute of the week, Monday's midnight being the first, up to another one that is not part of it. */
export interface WeekSpan {
  readonly from: number;
  readonly until: number;
}

/**
 * The open minutes of a week, as few spans as possible, in order: two schedules are the same if these are. A closing minute
 * is still open, so that an entry up to 2359 goes on in one that begins at 0000 of the next day. Undefined if an entry
 * cannot be read. Entries on Sunday night and Monday morning stay apart: a span never goes round the week.
 */
export function weekSpans(entries: readonly WeeklyEntry[]): WeekSpan[] | undefined {
  const spans: WeekSpan[] = [];
  for (const { day_of_week: day, open_time: open, close_time: close } of entries) {
    const [at, from, until] = [DAYS.indexOf(day as Day), minutesOf(open), minutesOf(close)];
    if (at < 0 || from === undefined || until === undefined || from > until) return undefined;
    spans.push({ from: at * DAY_MINUTES + from, until: at * DAY_MINUTES + until + 1 });
  }
  return merged(spans.sort((a, b) => a.from - b.from));
}

function merged(sorted: readonly WeekSpan[]): WeekSpan[] {
  const spans: WeekSpan[] = [];
  for (const span of sorted) {
    const last = spans.at(-1);
    if (last && span.from <= last.until) spans[spans.length - 1] = { ...last, until: Math.max(last.until, span.until) };
    else spans.push(span);
  }
  return spans;
}

/** `MONDAY 0900-1700`, one for each day a span touches. */
export function spanTexts(spans: readonly WeekSpan[]): string[] {
  return spans.flatMap(({ from, until }) => {
    const first = Math.floor(from / DAY_MINUTES);
    const last = Math.floor((until - 1) / DAY_MINUTES);
    return DAYS.slice(first, last + 1).map((day, index) => {
      const start = Math.max(from, (first + index) * DAY_MINUTES) % DAY_MINUTES;
      const end = Math.min(until - 1, (first + index + 1) * DAY_MINUTES - 1) % DAY_MINUTES;
      return `${day} ${hhmmOf(start)}-${hhmmOf(end)}`;
    });
  });
}

/**
 * An entry that closes on the next day, as two: Meta knows none that goes past midnight. One that does not is left as it is.
 */
export function splitAtMidnight(entry: WeeklyEntry): WeeklyEntry[] {
  const [from, until] = [minutesOf(entry.open_time), minutesOf(entry.close_time)];
  const at = DAYS.indexOf(entry.day_of_week as Day);
  if (from === undefined || until === undefined || at < 0 || until > from) return [entry];
  const evening = { ...entry, close_time: '2359' };
  const next = DAYS[(at + 1) % DAYS.length] ?? 'MONDAY';
  const isMidnight = until === 0;
  return isMidnight ? [evening] : [evening, { ...entry, day_of_week: next, open_time: '0000' }];
}
