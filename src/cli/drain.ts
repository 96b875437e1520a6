import type { DrainOut } from '../http/api/schemas.js';
import { systemClock, type Clock } from '../lib/clock.js';
import type { AdminClient, AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import type { ConsoleIo } from './console-io.js';
import { UsageError } from './named-in-config.js';
import { plural } from './shown.js';
import { summaryLine } from './table.js';

export interface DrainOptions extends AdminOptions {
  /** The process ends once no call is left. */
  readonly stop?: boolean;
  /** Calls are taken again. */
  readonly end?: boolean;
  /** Only show how it is. */
  readonly status?: boolean;
  /** Return once no call is left. */
  readonly wait?: boolean;
}

const WAIT_MS = 1_000;

/** `sip2wa drain`: takes no new calls; those that are up go on. */
export const drainCommand = (options: DrainOptions, io: ConsoleIo, clock: Clock = systemClock): Promise<number> =>
  adminCommand('drain', options, io, async (client) => {
    if ([options.stop, options.end, options.status].filter((given) => given === true).length > 1) {
      throw new UsageError('--stop, --end and --status do not go together');
    }
    const began = await asked(client, options);
    const drain = options.wait === true ? await waited(client, began, options, io, clock) : began;
    return { json: { drain }, text: `\n${summaryLine(drainText(drain))}\n` };
  });

function asked(client: AdminClient, { stop = false, end, status }: DrainOptions): Promise<DrainOut> {
  if (status === true) return client.get('/v1/drain');
  if (end === true) return client.send('DELETE', '/v1/drain');
  return client.send('POST', '/v1/drain', { stop });
}

async function waited(
  client: AdminClient,
  began: DrainOut,
  options: DrainOptions,
  io: ConsoleIo,
  clock: Clock,
): Promise<DrainOut> {
  let drain = began;
  while (drain.state !== 'off' && drain.calls > 0) {
    if (io.isTerminal && options.json !== true)
      io.stderr(`\r\u001b[Ksip2wa drain: ${plural(drain.calls, 'call')} left`);
    await new Promise<void>((resolve) => clock.after(WAIT_MS, resolve));
    drain = await client.get('/v1/drain');
  }
  if (io.isTerminal && options.json !== true) io.stderr('\r\u001b[K');
  return drain;
}

function drainText({ state, calls, until }: DrainOut): string {
  const left = calls === 0 ? 'no call is left' : `${plural(calls, 'call')} left`;
  if (state === 'off') return `calls are taken; ${plural(calls, 'call')}`;
  if (state === 'draining') return `no new calls are taken; ${left}`;
  return `no new calls are taken, and the daemon stops; ${left}${until === undefined ? '' : `, ended at ${until}`}`;
}
