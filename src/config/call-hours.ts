import type { CallHours } from '../routing/types.js';
import { isBlock } from './lists.js';
import type { Findings, KeyPath } from './issue.js';
import { oneOf } from './formats.js';

const DAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'];

/** Reads Meta's `call_hours` (settings endpoint); times come out as HHMM. Nothing when it is absent or has errors. */
export function readCallHours(written: unknown, path: KeyPath, findings: Findings): CallHours | undefined {
  if (written === undefined) return undefined;
  if (!isBlock(written)) {
    findings.error(path, { message: 'must be a block of keys', cure: 'indent status, timezone_id and so on below it' });
    return undefined;
  }
  const reader = new HoursReader(findings);
  const status = reader.word(written['status'], [...path, 'status'], ['ENABLED', 'DISABLED']);
  const timezoneId = reader.timezone(written['timezone_id'], [...path, 'timezone_id']);
  const weekly = reader.entries(
    written['weekly_operating_hours'],
    [...path, 'weekly_operating_hours'],
    (entry, at) => ({
      day: reader.word(entry['day_of_week'], [...at, 'day_of_week'], DAYS),
      open: reader.time(entry['open_time'], [...at, 'open_time']),
      close: reader.time(entry['close_time'], [...at, 'close_time']),
    }),
  );
  if (weekly.length === 0) {
    const complaint = {
      message: 'needs at least one entry',
      cure: 'add { day_of_week: MONDAY, open_time: "0900", close_time: "1700" }',
    };
    findings.error([...path, 'weekly_operating_hours'], complaint);
  }
  const holidays = reader.entries(written['holiday_schedule'], [...path, 'holiday_schedule'], (entry, at) => ({
    date: reader.date(entry['date'], [...at, 'date']),
    start: reader.time(entry['start_time'] ?? entry['open_time'], [...at, 'start_time']),
    end: reader.time(entry['end_time'] ?? entry['close_time'], [...at, 'end_time']),
  }));
  return reader.good
    ? { status: status === 'ENABLED' ? 'ENABLED' : 'DISABLED', timezoneId, weekly, holidays }
    : undefined;
}

/** Reads the pieces and remembers whether all were good. */
class HoursReader {
  good = true;

  constructor(private readonly findings: Findings) {}

  word(written: unknown, path: KeyPath, words: readonly string[]): string {
    const complaint = written === undefined ? missing : oneOf(...words).complaint(written);
    return complaint ? this.#bad(path, complaint.message, complaint.cure) : String(written);
  }

  timezone(written: unknown, path: KeyPath): string {
    if (typeof written === 'string' && isTimezone(written)) return written;
    return this.#bad(path, 'must be a time zone', 'write its IANA name, for example America/Manaus');
  }

  time(written: unknown, path: KeyPath): string {
    const match = typeof written === 'string' ? /^([01]\d|2[0-3]):?([0-5]\d)$/.exec(written) : null;
    if (match) return `${match[1] ?? ''}${match[2] ?? ''}`;
    return this.#bad(path, 'must be a time of day', 'write four digits in quotes from "0000" to "2359"');
  }

  date(written: unknown, path: KeyPath): string {
    if (typeof written === 'string' && isDate(written)) return written;
    return this.#bad(path, 'must be a date', 'write it as "2027-01-01"');
  }

  entries<T>(written: unknown, path: KeyPath, read: (entry: Record<string, unknown>, path: KeyPath) => T): T[] {
    if (written === undefined || written === null) return [];
    if (!Array.isArray(written)) {
      this.#bad(path, 'must be a list', 'begin each entry with "- "');
      return [];
    }
    return written.flatMap((entry: unknown, index) => {
      if (isBlock(entry)) return [read(entry, [...path, index])];
      this.#bad([...path, index], 'must be a block of keys', 'write { KEY: VALUE, … }');
      return [];
    });
  }

  #bad(path: KeyPath, message: string, cure: string): string {
    this.good = false;
    this.findings.error(path, { message, cure });
    return '';
  }
}

const missing = { message: 'is missing', cure: 'add it' };

function isTimezone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}
