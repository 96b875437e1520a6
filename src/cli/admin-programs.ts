import { Argument, type Command } from 'commander';
import { logLevel } from '../http/api/schemas.js';
import type { AdminOptions } from './admin-client.js';
import type { HangupOptions } from './call.js';
import type { TraceOptions } from './call-trace-pcap.js';
import type { CallsOptions } from './calls.js';
import type { ConsoleIo } from './console-io.js';
import type { DrainOptions } from './drain.js';
import type { LogLevelOptions } from './log-level.js';
import { terminalConfirm } from './terminal-confirm.js';

type Done = (code: number) => void;

const CONFIG = [
  '-c, --config <file>',
  'configuration file of the daemon (default: $SIP2WA_CONFIG, then config/default.yaml)',
] as const;
const JSON_OPTION = ['--json', 'print one JSON object on standard output instead'] as const;

const ASKS = `
It asks the running daemon, at admin.listen and with admin.token of the same configuration file.

Exit status: 0 done, 1 it could not be done or no daemon is there, 2 the command line was wrong
`;

const CALL_HELP = `
ID is the id of a call as calls and the log show it, or the beginning of it that no other call has. Calls that ended lately
are known as well.
${ASKS}`;

/** The commands that ask the running daemon. */
export function addAdminCommands(program: Command, io: ConsoleIo, done: Done): void {
  addCalls(program, io, done);
  addCall(program, io, done);
  addLists(program, io, done);
  addDrain(program, io, done);
  addReload(program, io, done);
  addLogLevel(program, io, done);
}

function addCalls(program: Command, io: ConsoleIo, done: Done): void {
  program
    .command('calls')
    .description('list the live calls: state, parties, duration, codecs, loss and MOS of both sides')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--ended', 'list the calls that ended lately instead, the latest first')
    .option('--all', 'list both')
    .option('-w, --watch', 'list them again every second; with --json one object a line')
    .addHelpText('after', ASKS)
    .action(async (options: CallsOptions) => {
      const { callsCommand } = await import('./calls.js');
      done(await callsCommand(options, io));
    });
}

function addCall(program: Command, io: ConsoleIo, done: Done): void {
  const call = program
    .command('call')
    .description('show a call, trace its steps, or end it')
    .addHelpText('afterAll', CALL_HELP);
  call
    .command('show <id>')
    .description('show all that is known of a call')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .action(async (id: string, options: AdminOptions) => {
      const { callShowCommand } = await import('./call.js');
      done(await callShowCommand(id, options, io));
    });
  call
    .command('hangup <id>')
    .description('end a call on both sides')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--yes', 'do not ask first; without a terminal nothing is asked')
    .action(async (id: string, options: HangupOptions) => {
      const { callHangupCommand } = await import('./call.js');
      done(await callHangupCommand(id, options, io, terminalConfirm()));
    });
  addTrace(call, io, done);
}

const TRACE_HELP = `
With --pcap it writes a file for Wireshark instead of drawing: the SIP messages of the call so far, and of a live call those that
follow and its audio from now on, decoded, both directions of both sides. It ends after --for, with the call, or by Ctrl-C. Of a
call that is over there is no audio. Telephone numbers in the file are whole; keys of SRTP and ICE and credentials are crossed out.
What came over TCP or TLS is shown as datagrams, with a comment; a trunk's SRTP is shown as what was in it.

Wireshark knows the PBX's audio by the SDP in the file. WhatsApp's has none: Decode As, RTP; and its payload type, mostly 111, to
Opus in the preferences of RTP.
`;

function addTrace(call: Command, io: ConsoleIo, done: Done): void {
  call
    .command('trace <id>')
    .description('draw its steps: webhooks, Graph requests, SIP, ICE, DTLS and audio; or record it for Wireshark')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--pcap <file>', 'write SIP and audio to this file, as pcapng')
    .option('--for <duration>', 'with --pcap: record a live call for this long, like 30s; default: 10s; 0s: SIP so far')
    .addHelpText('after', TRACE_HELP)
    .action(async (id: string, options: TraceOptions) => {
      const { callTraceCommand } = await import('./call.js');
      const stop = new AbortController();
      const interrupted = (): void => stop.abort();
      process.once('SIGINT', interrupted);
      done(await callTraceCommand(id, options, io, stop.signal));
      process.off('SIGINT', interrupted);
    });
}

function addLists(program: Command, io: ConsoleIo, done: Done): void {
  program
    .command('trunks')
    .description('list the trunks: servers up or down, registrations, calls and limits')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .addHelpText('after', ASKS)
    .action(async (options: AdminOptions) => {
      const { trunksCommand } = await import('./trunks.js');
      done(await trunksCommand(options, io));
    });
  program
    .command('numbers')
    .description('list the business numbers: open or closed, and settings in step with Meta or not')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .addHelpText('after', ASKS)
    .action(async (options: AdminOptions) => {
      const { numbersCommand } = await import('./numbers.js');
      done(await numbersCommand(options, io));
    });
}

function addDrain(program: Command, io: ConsoleIo, done: Done): void {
  program
    .command('drain')
    .description('take no new calls; those that are up go on')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--stop', 'end the daemon once no call is left, or calls.drain_timeout has passed, as SIGTERM does')
    .option('--end', 'take calls again')
    .option('--status', 'only show whether calls are taken')
    .option('--wait', 'return once no call is left')
    .addHelpText('after', ASKS)
    .action(async (options: DrainOptions) => {
      const { drainCommand } = await import('./drain.js');
      done(await drainCommand(options, io));
    });
}

const RELOAD_HELP = `
All or nothing: with any error the configuration in use stays. Calls that are up go on with what they began with. The same as
SIGHUP (systemctl reload sip2wa).
${ASKS}`;

function addReload(program: Command, io: ConsoleIo, done: Done): void {
  program
    .command('reload')
    .description('let the daemon read its configuration anew, and say what changed and what needs a restart')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .addHelpText('after', RELOAD_HELP)
    .action(async (options: AdminOptions) => {
      const { reloadCommand } = await import('./reload.js');
      done(await reloadCommand(options, io));
    });
}

const LOG_LEVEL_HELP = `
LEVEL is error, warn, info or debug; configured goes back to log.level of the configuration.

Examples:
  sip2wa log-level debug --for 10m
  sip2wa log-level debug --call 01JD3Q8Z5K
  sip2wa log-level configured
${ASKS}`;

function addLogLevel(program: Command, io: ConsoleIo, done: Done): void {
  program
    .command('log-level')
    .addArgument(new Argument('[level]', 'the level').choices([...logLevel.options, 'configured']))
    .description('show what is logged, or change it while the daemon runs')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .option('--call <id>', 'for one live call alone: its id, or the beginning of it')
    .option('--for <duration>', 'for this long, like 10m; default: until a restart, or the end of the call')
    .addHelpText('after', LOG_LEVEL_HELP)
    .action(async (level: string | undefined, options: LogLevelOptions) => {
      const { logLevelCommand } = await import('./log-level.js');
      done(await logLevelCommand(level, options, io));
    });
}
