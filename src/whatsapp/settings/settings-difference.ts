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
    const wanted = valueAt(desired, field.path);
    if (wanted === undefined) return [];
    const to = comparable(field, wanted, today);
    const from = comparable(field, valueAt(live, field.path) ?? field.byDefault, today);
    return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path: field.path.join('.'), from, to }];
  });
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
 * The requests that bring a number from what Meta holds to what the file wants; none if nothing differs. Only blocks with a
 * difference are sent. A block goes whole, with Meta's own values where the file says nothing, as Meta replaces some blocks and
 * a `holiday_schedule` left out is deleted. Voicemail goes by itself, and so does the key exchange of SRTP: SDES after all
 * else, since it needs SIP; away from SDES before all else.
 */
export function settingsWrites(desired: DesiredCalling, live: Block, today: string): SettingsWrite[] {
  const differing = new Set(settingsDifference(desired, live, today).map(({ path }) => path.split('.')[0] ?? ''));
  const take = (...blocks: readonly string[]): SettingsWrite[] => {
    const present = blocks.filter((block) => differing.has(block));
    if (present.length === 0) return [];
    const calling = Object.fromEntries(present.map((block) => [block, blockBody(block, desired, live, today)]));
    return [{ blocks: present, body: { calling } }];
  };
  const others = [...differing].filter((block) => block !== keyExchange && block !== 'voicemail');
  const isSdes = desired.srtp_key_exchange_protocol === 'SDES';
  const exchange = take(keyExchange);
  const main = [...take(...others), ...take('voicemail')];
  return isSdes ? [...main, ...exchange] : [...exchange, ...main];
}

const keyExchange = 'srtp_key_exchange_protocol';

function blockBody(block: string, desired: DesiredCalling, live: Block, today: string): unknown {
  const fields = settingsFields.filter(({ path }) => path[0] === block);
  const plain = fields.find(({ path }) => path.length === 1);
  if (plain) return valueAt(desired, plain.path);
  const body: Record<string, unknown> = {};
  for (const { path } of fields) {
    const value = valueAt(desired, path) ?? writable(path, valueAt(live, path));
    if (value !== undefined) place(body, path.slice(1), withoutPast(path, value, today));
  }
  return body;
}

/** What Meta holds, without what only it may write. */
function writable(path: readonly string[], value: unknown): unknown {
  const field = settingsFields.find((each) => each.path === path);
  return path.at(-1) === 'servers' && value !== undefined ? field?.canonical(value) : value;
}

/** Meta refuses holidays that have passed. */
function withoutPast(path: readonly string[], value: unknown, today: string): unknown {
  if (path.at(-1) !== 'holiday_schedule' || !Array.isArray(value)) return value;
  return value.filter((entry) => isBlock(entry) && String(entry['date']) >= today).map(asWritten);
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
