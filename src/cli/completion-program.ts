import { Argument, type Command } from 'commander';
import { completionCommand, SHELLS } from './completion.js';
import type { ConsoleIo } from './console-io.js';

const COMPLETION_HELP = `
Examples:
  source <(sip2wa completion bash)
  sip2wa completion zsh > "\${fpath[1]}/_sip2wa"
  sip2wa completion fish > ~/.config/fish/completions/sip2wa.fish
`;

/** `sip2wa completion`. */
export function addCompletion(program: Command, io: ConsoleIo, done: (code: number) => void): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', COMPLETION_HELP)
    .action((shell: string) => done(completionCommand(program, shell, io)));
}
