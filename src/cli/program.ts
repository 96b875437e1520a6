import { Command, CommanderError } from 'commander';
import { packageVersion } from '../lib/package-version.js';
import { addAdminCommands } from './admin-programs.js';
import { checkCommand } from './check.js';
import type { CheckOptions } from './check.js';
import { addCompletion } from './completion-program.js';
import type { ConsoleIo } from './console-io.js';
import { EXIT, processIo } from './console-io.js';
import { addDoctor } from './doctor-program.js';
import { addSandbox } from './sandbox-program.js';
import { addHours } from './hours-program.js';
import type { PermissionsOptions, PermissionsRequestOptions } from './permissions.js';
import { addPrintConfig } from './print-config-program.js';
import type { RouteTestOptions } from './route-test.js';
import { addSettings } from './settings-program.js';
import { routeTestCommand } from './route-test.js';

/** Commands that are loaded only when they are used; a test puts others in. */
export interface LazyCommands {
  run(options: { config?: string }): Promise<number>;
  demo(options: { json: boolean; pbx?: string; keep: boolean }): Promise<number>;
}

const lazyCommands: LazyCommands = {
  run: async (options) => (await import('./run.js')).runCommand(options),
  demo: async (options) => (await import('./demo.js')).demoCommand(options),
};

const EXIT_HELP = `
Exit status:
  0  everything went well
  1  it failed: errors in the configuration, or the command did not succeed
  2  the command line was wrong

Environment:
  SIP2WA_CONFIG  configuration file, when --config is not given
  NO_COLOR       no colours, if set

Data goes to standard output, messages go to standard error.
`;

/** Runs `sip2wa` with its arguments (without node and script) and returns the exit code. Never throws. */
export async function runCli(
  args: readonly string[],
  io: ConsoleIo = processIo,
  lazy: LazyCommands = lazyCommands,
): Promise<number> {
  let code: number = EXIT.ok;
  const program = buildProgram(io, lazy, (result) => {
    code = result;
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      io.stderr(`sip2wa: ${error instanceof Error ? error.message : 'unexpected error'}\n`);
      return EXIT.failed;
    }
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return code;
}

function buildProgram(io: ConsoleIo, lazy: LazyCommands, done: (code: number) => void): Command {
  const program = new Command('sip2wa')
    .description(
      'Joins WhatsApp Business calling to telephone systems: Graph API and WebRTC on one side, SIP and G.711 on the other.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr })
    .showHelpAfterError('(sip2wa --help lists commands and options)')
    .addHelpText('after', EXIT_HELP)
    .exitOverride();
  program
    .command('run')
    .description('run the bridge until SIGTERM or SIGINT')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .action(async (options: { config?: string }) => done(await lazy.run(options)));
  program
    .command('check')
    .description('check the configuration and say what is wrong, with file, line and column')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .addHelpText('after', CHECK_HELP)
    .action((options: CheckOptions) => done(checkCommand(options, io)));
  addPrintConfig(program, io, done);
  program
    .command('demo')
    .description('place one call each way through the bridge, on this machine alone, and measure the audio')
    .option('--json', 'print one JSON object on standard output instead of a timeline', false)
    .option('--pbx <host:port>', 'use a PBX of your own in place of the built-in one')
    .option('--keep', 'stay up afterwards, until SIGTERM or SIGINT', false)
    .action(async (options: { json: boolean; pbx?: string; keep: boolean }) => done(await lazy.demo(options)));
  addRouteTest(program, io, done);
  addHours(program, io, done);
  addPermissions(program, io, done);
  addSettings(program, io, done);
  addDoctor(program, io, done);
  addAdminCommands(program, io, done);
  addCompletion(program, io, done);
  addSandbox(program, io, done);
  return program;
}

const CHECK_HELP = `
Nothing is asked over the network (sip2wa doctor does that). With tracing.otlp_url it also warns of OpenTelemetry packages that
are not installed or do not fit, and says with which command to get them.

Exit status: 0 it can be used, also with warnings, 1 it has errors, 2 the command line was wrong
`;

const ROUTE_TEST_HELP = `
Examples:
  sip2wa route-test --number sales --from +49301234567 --at 2026-12-24T10:00
  sip2wa route-test --trunk pbx --to +49301234567 --caller 100

Exit status: 0 the call would be placed, 1 it would be refused, 2 the command line was wrong
`;

function addRouteTest(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  program
    .command('route-test')
    .description('say where a call would go and why, with the code that routes; nothing is sent')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .option('--number <number>', 'a user calls: the business number, by name, id or number')
    .option('--from <caller>', '  the user: number with country code; left out: one who hides the number')
    .option(
      '--at <time>',
      '  when, like 2026-12-24T10:00[+01:00]; without an offset in the zone of the number’s call hours, or UTC',
    )
    .option('--trunk <name>', 'a PBX calls: the trunk it calls by')
    .option('--to <dialled>', '  whom it dials: user part of the Request-URI')
    .option('--caller <user>', '  user part of its From')
    .option('--number-id <number>', '  what its header X-WA-Number-Id says')
    .addHelpText('after', ROUTE_TEST_HELP)
    .action((options: RouteTestOptions) => done(routeTestCommand(options, io)));
}

const PERMISSIONS_HELP = `
NUMBER is a business number of the configuration: its name, its id or the number itself.
USER is a WhatsApp user: number with country code, or a business-scoped user id.

Examples:
  sip2wa permissions get sales +49301234567
  sip2wa permissions request sales US.13491208655302741918 --template call_me --language en

Exit status: 0 done, 1 Meta refused or could not be asked, 2 the command line was wrong
`;

function addPermissions(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  const permissions = program
    .command('permissions')
    .description('show whether a user may be called, or ask the user for permission')
    .addHelpText('afterAll', PERMISSIONS_HELP);
  permissions
    .command('get <number> <user>')
    .description('show what Meta says: permission, its end, what is allowed now and which limits hold')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .action(async (number: string, user: string, options: PermissionsOptions) => {
      const { permissionsGetCommand } = await import('./permissions.js');
      done(await permissionsGetCommand(number, user, options, io));
    });
  permissions
    .command('request <number> <user>')
    .description('ask the user for permission, unless Meta says that it cannot be done now')
    .option('-c, --config <file>', 'configuration file (default: $SIP2WA_CONFIG, then config/default.yaml)')
    .option('--json', 'print one JSON object on standard output instead')
    .option('--text <text>', 'ask with this text instead of what the configuration says')
    .option('--template <name>', 'ask with this approved template instead')
    .option('--language <code>', 'language of the template')
    .option('--force', 'ask also when Meta says that it cannot be done now')
    .action(async (number: string, user: string, options: PermissionsRequestOptions) => {
      const { permissionsRequestCommand } = await import('./permissions.js');
      done(await permissionsRequestCommand(number, user, options, io));
    });
}
