import type { TrunkOut } from '../http/api/schemas.js';
import type { AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import type { ConsoleIo } from './console-io.js';
import { plural, tally } from './shown.js';
import { summaryLine, table } from './table.js';

/** `sip2wa trunks`: the trunks with their servers, registrations, calls and limits. */
export const trunksCommand = (options: AdminOptions, io: ConsoleIo): Promise<number> =>
  adminCommand('trunks', options, io, async (client) => {
    const { trunks } = await client.get<{ readonly trunks: readonly TrunkOut[] }>('/v1/trunks');
    return { json: { trunks }, text: trunksText(trunks) };
  });

function trunksText(trunks: readonly TrunkOut[]): string {
  if (trunks.length === 0) return `\n${summaryLine('no trunks')}\n`;
  const rows = trunks.flatMap(rowsOf);
  const heads = ['Trunk', 'Calls', 'Limits', 'Srtp', 'Server', 'State'];
  const sum = `${plural(trunks.length, 'trunk')}: ${tally(trunks.map(({ state }) => state))}`;
  return `\n${table(heads, rows)}\n${summaryLine(sum)}\n`;
}

/** One line a server; what is the trunk's stands in the first. */
function rowsOf({ name, calls, limits, srtp, servers }: TrunkOut): string[][] {
  const { callsPerSecond, callsPerDay } = limits;
  const rates = [
    ...(callsPerSecond === undefined ? [] : [`${callsPerSecond}/s`]),
    ...(callsPerDay === undefined ? [] : [`${callsPerDay}/d`]),
  ];
  const own = [name, String(calls), [String(limits.calls), ...rates].join(' '), srtp];
  const lines = servers.map((one) => [one.server, stateOf(one)]);
  return (lines.length === 0 ? [['-', '-']] : lines).map((line, at) => [
    ...(at === 0 ? own : ['', '', '', '']),
    ...line,
  ]);
}

function stateOf({ health, heldOff, registration }: TrunkOut['servers'][number]): string {
  const registered = registration && (registration.registered ? 'registered' : 'not registered');
  const why = registration?.why === undefined ? registered : `${String(registered)}: ${registration.why}`;
  return [health, ...(heldOff ? ['held off'] : []), ...(why === undefined ? [] : [why])].join(', ');
}
