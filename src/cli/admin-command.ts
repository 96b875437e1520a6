import { AdminClient, AdminFault, type AdminOptions } from './admin-client.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { UsageError } from './named-in-config.js';

/** What a command prints and returns. */
export interface AdminResult {
  /** With `--json`, behind `ok`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Otherwise. */
  readonly text: string;
  /** Beside the text, to standard error. */
  readonly notes?: readonly string[];
}

/**
 * Runs a command that asks the daemon, and prints what came of it. Exit code 0, 1 when it could not be done or the daemon is not
 * there, 2 when the command line makes no sense.
 */
export async function adminCommand(
  name: string,
  options: AdminOptions,
  io: ConsoleIo,
  run: (client: AdminClient) => Promise<AdminResult>,
): Promise<number> {
  try {
    const { json, text, notes = [] } = await run(AdminClient.of(options, io));
    if (options.json !== true) for (const note of notes) io.stderr(`${note}\n`);
    io.stdout(options.json === true ? jsonText({ ok: true, ...json }) : text);
    return EXIT.ok;
  } catch (error) {
    return failed(name, error, options, io);
  }
}

/** Says why a command could not be done, and returns its exit code. @throws whatever is neither the daemon's nor the user's fault */
export function failed(name: string, error: unknown, options: AdminOptions, io: ConsoleIo): number {
  if (!(error instanceof UsageError || error instanceof AdminFault)) throw error;
  const { message } = error;
  const problem = error instanceof AdminFault ? error.problem : {};
  if (options.json === true) io.stdout(jsonText({ ok: false, error: message, problem }));
  io.stderr(`sip2wa ${name}: ${message}\n`);
  const calls = problem['calls'];
  if (Array.isArray(calls)) io.stderr(calls.map((call) => `  ${String(call)}\n`).join(''));
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}

export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
