import type { CallOut } from '../http/api/schemas.js';
import { systemClock, type Clock } from '../lib/clock.js';
import { AdminClient, type AdminOptions } from './admin-client.js';
import { adminCommand, failed } from './admin-command.js';
import { qualityText } from './call-report.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { plural, shortest, shownDuration, tally } from './shown.js';
import { summaryLine, table } from './table.js';

export interface CallsOptions extends AdminOptions {
  /** Show calls that have ended instead, or as well. */
  readonly ended?: boolean;
  readonly all?: boolean;
  readonly watch?: boolean;
}

/** What a test puts in other ones of. */
export interface WatchSurroundings {
  readonly clock: Clock;
  /** Ends the watching. */
  readonly signal?: AbortSignal;
}

/** Between two looks, in milliseconds. */
const WATCH_MS = 1_000;
const HOME_AND_CLEAR = '\u001b[H\u001b[J';

/** `sip2wa calls`: the calls as a table, once or again and again. */
export function callsCommand(
  options: CallsOptions,
  io: ConsoleIo,
  surroundings: WatchSurroundings = { clock: systemClock },
): Promise<number> {
  if (options.watch === true) return watchCalls(options, io, surroundings);
  return adminCommand('calls', options, io, async (client) => {
    const calls = await callsOf(client, options);
    return { json: { calls }, text: callsText(calls) };
  });
}

async function watchCalls(options: CallsOptions, io: ConsoleIo, { clock, signal }: WatchSurroundings): Promise<number> {
  const clear = io.isStdoutTerminal === true && options.json !== true ? HOME_AND_CLEAR : '';
  try {
    const client = AdminClient.of(options, io);
    while (signal?.aborted !== true) {
      const calls = await callsOf(client, options);
      // One object a line, for whoever reads along.
      io.stdout(options.json ? `${JSON.stringify({ ok: true, calls })}\n` : `${clear}${callsText(calls)}`);
      await pause(clock, signal);
    }
    return EXIT.ok;
  } catch (error) {
    return failed('calls', error, options, io);
  }
}

function pause(clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.after(WATCH_MS, resolve);
    signal?.addEventListener('abort', () => {
      timer.cancel();
      resolve();
    });
  });
}

async function callsOf(client: AdminClient, { ended, all }: CallsOptions): Promise<readonly CallOut[]> {
  const state = all === true ? 'all' : ended === true ? 'ended' : 'live';
  const { calls } = await client.get<{ readonly calls: readonly CallOut[] }>(`/v1/calls?state=${state}`);
  return calls;
}

/** The table of calls, with a line that sums them up. */
export function callsText(calls: readonly CallOut[]): string {
  if (calls.length === 0) return `\n${summaryLine('no calls')}\n`;
  const length = shortest(calls.map(({ call }) => call));
  const rows = calls.map((call) => [
    call.call.slice(0, length),
    call.direction === 'user_initiated' ? 'user' : 'business',
    call.outcome?.code ?? call.state,
    call.number ?? '-',
    call.user ?? call.userId ?? '-',
    call.trunk ?? '-',
    shownDuration(call.durationMs),
    qualityText(call.quality),
  ]);
  const heads = ['Call', 'By', 'State', 'Number', 'User', 'Trunk', 'Time', 'Audio'];
  const sum = `${plural(calls.length, 'call')}: ${tally(calls.map(({ state }) => state))}`;
  return `\n${table(heads, rows)}\n${summaryLine(sum)}\n`;
}
