import { loadConfig } from '../config/load-config.js';
import { startDaemon, type Daemon } from '../daemon.js';
import { createLogger, type RootLogger } from '../observability/logger.js';
import { printIssues } from './check.js';
import { EXIT, processIo, type ConsoleIo } from './console-io.js';

export interface RunOptions {
  readonly config?: string;
}

/** `sip2wa run`: the daemon, until SIGTERM or SIGINT. A second signal ends the process at once. */
export async function runCommand(options: RunOptions, io: ConsoleIo = processIo): Promise<number> {
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) {
    printIssues(result, io);
    return EXIT.failed;
  }
  const { config, secrets, file, warnings } = result;
  const logger = createLogger(config.log);
  logger.redact(secrets);
  for (const { line, key, message, cure } of warnings) logger.warn('configuration', { file, line, key, message, cure });
  logger.info('configuration read', { file, numbers: config.numbers.length, trunks: config.trunks.length });
  let daemon: Daemon;
  try {
    daemon = await startDaemon({ config, logger });
  } catch (err) {
    logger.error('start failed', { err });
    return EXIT.failed;
  }
  await stopSignal(logger);
  await daemon.stop();
  return EXIT.ok;
}

/** Resolves at the first SIGTERM or SIGINT; from then on another one ends the process. */
function stopSignal(logger: RootLogger): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      logger.info('stopping', { signal });
      for (const name of ['SIGTERM', 'SIGINT'] as const) {
        process.off(name, onSignal);
        process.once(name, () => process.exit(EXIT.failed));
      }
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}
