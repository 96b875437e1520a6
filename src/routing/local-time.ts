/** Wall clock of a time zone: date as YYYY-MM-DD, time as HHMM, English day name as Meta spells it. */
export interface LocalTime {
  readonly date: string;
  readonly hhmm: string;
  readonly day: string;
}

const WEEKDAYS = ['SUNDAY', 'MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY'] as const;

/** By zone: to make one takes twenty times as long as to ask it. There are no more than zones in the file. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(timezoneId: string): Intl.DateTimeFormat {
  const known = clocks.get(timezoneId);
  if (known) return known;
  const clock = new Intl.DateTimeFormat('en-CA', {
    timeZone: timezoneId,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  clocks.set(timezoneId, clock);
  return clock;
}

/** What the clocks of a zone (IANA name) show at `atMs`, Unix milliseconds. */
export function localTime(atMs: number, timezoneId: string): LocalTime {
  const parts = clockOf(timezoneId).formatToParts(atMs);
  const part = (type: string): string => parts.find((p) => p.type === type)?.value ?? '';
  const date = `${part('year')}-${part('month')}-${part('day')}`;
  const day = WEEKDAYS[new Date(`${date}T00:00:00Z`).getUTCDay()] ?? 'SUNDAY';
  return { date, hhmm: part('hour') + part('minute'), day };
}

/** `Mon 2026-11-23 09:00 America/Manaus`. */
export function shownTime(atMs: number, timezoneId: string): string {
  const { date, hhmm, day } = localTime(atMs, timezoneId);
  const name = `${day.charAt(0)}${day.slice(1, 3).toLowerCase()}`;
  return `${name} ${date} ${hhmm.slice(0, 2)}:${hhmm.slice(2)} ${timezoneId}`;
}

/** A date, a time to the minute or second, and perhaps a zone (ISO 8601, extended form). */
const STAMP = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}(?::\d{2})?)(Z|[+-]\d{2}:?\d{2})?$/;

/**
 * Reads `2026-12-24T10:00`, with `Z` or an offset behind it or else as clocks of `timezoneId` show it; Unix milliseconds,
 * undefined if it is no time. Of a time that comes twice in autumn it is the first, and one that the clocks skip in spring is
 * taken as if they had not been put forward.
 */
export function instantOf(text: string, timezoneId: string): number | undefined {
  const [, date = '', time = '', zone] = STAMP.exec(text) ?? [];
  const asUtcMs = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(asUtcMs) || !new Date(asUtcMs).toISOString().startsWith(date)) return undefined;
  if (zone !== undefined) return withOffset(`${date}T${time}`, zone);
  const beforeMs = asUtcMs - offsetMs(asUtcMs - DAY_MS, timezoneId);
  const afterMs = asUtcMs - offsetMs(asUtcMs + DAY_MS, timezoneId);
  const isShown = (atMs: number): boolean => atMs + offsetMs(atMs, timezoneId) === asUtcMs;
  return isShown(beforeMs) || !isShown(afterMs) ? beforeMs : afterMs;
}

function withOffset(stamp: string, zone: string): number | undefined {
  const atMs = Date.parse(`${stamp}${zone.replace(/^(...)(\d\d)$/, '$1:$2')}`);
  return Number.isNaN(atMs) ? undefined : atMs;
}

const MINUTE_MS = 60_000;
/** Clocks are changed once in two days at most, and no zone is further than this from UTC. */
const DAY_MS = 24 * 60 * MINUTE_MS;

/** How far the clocks of a zone are ahead of UTC, to the minute. */
export function offsetMs(atMs: number, timezoneId: string): number {
  const { date, hhmm } = localTime(atMs, timezoneId);
  const shownMs = Date.parse(`${date}T${hhmm.slice(0, 2)}:${hhmm.slice(2)}Z`);
  return shownMs - Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
}
