import type { WaNumber } from '../routing/types.js';
import type { SettingsChange } from '../whatsapp/settings/settings-difference.js';
import { paint, type ConsoleIo } from './console-io.js';
import { summaryLine } from './table.js';

/** What became of one number. */
export type NumberOutcome = {
  readonly number: Pick<WaNumber, 'id' | 'name' | 'number'>;
  /** Meta holds otherwise than the file wants; before anything was sent. */
  readonly changes: readonly SettingsChange[];
} & (
  | { readonly state: 'in step' | 'differs' }
  | { readonly state: 'unmanaged' }
  /** Sent, read back and found so. */
  | { readonly state: 'applied' }
  /** Meta confirmed and holds something else all the same. */
  | { readonly state: 'not kept'; readonly remaining: readonly SettingsChange[] }
  | { readonly state: 'failed'; readonly error: string }
);

type Painter = Pick<ConsoleIo, 'env' | 'isTerminal'>;

/** One number, for people: a line for its state and one for each difference. */
export function outcomeText(outcome: NumberOutcome, io: Painter): string {
  const { number, state } = outcome;
  const head = `${number.name} (${number.id}): ${stateText(outcome, io)}`;
  const shown = state === 'not kept' ? outcome.remaining : outcome.changes;
  const lines = shown.flatMap((change) => changeLines(change, io));
  return [head, ...lines].map((line) => summaryLine(line)).join('');
}

function stateText(outcome: NumberOutcome, io: Painter): string {
  const count = countText(outcome.changes.length, 'change');
  switch (outcome.state) {
    case 'in step':
      return paint(io, 'green', 'in step');
    case 'differs':
      return paint(io, 'yellow', count);
    case 'unmanaged':
      return 'the file has no settings for it';
    case 'applied':
      return paint(io, 'green', `${count} applied`);
    case 'not kept':
      return paint(io, 'red', 'Meta confirmed, but still holds otherwise');
    case 'failed':
      return paint(io, 'red', outcome.error);
  }
}

/** `~ status  DISABLED -> ENABLED`; lists entry by entry. */
function changeLines({ path, from, to }: SettingsChange, io: Painter): string[] {
  if (!Array.isArray(to)) return [`  ${paint(io, 'yellow', '~')} ${path}: ${valueText(from)} -> ${valueText(to)}`];
  const [before, after] = [textsOf(from), textsOf(to)];
  const gone = before.filter((text) => !after.includes(text)).map((text) => `    ${paint(io, 'red', `- ${text}`)}`);
  const come = after.filter((text) => !before.includes(text)).map((text) => `    ${paint(io, 'green', `+ ${text}`)}`);
  return [`  ${paint(io, 'yellow', '~')} ${path}:`, ...gone, ...come];
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(valueText) : value === undefined ? [] : [valueText(value)];

/** Meta's words go to a terminal: no control or format characters. */
function valueText(value: unknown): string {
  if (value === undefined) return '(nothing)';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** The last line: `3 numbers: 1 in step, 2 with changes`. */
export function summaryText(outcomes: readonly NumberOutcome[]): string {
  const counts = new Map<string, number>();
  for (const { state } of outcomes) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${summaryWords[state as NumberOutcome['state']]}`);
  return summaryLine(`${countText(outcomes.length, 'number')}: ${parts.join(', ')}`);
}

const summaryWords: Readonly<Record<NumberOutcome['state'], string>> = {
  'in step': 'in step',
  differs: 'with changes',
  unmanaged: 'without settings in the file',
  applied: 'applied',
  'not kept': 'not kept by Meta',
  failed: 'failed',
};

const countText = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** The same as JSON. */
export function outcomesJson(outcomes: readonly NumberOutcome[]): Readonly<Record<string, unknown>> {
  return {
    ok: outcomes.every(({ state }) => state !== 'failed' && state !== 'not kept'),
    numbers: outcomes.map(({ number: { id, name, number }, ...outcome }) => ({ id, name, number, ...nulled(outcome) })),
  };
}

/** A value that Meta does not say is null, not left out. */
function nulled({ changes, ...outcome }: Omit<NumberOutcome, 'number'>): Record<string, unknown> {
  const shown = (list: readonly SettingsChange[]): unknown[] =>
    list.map(({ path, from, to }) => ({ path, from: from ?? null, to }));
  const remaining = 'remaining' in outcome ? { remaining: shown(outcome.remaining as SettingsChange[]) } : {};
  return { ...outcome, changes: shown(changes), ...remaining };
}
