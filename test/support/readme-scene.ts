import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { PhoneCall } from '../../src/sandbox/phone/phone-call.js';
import type { WhatsAppPhone } from '../../src/sandbox/phone/phone.js';
import type { Pbx } from '../../src/sandbox/pbx/pbx.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.js';
import { fencesOf } from './markdown.js';
import { plainTree, type PlainTree } from './plain-node.js';
import { freePort, rtpPorts, webrtcPorts } from './ports.js';
import { until } from './until.js';

const PROJECT = resolve(import.meta.dirname, '../..');
/** On a machine that is busy with other tests. */
const SLOW_START_MS = 50_000;
export const secrets = {
  token: 'token-of-the-readme',
  appSecret: 'app-secret-of-the-readme',
  verify: 'verify-of-the-readme',
};

/** What the page uses besides Node, for machines that lack it: `npm test` needs Node and npm packages alone. */
const standIns: Readonly<Record<string, string>> = {
  curl: 'fetch("http://" + process.argv[1]).then((r) => r.text()).then((text) => process.stdout.write(text))',
  openssl: 'console.log(require("crypto").randomBytes(Number(process.argv[3])).toString("hex"))',
};

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/**
 * What a reader of the README has: a shell in a folder with its `sip2wa.yaml`, a Meta (the sandbox's) and a PBX. `npx sip2wa` is
 * the program made of the sources as they are; addresses, ports and files of the page are replaced by ones of this machine.
 */
export class ReadmeScene {
  readonly folder = mkdtempSync(join(tmpdir(), 'sip2wa-readme-'));
  readonly #tree: PlainTree = plainTree(['src']);
  #daemon: { readonly process: ChildProcess; readonly log: () => string } | undefined;
  #live: PhoneCall | undefined;

  private constructor(
    readonly sandbox: Sandbox,
    readonly pbx: Pbx,
    readonly phone: WhatsAppPhone,
    private readonly ports: Readonly<Record<'sip' | 'webhook' | 'admin', number>>,
    private readonly page: string,
  ) {}

  static async start(page: string): Promise<ReadmeScene> {
    const ports = { sip: await freePort(), webhook: await freePort(), admin: await freePort() };
    const [number] = (configsOf(page)[0] as Config).numbers;
    const { token: accessToken, appSecret } = secrets;
    const businessNumber = String(number?.['number']);
    const sandbox = await startSandbox({ accessToken, appSecret, numberId: String(number?.['id']), businessNumber });
    const pbx = await sandbox.pbx();
    const phone = await sandbox.phone({ waId: '49301234567', profileName: 'Reader', permission: 'no_permission' });
    sandbox.setWebhook(`http://127.0.0.1:${ports.webhook}/webhook`);
    const scene = new ReadmeScene(sandbox, pbx, phone, ports, page);
    scene.#prepare();
    return scene;
  }

  #prepare(): void {
    copyFileSync(join(PROJECT, 'package.json'), this.#tree.path('package.json'));
    const bin = join(this.folder, 'bin');
    mkdirSync(bin);
    const program = (name: string, command: string): void =>
      writeFileSync(join(bin, name), `#!/bin/bash\n${command}\n`, { mode: 0o755 });
    const node = `exec "${process.execPath}"`;
    program('npx', `[ "$1" = sip2wa ] || exit 64\nshift\n${node} "${this.#tree.path('src/main.ts')}" "$@"`);
    for (const [name, script] of Object.entries(standIns)) {
      const isThere = spawnSync('bash', ['-c', `command -v ${name}`]).status === 0;
      if (!isThere) program(name, `${node} -e '${script}' -- "$@"`);
    }
    mkdirSync(join(this.folder, 'var/secrets'), { recursive: true });
    this.#store('var/secrets/whatsapp_token', secrets.token);
    this.#store('var/secrets/whatsapp_app_secret', secrets.appSecret);
    this.#store('var/secrets/verify_token', secrets.verify);
    this.write('first');
  }

