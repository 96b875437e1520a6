import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePort } from './ports.js';

/** Path of a drachtio-server binary. It is in no package of Debian's: whoever has built one can run this against it. */
export const drachtioBinary = process.env['SIP2WA_DRACHTIO'];
/** Of its command port. */
export const drachtioSecret = 'for-this-test';

/** A drachtio-server on free ports of loopback. */
export class DrachtioServer {
  readonly #dir = mkdtempSync(join(tmpdir(), 'sip2wa-drachtio-'));
  #process: ChildProcess | undefined;

  private constructor(
    readonly adminPort: number,
    readonly sipPort: number,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** `env` is for the server, beside ours. */
  static async start(env: NodeJS.ProcessEnv = {}): Promise<DrachtioServer> {
    const server = new DrachtioServer(await freePort(), await freePort(), env);
    await server.run();
    return server;
  }

  async run(): Promise<void> {
    const conf = join(this.#dir, 'conf.xml');
    writeFileSync(
      conf,
      `<drachtio><admin port="${this.adminPort}" secret="${drachtioSecret}">127.0.0.1</admin>
      <sip><contacts><contact>sip:127.0.0.1:${this.sipPort};transport=udp,tcp</contact></contacts></sip>
      <logging><file><name>${join(this.#dir, 'log')}</name></file><loglevel>error</loglevel></logging></drachtio>`,
    );
    this.#process = spawn(drachtioBinary!, ['-f', conf], { stdio: 'ignore', env: { ...process.env, ...this.env } });
    const ready = { admin: false };
    const asked = setInterval(() => {
      isListening(this.adminPort).then(
        (is) => (ready.admin ||= is),
        () => undefined,
      );
    }, 50);
    await eventually(() => ready.admin, 'drachtio-server up', 5000).finally(() => clearInterval(asked));
  }

  async kill(): Promise<void> {
    const gone = once(this.#process!, 'exit');
    this.#process!.kill('SIGKILL');
    await gone;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process!.kill(signal);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
