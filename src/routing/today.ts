import { localTime } from './local-time.js';

/** The date that calendars of a zone (IANA name) show at `atMs`, YYYY-MM-DD; UTC where no zone is known. */
export function todayIn(timezoneId: string | undefined, atMs: number): string {
  return localTime(atMs, timezoneId ?? 'UTC').date;
}
