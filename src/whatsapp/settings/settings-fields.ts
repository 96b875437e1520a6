import { minutesOf, spanTexts, weekSpans, hhmmOf, type WeeklyEntry } from '../../routing/week.js';

/** A setting: where it stands below `calling`, and how two of its values are compared. */
export interface SettingsField {
  readonly path: readonly string[];
  /** What counts when Meta says nothing of it; absent: nothing is known then. */
  readonly byDefault?: unknown;
  /** The form in which equal values are equal as JSON; undefined if the value cannot be read. */
  canonical(value: unknown): unknown;
  /** What the file wants, with what its entries leave open as Meta holds it. Left out: an entry leaves nothing open. */
  completed?(wanted: unknown, live: unknown): unknown;
}

const asItIs = (value: unknown): unknown => value;

/** A list in which order means nothing. */
function asSet(value: unknown): unknown {
  return Array.isArray(value) ? [...new Set(value.map(String))].sort() : undefined;
}

const DEFAULT_PORT = 5061;

/** `pbx.example.com:5061 tgrp=whatsapp`, without what Meta adds to each (`app_id`, `sip_user_password`). */
function asServers(value: unknown): unknown {
  if (!Array.isArray(value)) return undefined;
  return value.filter(isBlock).map((server) => {
    const { port = DEFAULT_PORT, request_uri_user_params: params } = server;
    const written = isBlock(params) ? Object.entries(params).map(([key, value]) => `${key}=${String(value)}`) : [];
    return [`${nameOf(server)}:${String(port)}`, ...written.sort()].join(' ');
  });
}

/** A list goes whole: what a server of the file does not say is as Meta has it for the server of that name. */
function completedServers(wanted: unknown, live: unknown): unknown {
  if (!Array.isArray(wanted)) return wanted;
  const held = Array.isArray(live) ? live.filter(isBlock) : [];
  return wanted.filter(isBlock).map((server) => {
    const known = held.find((each) => nameOf(each) === nameOf(server)) ?? {};
    const kept = ['port', 'request_uri_user_params'].filter((key) => known[key] !== undefined);
    return { ...Object.fromEntries(kept.map((key) => [key, known[key]])), ...server };
  });
}

const nameOf = ({ hostname }: Block): string => String(hostname).toLowerCase();

/** As the open minutes of the week, so that order, time form and splits at midnight mean nothing. */
function asWeek(value: unknown): unknown {
  if (!Array.isArray(value)) return undefined;
  const spans = weekSpans(value as WeeklyEntry[]);
  return spans && spanTexts(spans);
}

/** `2027-01-01 0000-2359`, in order; `open_time` and `close_time` are taken for the other two names. */
function asHolidays(value: unknown): unknown {
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter(isBlock).map((entry) => {
    const from = minutesOf(entry['start_time'] ?? entry['open_time']);
    const until = minutesOf(entry['end_time'] ?? entry['close_time']);
    if (typeof entry['date'] !== 'string' || from === undefined || until === undefined) return undefined;
    return `${entry['date']} ${hhmmOf(from)}-${hhmmOf(until)}`;
  });
  return texts.includes(undefined) ? undefined : [...new Set(texts)].sort();
}

/** Every setting that can be written (Meta's settings page), in its order. */
export const settingsFields: readonly SettingsField[] = [
  { path: ['status'], byDefault: 'DISABLED', canonical: asItIs },
  { path: ['call_icon_visibility'], byDefault: 'DEFAULT', canonical: asItIs },
  { path: ['call_icons', 'restrict_to_user_countries'], byDefault: [], canonical: asSet },
  { path: ['call_hours', 'status'], byDefault: 'DISABLED', canonical: asItIs },
  { path: ['call_hours', 'timezone_id'], canonical: asItIs },
  { path: ['call_hours', 'weekly_operating_hours'], canonical: asWeek },
  { path: ['call_hours', 'holiday_schedule'], byDefault: [], canonical: asHolidays },
  { path: ['callback_permission_status'], byDefault: 'DISABLED', canonical: asItIs },
  { path: ['sip', 'status'], byDefault: 'DISABLED', canonical: asItIs },
  { path: ['sip', 'webhook_delivery'], byDefault: 'DISABLED', canonical: asItIs },
  { path: ['sip', 'servers'], byDefault: [], canonical: asServers, completed: completedServers },
  { path: ['srtp_key_exchange_protocol'], byDefault: 'DTLS', canonical: asItIs },
  { path: ['audio', 'additional_codecs'], byDefault: [], canonical: asSet },
  { path: ['voicemail', 'status'], byDefault: 'DISABLED', canonical: asItIs },
  { path: ['voicemail', 'triggers'], byDefault: [], canonical: asSet },
  { path: ['voicemail', 'audio', 'default', 'announcement_media_id'], canonical: asItIs },
  { path: ['voicemail', 'audio', 'default', 'timeout_seconds'], canonical: asItIs },
];

export type Block = Readonly<Record<string, unknown>>;

export function isBlock(value: unknown): value is Block {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What stands at a path; undefined if nothing does. Only a block's own keys count. */
export function valueAt(block: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, key) => (isBlock(at) && Object.hasOwn(at, key) ? at[key] : undefined), block);
}
