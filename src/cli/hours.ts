import { loadConfig } from '../config/load-config.js';
import { explainHours, type HoursVerdict } from '../routing/call-hours.js';
import { shownTime } from '../routing/local-time.js';
import { nextChange, type HoursChange } from '../routing/next-change.js';
import type { WaNumber } from '../routing/types.js';
import { reportCheck } from './check.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { numberNamed, timeOf, UsageError } from './named-in-config.js';
import { facts } from './table.js';

export interface HoursOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly at?: string;
}

/** Exit codes of `hours`: a script's `if` asks whether the number is open, so that errors are none of its answers. */
export const HOURS_EXIT = { open: 0, closed: 1, error: 2 } as const;

/** What is known of a number's hours at a time. */
interface HoursReport {
  readonly number: WaNumber;
  readonly atMs: number;
  readonly verdict: HoursVerdict;
  readonly change: HoursChange | undefined;
}

/**
 * `sip2wa hours`: says whether a number takes users' calls at a time, why, and when that changes, by the functions that calls
 * are routed by. Nothing is sent.
 */
export function hoursCommand(
  name: string,
  options: HoursOptions,
  io: ConsoleIo,
  nowMs: () => number = Date.now,
): number {
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) {
    reportCheck(result, options.json === true, io);
    return HOURS_EXIT.error;
  }
  try {
    const number = numberNamed(name, result.config.numbers);
    const atMs = timeOf(options.at, number, nowMs);
    const { callHours } = number;
    const report = { number, atMs, verdict: explainHours(callHours, atMs), change: nextChange(callHours, atMs) };
    io.stdout(options.json ? `${JSON.stringify(hoursJson(report), null, 2)}\n` : hoursText(report));
    return report.verdict.isOpen ? HOURS_EXIT.open : HOURS_EXIT.closed;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr(`sip2wa hours: ${error.message}\n`);
    return EXIT.usage;
  }
}

function hoursText({ number, atMs, verdict, change }: HoursReport): string {
  const zone = verdict.local?.timezoneId ?? 'UTC';
  return `\n${facts([
    ['Number', `${number.name}, ${number.number}, id ${number.id}`],
    ['Time', `${new Date(atMs).toISOString()}${verdict.local ? `, ${shownTime(atMs, zone)}` : ''}`],
    ['State', `${verdict.isOpen ? 'open' : 'closed'}: ${verdict.why}`],
    ['Next', changeText(verdict, change, atMs, zone)],
  ])}\n`;
}

function changeText(verdict: HoursVerdict, change: HoursChange | undefined, atMs: number, zone: string): string {
  if (change)
    return `${change.opens ? 'opens' : 'closes'} ${shownTime(change.atMs, zone)} (in ${span(change.atMs - atMs)})`;
  return verdict.local ? `${verdict.isOpen ? 'closes' : 'opens'} not within a year` : 'no change';
}

function hoursJson({ number: { name, id, number }, atMs, verdict, change }: HoursReport): Record<string, unknown> {
  const { isOpen, why, local } = verdict;
  const next = change &&
    local && {
      ...{
        at: iso(change.atMs),
        local: shownTime(change.atMs, local.timezoneId),
        state: change.opens ? 'open' : 'closed',
      },
      inSeconds: Math.ceil((change.atMs - atMs) / 1000),
    };
  return {
    ok: true,
    number: { name, id, number },
    at: iso(atMs),
    open: isOpen,
    why,
    local: local ?? null,
    next: next ?? null,
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();

const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60;
const DAY_MINUTES = 24 * HOUR_MINUTES;

/** `3 min`, `14 h`, `2 h 5 min`, `3 d 4 h`: the two largest units, seconds counted as a minute. */
function span(ms: number): string {
  const minutes = Math.ceil(ms / MINUTE_MS);
  const units = [
    [Math.floor(minutes / DAY_MINUTES), 'd'],
    [Math.floor((minutes % DAY_MINUTES) / HOUR_MINUTES), 'h'],
    [minutes % HOUR_MINUTES, 'min'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  const shown = units.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
