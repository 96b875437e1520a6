import { loadConfig, type LoadResult } from '../config/load-config.js';
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
/** The same once it has to be quick (reliability F-24). */
const HURRIED_STOP_MS = 5_000;

/**
 * `sip2wa run`: the daemon, until SIGTERM or SIGINT, or a fault that nothing caught. A signal lets the live calls go on for
 * `calls.drain_timeout` and takes no new ones; a second one ends them. After a fault nothing is certain any more, so calls are
 * ended on both sides, and the exit code tells whoever supervises to start anew. SIGHUP reads the configuration anew.
 */
export async function runCommand(
  options: RunOptions,
  surroundings: RunSurroundings = { io: processIo, host: process, start: startDaemon },
): Promise<number> {
  const { io, host, start, log } = surroundings;
  const load = (): LoadResult => loadConfig({ file: options.config, env: io.env });
  const result = load();
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
  const redact = (values: readonly string[]): void => logger.redact(values);
  const starting = start({
    config,
    logger,
    redact,
    secrets,
    load,
    log: logger,
    lines: logger,
    media: { levels: logger },
  });
  host.on('SIGHUP', () => void starting.then((daemon) => daemon.reload()).catch(() => undefined));
  try {
    await Promise.race([starting, end.reached]);
  } catch (err) {
    logger.error('start failed', { err });
    return EXIT.failed;
  }
  try {
    await stopped(starting, end);
    return end.code;
  } catch (err) {
    logger.error('stop failed', { err });
    return EXIT.failed;
  }
}

/** Waits for the end of a daemon that may still be starting. @throws Error when it does not stop in time */
async function stopped(starting: Promise<Daemon>, end: ProcessEnd): Promise<void> {
  const asked = starting.then((daemon) => daemon.stopAsked);
  await Promise.race([end.reached, asked]);
  await Promise.race([starting.then((daemon) => daemon.drain()), end.hurried]);
  const stopping = starting.then((daemon) => daemon.stop());
  const hurried = end.hurried.then(() => withDeadline(stopping, HURRIED_STOP_MS, 'stop of the daemon'));
  await Promise.race([withDeadline(stopping, STOP_MS, 'stop of the daemon'), hurried]);
}