  #store(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 });
  }

  /** Writes `sip2wa.yaml`: the first configuration of the page, or with those after it in place of the same sections. */
  write(which: 'first' | 'whole'): void {
    const blocks = configsOf(this.page).slice(0, which === 'first' ? 1 : undefined);
    this.#store('sip2wa.yaml', stringify(this.#config(Object.assign({}, ...blocks) as Config)));
  }

  /** On this machine's addresses. */
  #config(config: Config): Config {
    const { sip, webhook, admin } = this.ports;
    const [trunk] = config.trunks;
    return {
      ...config,
      graph: { ...config.graph, base_url: this.sandbox.graphUrl },
      webhook: { ...config.webhook, listen: `127.0.0.1:${webhook}` },
      admin: { listen: `127.0.0.1:${admin}` },
      sip: { ...config.sip, listen: config.sip.listen.map((text) => text.replace(/\/\/.*$/, `//127.0.0.1:${sip}`)) },
      media: {
        ...{ listen_ip: '127.0.0.1', remote_networks: ['127.0.0.0/8'], workers: 1 },
        ...{ rtp_ports: rtpPorts.join('-'), webrtc_ports: webrtcPorts.join('-') },
      },
      trunks: [
        {
          ...trunk,
          servers: [{ hostname: '127.0.0.1', port: this.pbx.address.port }],
          accept_from: ['127.0.0.1/32'],
        },
      ],
    };
  }

  /** A line of the page with what is elsewhere on this machine. */
  #here(line: string): string {
    return line
      .replaceAll('localhost:8081', `localhost:${this.ports.admin}`)
      .replaceAll('192.168.1.10:5060', `127.0.0.1:${this.pbx.address.port}`)
      .replaceAll('sip2wa sandbox', 'sip2wa sandbox --port 0')
      .replaceAll('--for 30s', '--for 1s');
  }

  get #env(): NodeJS.ProcessEnv {
    return {
      PATH: `${join(this.folder, 'bin')}:${process.env['PATH'] ?? ''}`,
      HOME: this.folder,
      SIP2WA_CONFIG: join(this.folder, 'sip2wa.yaml'),
      NO_COLOR: '1',
    };
  }

  #spawn(script: string, typed = ''): { readonly process: ChildProcess; readonly said: () => Said } {
    this.#store('typed', typed);
    const input = openSync(join(this.folder, 'typed'), 'r');
    const options = { cwd: this.folder, env: this.#env };
    const child = spawn('bash', ['-euc', script], { ...options, stdio: [input, 'pipe', 'pipe'] });
    closeSync(input);
    let [out, err] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
    return { process: child, said: () => ({ code: child.exitCode, out, err }) };
  }

  /** Runs a line, and what is to be looked at in the same shell after it, to its end; `typed` is what the reader types. */
  async run(line: string, { after = '', typed = '' } = {}): Promise<Said> {
    const { process: child, said } = this.#spawn(`${this.#here(line)}\n${after}`, typed);
    await once(child, 'close');
    return said();
  }

  /** Runs a line that goes on for ever until it has said something, then ends it as Ctrl-C does. */
  async watch(line: string, what: RegExp): Promise<Said> {
    const { process: child, said } = this.#spawn(`exec ${this.#here(line)}`);
    const closed = once(child, 'close');
    await until(() => what.test(said().out) || child.exitCode !== null, `${line} says ${String(what)}`, SLOW_START_MS);
    child.kill('SIGINT');
    await closed;
    return said();
  }

  /** A daemon that is ready, by the line of the page that runs it. */
  async daemon(line: string): Promise<void> {
    if (this.#daemon?.process.exitCode === null) return;
    const { process: child, said } = this.#spawn(`exec ${line}`);
    this.#daemon = { process: child, log: () => said().err };
    const isReady = (): boolean => {
      if (child.exitCode !== null) throw new Error(`the daemon ended: ${said().err}`);
      return said().err.includes('"msg":"ready"');
    };
    await until(isReady, 'a daemon that is ready', SLOW_START_MS);
    const verifyToken = this.fileOf('var/secrets/verify_token').toString().trim();
    if (!(await this.sandbox.webhooks.verify(verifyToken))) throw new Error('the webhook did not verify');
  }

  /** The beginning of the id of a call that is up: the user has called, the PBX has answered. */
  async call(): Promise<string> {
    this.#live ??= await this.#place();
    const { calls } = (await this.#ask('/v1/calls')) as { calls: { call: string }[] };
    return calls[0]?.call.slice(0, 14) ?? '';
  }

  async #place(): Promise<PhoneCall> {
    const call = await this.phone.call();
    const atPbx = await this.pbx.nextCall(15_000);
    await Promise.all([call.answered, atPbx.answered]);
    await until(() => this.#isMeasured(), 'figures of both sides', 20_000);
    void call.ended.then(() => (this.#live = undefined));
    return call;
  }

  async #isMeasured(): Promise<boolean> {
    const { calls } = (await this.#ask('/v1/calls')) as { calls: { quality: { whatsapp?: object; pbx?: object } }[] };
    return calls.some(({ quality: { whatsapp, pbx } }) => whatsapp !== undefined && pbx !== undefined);
  }

  /** A call that is over, by the user. */
  async endedCall(): Promise<void> {
    await this.call();
    this.#live?.hangup();
    const isOver = async (): Promise<boolean> => {
      const { calls } = (await this.#ask('/v1/calls?state=ended')) as { calls: unknown[] };
      return calls.length > 0;
    };
    await until(isOver, 'the end of a call', 15_000);
  }

  async #ask(path: string): Promise<unknown> {
    return (await fetch(`http://127.0.0.1:${this.ports.admin}${path}`)).json();
  }

  /** The exit code of the daemon, once it has ended. */
  async daemonEnds(): Promise<number | null> {
    const child = this.#daemon?.process;
    if (!child) throw new Error('no daemon runs');
    await until(() => child.exitCode !== null, 'the end of the daemon', 30_000);
    this.#live = undefined;
    return child.exitCode;
  }

  /** Lines that the daemon has logged. */
  get log(): string {
    return this.#daemon?.log() ?? '';
  }

  /** A file that a command has written. */
  fileOf(name: string): Buffer {
    return readFileSync(join(this.folder, name));
  }

  async stop(): Promise<void> {
    const child = this.#daemon?.process;
    if (child?.exitCode === null) {
      child.kill('SIGTERM');
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await this.sandbox.stop();
    this.#tree.remove();
    rmSync(this.folder, { recursive: true });
  }
}

type Block = Readonly<Record<string, unknown>>;

interface Config {
  readonly graph: Block;
  readonly webhook: Block;
  readonly admin?: Block;
  readonly sip: Block & { readonly listen: readonly string[] };
  readonly media?: Block;
  readonly trunks: readonly Block[];
  readonly numbers: readonly Block[];
}

const configsOf = (page: string): object[] =>
  fencesOf(page)
    .filter(({ language }) => language === 'yaml')
    .map(({ text }) => parse(text) as object);
