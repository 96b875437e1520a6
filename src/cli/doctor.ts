import { loadConfig } from '../config/load-config.js';
import { examine, type ExamineOptions } from '../daemon/doctor/examine.js';
import { systemClock } from '../lib/clock.js';
import { reportCheck } from './check.js';
import { EXIT, type ConsoleIo } from './console-io.js';
import { doctorJson, doctorText, isWell } from './doctor-report.js';
import { numberNamed, UsageError } from './named-in-config.js';

export interface DoctorOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** What a test puts in other ones of. */
export type DoctorSurroundings = Partial<Pick<ExamineOptions, 'clock' | 'dns' | 'deadlineMs' | 'random'>>;

/**
 * `sip2wa doctor`: looks for what goes wrong in the field, beside a running daemon or without one. Exit code 0, also with
 * warnings, 1 when something failed or the configuration has errors, 2 when the command line makes no sense.
 */
export async function doctorCommand(
  names: readonly string[],
  options: DoctorOptions,
  io: ConsoleIo,
  surroundings: DoctorSurroundings = {},
): Promise<number> {
  const result = loadConfig({ file: options.config, env: io.env });
  if (!result.ok) return reportCheck(result, options.json === true, io);
  const { config, secrets } = result;
  try {
    const numbers = names.length === 0 ? config.numbers : names.map((name) => numberNamed(name, config.numbers));
    const progress = progressOn(io, options.json === true);
    const results = await examine({
      ...{ config, secrets, clock: systemClock, ...surroundings },
      numbers: [...new Set(numbers)],
      onDone: progress.show,
    });
    progress.clear();
    const painter = { env: io.env, isTerminal: io.isStdoutTerminal === true };
    io.stdout(options.json ? doctorJson(results) : doctorText(results, painter));
    return isWell(results) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr(`sip2wa doctor: ${error.message}\n`);
    return EXIT.usage;
  }
}

/** One line on a terminal that is written over. */
function progressOn(
  io: ConsoleIo,
  isQuiet: boolean,
): { show: (done: number, total: number) => void; clear: () => void } {
  if (!io.isTerminal || isQuiet) return { show: () => undefined, clear: () => undefined };
  return {
    show: (done, total) => io.stderr(`\r\u001b[Ksip2wa doctor: ${done} of ${total} checks`),
    clear: () => io.stderr('\r\u001b[K'),
  };
}
