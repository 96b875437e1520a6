import { runCli } from '../../src/cli/program.js';
import { CapturedConsole } from './captured-console.js';

/** A command of the program, as its own help tells it. */
export interface CommandHelp {
  /** Names from the program on, without the program's own. */
  readonly path: readonly string[];
  /** Arguments as the usage line has them: `<id>`, `[number...]`. */
  readonly args: readonly string[];
  /** Long options but `--help`. */
  readonly options: readonly string[];
}

/** Every command that does something, by asking the program for help. */
export async function commandTree(path: readonly string[] = []): Promise<CommandHelp[]> {
  const help = await helpOf(path);
  const names = sectionOf(help, 'Commands')
    .map((line) => /^ {2}([a-z][a-z-]*)/.exec(line)?.[1])
    .filter((name) => name !== undefined && name !== 'help');
  if (names.length > 0) return (await Promise.all(names.map((name) => commandTree([...path, name ?? ''])))).flat();
  const usage = /^Usage: sip2wa (.*)$/m.exec(help)?.[1] ?? '';
  const args = usage.split(' ').filter((word) => /^[<[]/.test(word) && word !== '[options]');
  const options = sectionOf(help, 'Options').flatMap((line) => /^ {2}(?:-\w, )?(--[a-z-]+)/.exec(line)?.[1] ?? []);
  return [{ path, args, options: options.filter((option) => option !== '--help') }];
}

async function helpOf(path: readonly string[]): Promise<string> {
  const io = new CapturedConsole();
  const code = await runCli([...path, '--help'], io);
  if (code !== 0) throw new Error(`no help for ${path.join(' ')}`);
  return io.out;
}

/** Lines of a section of a help text. */
function sectionOf(help: string, name: string): string[] {
  const [, text = ''] = new RegExp(`^${name}:\\n([\\s\\S]*?)(?:\\n\\n|\\n?$(?![\\s\\S]))`, 'm').exec(help) ?? [];
  return text.split('\n');
}
