import type { Command } from 'commander';
import type { ConsoleIo } from './console-io.js';
import type { SandboxCommandOptions } from './sandbox.js';

const SANDBOX_HELP = `
A stand-in for Meta, the daemon, and a page with a WhatsApp user's phone: your browser's microphone and speaker. Call the business and
hear your PBX answer, let it call you, grant or refuse permission, press keys. Meta is never asked, and nobody but your PBX is.

With --config the daemon is made from your own file: its trunks, routes, call hours, numbers and SIP sockets are as they will be. Not
used of it are Meta's address and credentials, the webhook listener, the journal, the call records and settings.push. Stop a daemon
that runs from the same file first: both listen on the same sockets.
Without --config there is a trunk to --pbx, or to a built-in PBX that greets you and then plays back what you say.

Browsers give the microphone to pages of localhost alone. On a server: ssh -L 8088:localhost:8088 SERVER, and let UDP through to it.

Examples:
  sip2wa sandbox
  sip2wa sandbox --pbx 192.168.1.10:5060
  sip2wa sandbox --config sip2wa.yaml --number sales --user +49301234567

Exit status: 0 ended by SIGINT or SIGTERM, 1 it could not start, 2 the command line was wrong
`;

/** `sip2wa sandbox`. */
export function addSandbox(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  program
    .command('sandbox')
    .description('rehearse with your PBX: a WhatsApp user’s phone in the browser, and a stand-in for Meta')
    .option('-c, --config <file>', 'make the daemon from this configuration')
    .option('--json', 'print where everything is as one JSON object')
    .option('--number <number>', 'which of its numbers, by name, id or number; default: the first')
    .option('--pbx <host:port>', 'without --config: a PBX of your own in place of the built-in one')
    .option('--user <number>', 'the user’s number, with country code', '+12025550173')
    .option('--name <name>', 'the user’s profile name', 'Rehearsal')
    .option('--port <port>', 'port of the page on localhost; 0 for any', '8088')
    .addHelpText('after', SANDBOX_HELP)
    .action(async (options: SandboxCommandOptions) => {
      const { sandboxCommand } = await import('./sandbox.js');
      done(await sandboxCommand(options, io));
    });
}
