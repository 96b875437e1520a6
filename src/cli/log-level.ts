import { parseDuration } from '../config/formats.js';
import type { CallDetailOut, LogLevelsOut } from '../http/api/schemas.js';
import type { AdminClient, AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import type { ConsoleIo } from './console-io.js';
import { UsageError } from './named-in-config.js';
import { facts, table } from './table.js';

export interface LogLevelOptions extends AdminOptions {
  /** For this call alone: its id, or the beginning of it. */
  readonly call?: string;
  /** How long, like 10m. */
  readonly for?: string;
}

/** `sip2wa log-level`: shows what is logged, or changes it while the daemon runs. */
export const logLevelCommand = (level: string | undefined, options: LogLevelOptions, io: ConsoleIo): Promise<number> =>
  adminCommand('log-level', options, io, async (client) => {
    const levels = level === undefined ? await shown(client, options) : await changed(client, level, options);
    return { json: { levels }, text: levelsText(levels) };
  });

function shown(client: AdminClient, options: LogLevelOptions): Promise<LogLevelsOut> {
  if (options.call !== undefined || options.for !== undefined)
    throw new UsageError('name a level with --call and --for');
  return client.get('/v1/log-level');
}

async function changed(client: AdminClient, level: string, options: LogLevelOptions): Promise<LogLevelsOut> {
  const forMs = options.for === undefined ? undefined : parseDuration(options.for);
  if (options.for !== undefined && forMs === undefined) throw new UsageError('--for is a duration like 30s, 10m or 1h');
  const call = options.call === undefined ? undefined : await idOf(client, options.call);
  return client.send('PUT', '/v1/log-level', { level: level === 'configured' ? null : level, call, forMs });
}

async function idOf(client: AdminClient, prefix: string): Promise<string> {
  const { call } = await client.get<CallDetailOut>(`/v1/calls/${encodeURIComponent(prefix)}`);
  return call;
}

function levelsText({ level, configured, until, calls }: LogLevelsOut): string {
  const general = until === undefined ? level : `${level} until ${until}`;
  const rows = calls.map((one) => [one.call, one.level, one.until ?? '-']);
  const own = rows.length === 0 ? '' : `${table(['Call', 'Level', 'Until'], rows)}\n`;
  return `\n${facts([
    ['Level', general],
    ['Configured', configured],
  ])}\n${own}`;
}
