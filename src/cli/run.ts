import { loadConfig } from '../config/load-config.js';
import { startDaemon, type Daemon } from '../daemon.js';
import { withDeadline } from '../lib/deadline.js';
import { createLogger } from '../observability/logger.js';
import { printIssues } from './check.js';
import { EXIT, processIo, type ConsoleIo } from './console-io.js';
import { ProcessEnd, type HostProcess } from './process-end.js';

export interface RunOptions {
  readonly config?: string;
}

/** What the daemon runs in; a test puts another in place. */
export interface RunSurroundings {
  readonly io: ConsoleIo;
  readonly host: HostProcess;
  readonly start: typeof startDaemon;
  /** Where the log goes; default: standard error. */
  readonly log?: NodeJS.WritableStream;
}

/** Longest wait for the daemon to stop, in milliseconds: longer than its parts should take, shorter than systemd and Docker wait. */
const STOP_MS = 25_000;

/**
 * `sip2wa run`: the daemon, until SIGTERM or SIGINT, or a fault that nothing caught. After a fault nothing is certain
 * any more, so calls are ended on both sides, and the exit code tells whoever supervises to start anew.
 */
export async function runCommand(
  options: RunOptions,
  surroundings: RunSurroundings = { io: processIo, host: process, start: startDaemon },
): Promise<number> {
  const { io, host, start, log } = surroundings;
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) {
    printIssues(result, io);
    return EXIT.failed;
  }
  const { config, secrets, file, warnings } = result;
  const logger = createLogger({ ...config.log, ...(log && { stream: log }) });
  logger.redact(secrets);
  for (const { line, key, message, cure } of warnings) logger.warn('configuration', { file, line, key, message, cure });
  logger.info('configuration read', { file, numbers: config.numbers.length, trunks: config.trunks.length });
  const end = new ProcessEnd(host, logger);
  const starting = start({ config, logger, redact: (values) => logger.redact(values), media: { levels: logger } });
  try {
    await Promise.race([starting, end.reached]);
  } catch (err) {
    logger.error('start failed', { err });
    return EXIT.failed;
  }
  await end.reached;
  try {
    await withDeadline(stopOf(starting), STOP_MS, 'stop of the daemon');
    return end.code;
  } catch (err) {
    logger.error('stop failed', { err });
    return EXIT.failed;
  }
}

/** Stops a daemon that may still be starting. */
async function stopOf(starting: Promise<Daemon>): Promise<void> {
  const daemon = await starting;
  await daemon.stop();
}
