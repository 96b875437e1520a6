import type { Command } from 'commander';
import type { ConsoleIo } from './console-io.js';
import type { DoctorOptions } from './doctor.js';

const DOCTOR_HELP = `
NUMBER is a business number of the configuration: its name, its id or the number itself; without one Meta is asked about all
of them. No call is placed, and nothing is changed, neither here nor at Meta. It can run beside the daemon, which lets it
check more.

It checks, all at once and each for at most 10 seconds:
  this machine  Node, time zones, open files, Opus, DTLS, journal, call records, disk space, sockets and media ports
  SIP           names in DNS, answers to OPTIONS, certificates of servers and our own, the drachtio-server
  Meta          access token and its permissions, clock, number, health, calling, SIP or Graph mode, settings,
                subscriptions, the webhook from here and from outside

Examples:
  sip2wa doctor
  sip2wa doctor sales --json

Exit status: 0 nothing failed, 1 something did, 2 the command line was wrong
`;

/** `sip2wa doctor`. */
export function addDoctor(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  program
    .command('doctor [number...]')
    .description('check what goes wrong in the field, and say what to do about it')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .addHelpText('after', DOCTOR_HELP)
    .action(async (names: string[], options: DoctorOptions) => {
      const { doctorCommand } = await import('./doctor.js');
      done(await doctorCommand(names, options, io));
    });
}
