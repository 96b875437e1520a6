import { PeerProcess } from './child.js';

const PROMPT = 'ready> ';
const DEADLINE_MS = 10_000;
/** Of the shell's own: prints the line that is being written. */
const SHOW = '\u0018b';
const CLEAR = '\u0015';

/** How a shell is told to print the line that is being written, by ctrl-X b. */
const showLine = {
  bash: `bind -x '"\\C-xb": printf "<%s>\\\\n" "$READLINE_LINE"'`,
  zsh: `show() { zle -I; print -r -- "<$BUFFER>" }; zle -N show; bindkey '^Xb' show`,
} as const;

/** A shell on a terminal of its own, and somebody who types there. */
export class ShellTerminal {
  #seen = 0;

  private constructor(
    private readonly script: PeerProcess,
    private readonly shell: keyof typeof showLine,
  ) {}

  /** Starts the shell without anybody's settings but these lines. */
  static async start(
    shell: keyof typeof showLine,
    setup: readonly string[],
    { cwd, path }: { readonly cwd: string; readonly path: string },
  ): Promise<ShellTerminal> {
    const command = { bash: 'bash --norc --noprofile -i', zsh: 'zsh -f -i' }[shell];
    // `script` of util-linux gives it the terminal.
    const script = PeerProcess.start({
      ...{ command: 'script', args: ['-qec', command, '/dev/null'], cwd },
      env: { PATH: path, TERM: 'dumb', HOME: cwd, INPUTRC: '/dev/null' },
    });
    const terminal = new ShellTerminal(script, shell);
    try {
      await terminal.#says(/[#$%] /);
      // In two pieces: the terminal shows what is typed, too.
      const prompt = `PS1='${PROMPT.slice(0, 3)}''${PROMPT.slice(3)}'`;
      for (const line of [prompt, ...setup, showLine[shell]]) await terminal.#run(line);
    } catch (error) {
      await terminal.stop();
      throw error;
    }
    return terminal;
  }

  /** The line after these keys, with what the shell wrote into it; the terminal is at a new line again. */
  async lineAfter(keys: string): Promise<string> {
    this.script.stdin.write(`${keys}${SHOW}`);
    const [, line = ''] = await this.#says(/<([^>]*)>\r?\n/);
    await this.#clear();
    return line;
  }

  /** What the terminal shows after these keys, as soon as it shows this. */
  async screenAfter(keys: string, wanted: RegExp): Promise<string> {
    this.script.stdin.write(keys);
    const { input, index, 0: found } = await this.#says(wanted);
    await this.#clear();
    return (input ?? '').slice(0, (index ?? 0) + found.length);
  }

  stop(): Promise<void> {
    return this.script.stop();
  }

  async #run(line: string): Promise<void> {
    this.script.stdin.write(`${line}\n`);
    await this.#says(PROMPT);
  }

  /** Away with the line, and a new prompt. */
  async #clear(): Promise<void> {
    this.script.stdin.write(`${CLEAR}echo clear$((40 + 2))\n`);
    await this.#says(/clear42\r?\n/);
    await this.#says(PROMPT);
  }

  async #says(wanted: RegExp | string): Promise<RegExpExecArray> {
    const pattern = typeof wanted === 'string' ? new RegExp(wanted) : wanted;
    const heard = (): string => this.script.output.slice(this.#seen);
    try {
      const found = await this.script.ready(DEADLINE_MS, () => pattern.exec(heard()) ?? undefined);
      this.#seen += found.index + found[0].length;
      return found;
    } catch (error) {
      throw new Error(`${this.shell} never said ${String(pattern)} but ${JSON.stringify(heard())}`, { cause: error });
    }
  }
}
