import type { CheckResult, CheckState } from '../daemon/doctor/check.js';
import { paint, type ConsoleIo } from './console-io.js';
import { summaryLine } from './table.js';

type Painter = Pick<ConsoleIo, 'env' | 'isTerminal'>;

const colours: Readonly<Record<CheckState, 'green' | 'yellow' | 'red' | undefined>> = {
  ok: 'green',
  warning: 'yellow',
  failed: 'red',
  skipped: undefined,
};

/** One line a check, its cure at the end, and a summary. */
export function doctorText(results: readonly CheckResult[], io: Painter): string {
  const width = Math.max(0, ...results.map(({ name }) => name.length));
  const lines = results.map(({ name, state, detail, cure }) => {
    const colour = colours[state];
    const shown = colour === undefined ? state : paint(io, colour, state);
    const rest = cure === undefined ? '' : `; cure: ${cure}`;
    return summaryLine(`${shown}${' '.repeat(stateWidth - state.length)}  ${name.padEnd(width)}  ${detail}${rest}`);
  });
  return [...lines, '\n', summaryLine(summary(results))].join('');
}

const stateWidth = 'warning'.length;
const states: readonly CheckState[] = ['ok', 'warning', 'failed', 'skipped'];

function summary(results: readonly CheckResult[]): string {
  const counts = countsOf(results);
  const parts = states.filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${words(state, counts)}`);
  return `${results.length} checks: ${parts.join(', ')}`;
}

const words = (state: CheckState, counts: Readonly<Record<CheckState, number>>): string =>
  state === 'warning' && counts.warning !== 1 ? 'warnings' : state;

function countsOf(results: readonly CheckResult[]): Record<CheckState, number> {
  const counts: Record<CheckState, number> = { ok: 0, warning: 0, failed: 0, skipped: 0 };
  for (const { state } of results) counts[state]++;
  return counts;
}

export const isWell = (results: readonly CheckResult[]): boolean => results.every(({ state }) => state !== 'failed');

/** The same as JSON. */
export function doctorJson(results: readonly CheckResult[]): string {
  const checks = results.map(({ name, state, detail, cure }) => ({ name, state, detail, cure: cure ?? null }));
  return `${JSON.stringify({ ok: isWell(results), counts: countsOf(results), checks }, null, 2)}\n`;
}
