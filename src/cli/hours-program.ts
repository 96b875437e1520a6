import type { Command } from 'commander';
import type { ConsoleIo } from './console-io.js';
import type { HoursOptions } from './hours.js';

const HOURS_HELP = `
NUMBER is a business number of the configuration: its name, its id or the number itself.
The call hours are those of the file; sip2wa settings plan says whether Meta holds the same.

Examples:
  sip2wa hours sales
  sip2wa hours sales --at 2026-12-24T10:00

Exit status: 0 open, 1 closed, 2 neither: errors in the configuration, or the command line was wrong
`;

/** `sip2wa hours`. */
export function addHours(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  program
    .command('hours <number>')
    .description('say whether a number takes calls of users now, why, and when that changes; nothing is sent')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .option(
      '--at <time>',
      'when, like 2026-12-24T10:00[+01:00]; without an offset in the zone of the call hours, or UTC',
    )
    .addHelpText('after', HOURS_HELP)
    .action(async (number: string, options: HoursOptions) => {
      const { hoursCommand } = await import('./hours.js');
      done(hoursCommand(number, options, io));
    });
}
