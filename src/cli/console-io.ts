/** Where a command reads its surroundings from and writes to: data on `stdout`, messages on `stderr`. */
export interface ConsoleIo {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly env: NodeJS.ProcessEnv;
  /** Whether messages go to a terminal, so that colour makes sense. */
  readonly isTerminal: boolean;
  /** Whether data goes to one as well. */
  readonly isStdoutTerminal?: boolean;
}

/** The process's own. */
export const processIo: ConsoleIo = {
  stdout: (text) => void process.stdout.write(text),
  stderr: (text) => void process.stderr.write(text),
  env: process.env,
  isTerminal: process.stderr.isTTY,
  isStdoutTerminal: process.stdout.isTTY,
};

/** Exit codes of every subcommand. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const CODES = { red: 31, yellow: 33, green: 32 } as const;

/** Colours a word on terminals, unless NO_COLOR (no-color.org) asks for none. */
export function paint(io: Pick<ConsoleIo, 'env' | 'isTerminal'>, colour: keyof typeof CODES, text: string): string {
  const wanted = io.isTerminal && (io.env['NO_COLOR'] ?? '') === '' && io.env['TERM'] !== 'dumb';
  return wanted ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}
