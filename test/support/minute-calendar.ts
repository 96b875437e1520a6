import { readFileSync } from 'node:fs';

/** Call hours as a file has them, natural: a closing time before the opening one is on the next day. */
export interface WrittenHours {
  readonly zone: string;
  readonly weekly: readonly (readonly [day: string, open: string, close: string])[];
  readonly holidays: readonly (readonly [date: string, start: string, end: string])[];
}

const MINUTE_MS = 60_000;
const DAY = 1440;
const WEEK = 7 * DAY;
/** No zone changes its clocks at another minute of UTC. */
const QUARTER = 15;
const DAYS = 'MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY SUNDAY'.split(' ');

/**
 * Call hours once more, by other means than the bridge's: sets of open minutes, and a walk over UTC minutes with the offset
 * that a table of zones has then, which is not Node's. What `routing/` says is held against it.
 */
export class MinuteCalendar {
  /** 1 for each minute of UTC from `firstMs` that is open. */
  readonly open: Uint8Array;

  constructor(
    hours: WrittenHours,
    readonly firstMs: number,
    minutes: number,
  ) {
    const week = openMinutes(hours.weekly);
    const holidays = new Map(hours.holidays.map(([date, start, end]) => [dayNumber(date), [clock(start), clock(end)]]));
    this.open = new Uint8Array(minutes);
    let offset = 0;
    for (let minute = 0; minute < minutes; minute++) {
      const utc = firstMs / MINUTE_MS + minute;
      if (minute % QUARTER === 0) offset = offsetMinutes(utc * MINUTE_MS, hours.zone);
      const wall = utc + offset;
      const [day, time] = [Math.floor(wall / DAY), wall % DAY];
      const [from = 0, until = -1] = holidays.get(day) ?? [];
      // Day 0, 1 January 1970, was a Thursday.
      const isOpen = holidays.has(day) ? from <= time && time <= until : week.has(((day + 3) * DAY + time) % WEEK);
      this.open[minute] = isOpen ? 1 : 0;
    }
  }

  isOpen(atMs: number): boolean {
    return this.open[this.#minute(atMs)] === 1;
  }

  /** Minutes at which it is otherwise than the minute before. */
  *changes(): Generator<number> {
    for (let minute = 1; minute < this.open.length; minute++) {
      if (this.open[minute] !== this.open[minute - 1]) yield this.firstMs + minute * MINUTE_MS;
    }
  }

  /** The first minute after the one of `atMs` that is otherwise, up to and including `untilMs`. */
  changeAfter(atMs: number, untilMs: number): number | undefined {
    const from = this.#minute(atMs);
    for (let minute = from + 1; minute <= this.#minute(untilMs); minute++) {
      if (this.open[minute] !== this.open[from]) return this.firstMs + minute * MINUTE_MS;
    }
    return undefined;
  }

  #minute(atMs: number): number {
    return Math.floor((atMs - this.firstMs) / MINUTE_MS);
  }
}

/** Minutes of the week from Monday's midnight; an entry may go over Sunday's. */
function openMinutes(weekly: WrittenHours['weekly']): Set<number> {
  const open = new Set<number>();
  for (const [day, from, until] of weekly) {
    const start = DAYS.indexOf(day) * DAY + clock(from);
    const isNextDay = clock(until) < clock(from);
    // Up to midnight is up to 2359; any other closing minute is open.
    const end =
      DAYS.indexOf(day) * DAY + (isNextDay ? DAY : 0) + clock(until) - (isNextDay && clock(until) === 0 ? 1 : 0);
    for (let minute = start; minute <= end; minute++) open.add(minute % WEEK);
  }
  return open;
}

const clock = (hhmm: string): number => Number(hhmm.slice(0, 2)) * 60 + Number(hhmm.slice(-2));

/** Days since 1970 by the calendar (the way of Fliegel and Van Flandern, without Date). */
function dayNumber(date: string): number {
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number);
  const early = Math.trunc((month - 14) / 12);
  const julian =
    Math.trunc((1461 * (year + 4800 + early)) / 4) +
    Math.trunc((367 * (month - 2 - 12 * early)) / 12) -
    Math.trunc((3 * Math.trunc((year + 4900 + early) / 100)) / 4) +
    day -
    32_075;
  return julian - 2_440_588;
}

const { zones } = JSON.parse(readFileSync(new URL('../fixtures/time-zones.json', import.meta.url), 'utf8')) as {
  readonly zones: Readonly<Record<string, readonly (readonly [since: string, minutes: number])[]>>;
};

/** What a zone is ahead of UTC, by somebody else's table than Node's. */
function offsetMinutes(atMs: number, zone: string): number {
  const entry = zones[zone]?.findLast(([since]) => Date.parse(since) <= atMs);
  if (!entry) throw new Error(`test/fixtures/time-zones.json does not know ${zone} at ${new Date(atMs).toISOString()}`);
  return entry[1];
}
