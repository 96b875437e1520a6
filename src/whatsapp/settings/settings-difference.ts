import type { DesiredCalling } from '../../routing/calling-settings.js';
import { isBlock, settingsFields, valueAt, type Block, type SettingsField } from './settings-fields.js';

/** A setting that Meta holds otherwise than the file wants it. */
export interface SettingsChange {
  /** Below `calling`, with dots. */
  readonly path: string;
  /** What Meta holds, in canonical form; undefined if it says nothing of it and there is no default. */
  readonly from: unknown;
  readonly to: unknown;
}

/**
 * Every difference between what a file wants and the `calling` block that Meta holds, in the order of Meta's page. What the
 * file does not say is none; nor are time forms, the order of entries, and holidays before `today` (YYYY-MM-DD in the
 * number's own zone) on either side.
 */
export function settingsDifference(desired: DesiredCalling, live: Block, today: string): SettingsChange[] {
  return settingsFields.flatMap((field) => {
    const wanted = wantedOf(field, desired, live);
    if (wanted === undefined) return [];
    const to = comparable(field, wanted, today);
    const from = comparable(field, valueAt(live, field.path) ?? field.byDefault, today);
    return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path: field.path.join('.'), from, to }];
  });
}

function wantedOf(field: SettingsField, desired: DesiredCalling, live: Block): unknown {
  const wanted = valueAt(desired, field.path);
  return field.completed?.(wanted, valueAt(live, field.path)) ?? wanted;
}

/** In canonical form; what cannot be read so is shown as it is, and differs from all that can. */
function comparable(field: SettingsField, value: unknown, today: string): unknown {
  const form = value === undefined ? undefined : (field.canonical(value) ?? { unreadable: value });
  if (field.path.at(-1) !== 'holiday_schedule' || !Array.isArray(form)) return form;
  return form.filter((text) => String(text).slice(0, today.length) >= today);
}

/** One request to the settings endpoint. */
export interface SettingsWrite {
  /** Names of the blocks in it, for people. */
  readonly blocks: readonly string[];
  readonly body: { readonly calling: Block };
}

/**
 * The requests that bring a number from what Meta holds to what the file wants; none if nothing differs. Only what differs is
 * sent, and what the file does not say never is; but `call_hours` goes whole, with Meta's own where the file says nothing, as Meta
 * replaces it and deletes a `holiday_schedule` that is left out. Voicemail goes by itself with all that the file says of it, and
 * so does the key exchange of SRTP: SDES after all else, since it needs SIP; away from SDES before all else.
 */
export function settingsWrites(desired: DesiredCalling, live: Block, today: string): SettingsWrite[] {
  const changed = settingsDifference(desired, live, today).map(({ path }) => path);
  const differing = new Set(changed.map((path) => path.split('.')[0] ?? ''));
  const bodyOf = (block: string): unknown => {
    if (block === 'call_hours') return wholeCallHours(desired, live, today);
    const isSent = ({ path }: SettingsField): boolean => block === 'voicemail' || changed.includes(path.join('.'));
    return saidBy(
      settingsFields.filter((field) => field.path[0] === block && isSent(field)),
      desired,
      live,
    );
  };
  const take = (...blocks: readonly string[]): SettingsWrite[] => {
    const present = blocks.filter((block) => differing.has(block));
    if (present.length === 0) return [];
    return [{ blocks: present, body: { calling: Object.fromEntries(present.map((block) => [block, bodyOf(block)])) } }];
  };
  const others = [...differing].filter((block) => block !== keyExchange && block !== 'voicemail');
  const isSdes = desired.srtp_key_exchange_protocol === 'SDES';
  const exchange = take(keyExchange);
  const main = [...take(...others), ...take('voicemail')];
  return isSdes ? [...main, ...exchange] : [...exchange, ...main];
}

const keyExchange = 'srtp_key_exchange_protocol';

/** What the file says of one block: a word, or the keys of `fields`. */
function saidBy(fields: readonly SettingsField[], desired: DesiredCalling, live: Block): unknown {
  const body: Record<string, unknown> = {};
  for (const field of fields) {
    const value = wantedOf(field, desired, live);
    if (field.path.length === 1) return value;
    if (value !== undefined) place(body, field.path.slice(1), value);
  }
  return body;
}

/** What this project does not know of Meta's goes back to it as well: it would be lost. */
function wholeCallHours(desired: DesiredCalling, live: Block, today: string): Block {
  const held = valueAt(live, ['call_hours']);
  const hours: Block = { ...(isBlock(held) ? held : {}), ...desired.call_hours };
  const { holiday_schedule: holidays, ...others } = hours;
  return holidays === undefined ? others : { ...others, holiday_schedule: withoutPast(holidays, today) };
}

/** Meta refuses holidays that have passed. */
function withoutPast(holidays: unknown, today: string): unknown {
  if (!Array.isArray(holidays)) return holidays;
  return holidays.filter((entry) => isBlock(entry) && String(entry['date']) >= today).map(asWritten);
}

/** A holiday with the names that Meta's samples have. */
function asWritten(entry: unknown): unknown {
  if (!isBlock(entry)) return entry;
  const { date, start_time: start = entry['open_time'], end_time: end = entry['close_time'] } = entry;
  return { date, start_time: start, end_time: end };
}

function place(body: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    body[key] = value;
    return;
  }
  const below = isBlock(body[key]) ? { ...body[key] } : {};
  body[key] = below;
  place(below, rest, value);
}
