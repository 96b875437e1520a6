import type { NumberOut } from '../http/api/schemas.js';
import type { AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import type { ConsoleIo } from './console-io.js';
import { plural, tally } from './shown.js';
import { summaryLine, table } from './table.js';

/** `sip2wa numbers`: the business numbers, whether they are open, and how Meta's settings stand against the file. */
export const numbersCommand = (options: AdminOptions, io: ConsoleIo): Promise<number> =>
  adminCommand('numbers', options, io, async (client) => {
    const { numbers } = await client.get<{ readonly numbers: readonly NumberOut[] }>('/v1/numbers');
    return { json: { numbers }, text: numbersText(numbers) };
  });

function numbersText(numbers: readonly NumberOut[]): string {
  if (numbers.length === 0) return `\n${summaryLine('no numbers')}\n`;
  const rows = numbers.map((one) => [
    ...[one.name, one.number, one.trunk ?? '-', String(one.calls), one.calling, hoursText(one), settingsText(one)],
  ]);
  const heads = ['Name', 'Number', 'Trunk', 'Calls', 'Calling', 'Hours', 'Settings'];
  const sum = `${plural(numbers.length, 'number')}: ${tally(numbers.map(({ hours }) => (hours.open ? 'open' : 'closed')))}`;
  return `\n${table(heads, rows)}\n${differencesText(numbers)}${summaryLine(sum)}\n`;
}

function hoursText({ hours: { open, next } }: NumberOut): string {
  const state = open ? 'open' : 'closed';
  return next ? `${state} until ${next.local}` : state;
}

const settingsText = ({ settings: { state, differing } }: NumberOut): string =>
  differing.length === 0 ? state : `${differing.length} differ`;

function differencesText(numbers: readonly NumberOut[]): string {
  const rows = numbers.flatMap(({ name, settings }) =>
    settings.differing.map(({ path, from, to }) => [name, path, shortJson(from), shortJson(to)]),
  );
  return rows.length === 0 ? '' : `${table(['Name', 'Setting', 'Meta', 'File'], rows)}\n`;
}

function shortJson(value: unknown): string {
  const text = value === null ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= 24 ? text : `${text.slice(0, 23)}…`;
}
