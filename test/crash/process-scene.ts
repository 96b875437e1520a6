import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminAsker } from '../support/admin-asker.js';
import { freePort, rtpPorts, webrtcPorts } from '../support/ports.js';
import { APP_SECRET, BUSINESS, NUMBER_ID } from '../support/test-number.js';
import { until } from '../support/until.js';
import { CountingMeta } from './counting-meta.js';
import { CountingPbx } from './counting-pbx.js';
import { DaemonProcess } from './daemon-process.js';

/** The built daemon as a process, between a Meta and a PBX that count what is up. */
export class ProcessScene {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sip2wa-process-'));
  readonly daemon: DaemonProcess;
  readonly admin: AdminAsker;

  private constructor(
    readonly meta: CountingMeta,
    readonly pbx: CountingPbx,
    private readonly ports: { readonly webhook: number; readonly admin: number; readonly sip: number },
    more: string,
    private readonly cdr: string,
  ) {
    this.daemon = new DaemonProcess(this.configFile, join(this.#folder, 'log'), ports.admin);
    this.admin = new AdminAsker(ports.admin);
    this.write(more);
  }

  /** Not yet started. `more`: whole top-level sections of the configuration; `cdr`: keys of that section beside its file. */
  static async prepare(more = '', cdr = ''): Promise<ProcessScene> {
    const ports = { webhook: await freePort(), admin: await freePort(), sip: await freePort() };
    const meta = await CountingMeta.start(`http://127.0.0.1:${ports.webhook}/webhook`);
    return new ProcessScene(meta, await CountingPbx.start(), ports, more, cdr);
  }

  static async start(more = '', cdr = ''): Promise<ProcessScene> {
    const scene = await ProcessScene.prepare(more, cdr);
    scene.daemon.start();
    await scene.daemon.ready();
    return scene;
  }

  /** A file or folder of the daemon's. */
  path(name: string): string {
    return join(this.#folder, name);
  }

  get configFile(): string {
    return this.path('sip2wa.yaml');
  }

  get sip(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.ports.sip };
  }

  get adminPort(): number {
    return this.ports.admin;
  }

  /** Call records so far. */
  get records(): Record<string, unknown>[] {
    const file = this.path('cdr.jsonl');
    const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Lines of the log that are JSON, which are all of the daemon's own. */
  get log(): Record<string, unknown>[] {
    const lines = this.daemon.tail(100_000).split('\n');
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Writes the configuration anew; `change` is made to what stands there otherwise. */
  write(more: string, change: (yaml: string) => string = (yaml) => yaml): void {
    const { webhook, admin, sip } = this.ports;
    const yaml = `
graph: { base_url: "${this.meta.baseUrl}", access_token: token-of-the-test, app_secret: ${APP_SECRET}, timeout: 5s }
webhook: { listen: "127.0.0.1:${webhook}", verify_token: verify-of-the-test }
admin: { listen: "127.0.0.1:${admin}" }
sip: { listen: ["udp://127.0.0.1:${sip}"] }
media: { listen_ip: 127.0.0.1, rtp_ports: ${rtpPorts.join('-')}, webrtc_ports: ${webrtcPorts.join('-')}, remote_networks: [127.0.0.0/8] }
settings: { push: "off" }
trunks:
  - { name: pbx, servers: [{ hostname: 127.0.0.1, port: ${this.pbx.port} }], accept_from: [127.0.0.1/32], qualify: 0s }
numbers:
  - { id: "${NUMBER_ID}", number: "+${BUSINESS}", name: sales, trunk: pbx }
journal: { dir: "${this.#folder}/journal" }
cdr: { file: "${this.path('cdr.jsonl')}", ${this.cdr.replaceAll('@FOLDER@', this.#folder)} }
${more}
`;
    writeFileSync(this.configFile, change(yaml), { mode: 0o600 });
  }

  /** States of the live calls, as the admin API has them. */
  async states(): Promise<string[]> {
    return (await this.admin.calls()).map(({ state }) => state);
  }

  /** So many users call and the PBX answers each. */
  async talk(count: number): Promise<void> {
    const connected = async (): Promise<number> => (await this.states()).filter((one) => one === 'connected').length;
    const before = await connected();
    this.pbx.script = () => ({ ringMs: 0, hasEarlyMedia: false, answerMs: 20, hangupMs: undefined });
    for (let at = 0; at < count; at++) this.meta.userCall(`4917000000${String(10 + at)}`);
    await until(async () => (await connected()) === before + count, `${count} calls\n${this.daemon.tail()}`, 10_000);
  }

  /** Ends the process as well, if it is still there. */
  async close(): Promise<void> {
    await this.daemon.kill();
    await this.pbx.close();
    await this.meta.close();
    rmSync(this.#folder, { recursive: true });
  }
}
