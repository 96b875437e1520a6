import type { ConsoleIo } from '../../src/cli/console-io.js';

/** What a command said, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A console that keeps what commands write to it. */
export class CapturedConsole implements ConsoleIo {
  out = '';
  err = '';
  readonly stdout = (text: string): void => void (this.out += text);
  readonly stderr = (text: string): void => void (this.err += text);

  constructor(
    readonly env: NodeJS.ProcessEnv = {},
    readonly isTerminal = false,
    readonly isStdoutTerminal = false,
  ) {}
}

/** Runs a command to its end. */
export async function saidBy(
  run: (io: ConsoleIo) => number | Promise<number>,
  io = new CapturedConsole(),
): Promise<Said> {
  const code = await run(io);
  return { code, out: io.out, err: io.err };
}
