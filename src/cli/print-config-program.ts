import type { Command } from 'commander';
import type { CheckOptions } from './check.js';
import type { ConsoleIo } from './console-io.js';

/** `sip2wa print-config`. */
export function addPrintConfig(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  program
    .command('print-config')
    .description(
      'print every value in effect and where it comes from: file and line, environment or default; no secrets',
    )
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .action(async (options: CheckOptions) => {
      const { printConfigCommand } = await import('./print-config.js');
      done(printConfigCommand(options, io));
    });
}
