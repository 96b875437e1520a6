import { formatIssue, type ConfigIssue } from '../config/issue.js';
import type { ReloadOut } from '../http/api/schemas.js';
import { AdminFault, type AdminOptions } from './admin-client.js';
import { adminCommand } from './admin-command.js';
import type { ConsoleIo } from './console-io.js';
import { facts } from './table.js';

/** `sip2wa reload`: the daemon reads its configuration anew, all or nothing. */
export const reloadCommand = (options: AdminOptions, io: ConsoleIo): Promise<number> =>
  adminCommand('reload', options, io, async (client) => {
    try {
      const reload = await client.send<ReloadOut>('POST', '/v1/reload', {});
      const { ok: _ok, ...json } = reload;
      return { json, text: reloadText(reload), notes: reload.warnings.map((one) => formatIssue(one, 'warning')) };
    } catch (error) {
      if (error instanceof AdminFault && options.json !== true) showErrors(error, io);
      throw error;
    }
  });

function reloadText({ file, changed, restart }: ReloadOut): string {
  const listed = (keys: readonly string[]): string => (keys.length === 0 ? 'nothing' : keys.join(' '));
  const pairs: [string, string][] = [
    ['File', file],
    ['Changed', listed(changed)],
  ];
  if (restart.length > 0) pairs.push(['Restart', `needed for ${listed(restart)}`]);
  return `\n${facts(pairs)}\n`;
}

function showErrors({ problem }: AdminFault, io: ConsoleIo): void {
  const { errors } = problem as { readonly errors?: readonly ConfigIssue[] };
  for (const one of errors ?? []) io.stderr(`${formatIssue(one)}\n`);
}
