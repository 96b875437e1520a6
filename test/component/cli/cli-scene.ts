import { runCli } from '../../../src/cli/program.js';
import { startSandbox, type Sandbox } from '../../../src/sandbox/sandbox.js';
import { CapturedConsole } from '../../support/captured-console.js';
import { ConfigFile } from '../../support/config-file.js';

export const NUMBER_ID = '105615555715855';
export const BUSINESS = '+12025550142';

/** The command line, a stand-in for Meta, and a configuration file that brings them together. */
export class CliScene {
  /** What the last command said. */
  said = new CapturedConsole();
  readonly #file = new ConfigFile();

  private constructor(readonly sandbox: Sandbox) {}

  static async start(accessToken: string): Promise<CliScene> {
    const meta = { accessToken, appSecret: 'app-secret-of-the-test', numberId: NUMBER_ID };
    return new CliScene(await startSandbox({ ...meta, businessNumber: BUSINESS }));
  }

  get config(): string {
    return this.#file.path;
  }

  write(yaml: string): void {
    this.#file.write(yaml);
  }

  get out(): string {
    return this.said.out;
  }

  get err(): string {
    return this.said.err;
  }

  run(...args: string[]): Promise<number> {
    this.said = new CapturedConsole();
    return runCli([...args, '--config', this.config], this.said);
  }

  async stop(): Promise<void> {
    await this.sandbox.stop();
    this.#file.remove();
  }
}
