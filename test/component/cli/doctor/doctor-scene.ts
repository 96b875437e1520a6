import { join } from 'node:path';
import { doctorCommand, type DoctorSurroundings } from '../../../../src/cli/doctor.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { startSandbox, type Sandbox } from '../../../../src/sandbox/sandbox.js';
import { CapturedConsole } from '../../../support/captured-console.js';
import { ConfigFile } from '../../../support/config-file.js';
import { freePort, rtpPorts } from '../../../support/ports.js';
import { SipScriptPeer, type PeerMessage } from '../../../support/sip-script-peer.js';
import { BUSINESS, NUMBER_ID } from '../cli-scene.js';

/** In all secrets of the file: no output may show one. */
const canaries = ['canary-token', 'canary-secret', 'canary-verify', 'canary-admin-token', 'canary-drachtio'];

export interface SceneFile {
  /** Content of the number's settings.calling. */
  readonly settings?: string;
  readonly number?: string;
  readonly numberId?: string;
  readonly graph?: string;
  readonly secret?: string;
  readonly sip?: string;
  readonly trunk?: string;
  readonly journal?: string;
  readonly cdr?: string;
  readonly media?: string;
  readonly admin?: string;
  readonly adminToken?: string;
  readonly webhook?: string;
}

interface Line {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
  readonly cure: string | null;
}

/** A configuration whose Meta and PBX are on this machine, and the doctor run on it. */
export class DoctorScene {
  readonly #config = new ConfigFile();
  readonly folder = this.#config.folder;
  readonly file = this.#config.path;
  readonly #answering = new Set<SipScriptPeer>();
  #ports = 0;
  out = '';
  err = '';

  private constructor(
    readonly sandbox: Sandbox,
    readonly pbx: SipScriptPeer,
    readonly webhookPort: number,
    readonly adminPort: number,
  ) {}

  static async start(): Promise<DoctorScene> {
    const sandbox = await startSandbox({
      ...{ appSecret: 'canary-secret', accessToken: 'canary-token', numberId: NUMBER_ID, businessNumber: BUSINESS },
    });
    const scene = new DoctorScene(sandbox, await SipScriptPeer.udp(), await freePort(), await freePort());
    scene.answer(scene.pbx);
    sandbox.setWebhook(`http://127.0.0.1:${scene.webhookPort}/webhook`);
    return scene;
  }

  /** The peer answers every OPTIONS with this status from now on. */
  answer(peer: SipScriptPeer, status = 200): void {
    this.#answering.add(peer);
    void this.#answer(peer, status);
  }

  write(file: SceneFile = {}): void {
    const { settings, number = BUSINESS, numberId = NUMBER_ID, secret = 'canary-secret' } = file;
    const base = rtpPorts[0] + (this.#ports++ % 2) * 100;
    const calling = settings === undefined ? '' : `\n    settings: { calling: { ${settings} } }`;
    this.#config.write(`
graph: { base_url: "${file.graph ?? this.sandbox.graphUrl}", access_token: canary-token, app_secret: ${secret}, timeout: 2s }
webhook: { verify_token: canary-verify, listen: "127.0.0.1:${this.webhookPort}"${file.webhook ?? ''} }
admin: { listen: "${file.admin ?? `127.0.0.1:${this.adminPort}`}", token: ${file.adminToken ?? 'canary-admin-token'} }
sip: ${file.sip ?? '{ listen: ["udp://127.0.0.1:0"] }'}
media: ${file.media ?? `{ listen_ip: 127.0.0.1, rtp_ports: ${base}-${base + 49}, webrtc_ports: ${base + 50}-${base + 99} }`}
journal: { dir: "${file.journal ?? join(this.folder, 'journal')}" }
cdr: { file: "${file.cdr ?? join(this.folder, 'cdr.jsonl')}" }
settings: { push: "off" }
trunks:
  - name: pbx
    ${file.trunk ?? `servers: [{ hostname: 127.0.0.1, port: ${this.pbx.port} }]`}
    accept_from: [127.0.0.1/32]
    max_calls: 10
numbers:
  - id: "${numberId}"
    number: "${number}"
    name: sales
    trunk: pbx${calling}
`);
  }

  /** Runs it for people. */
  async run(names: readonly string[] = [], surroundings: DoctorSurroundings = {}, isTerminal = false): Promise<number> {
    return this.#run(names, false, surroundings, isTerminal);
  }

  /** Runs it for machines and returns the checks by name. */
  async checks(surroundings: DoctorSurroundings = {}): Promise<Map<string, Line>> {
    await this.#run([], true, surroundings, false);
    const { checks, ...more } = JSON.parse(this.out) as { checks?: Line[] };
    if (!checks) throw new Error(JSON.stringify(more));
    return new Map(checks.map((check) => [check.name, check]));
  }

  /** One check of a run. */
  async check(name: string, surroundings: DoctorSurroundings = {}): Promise<Line> {
    const all = await this.checks(surroundings);
    const found = all.get(name);
    if (!found) throw new Error(`no check ${name}; there are: ${[...all.keys()].join(', ')}; ${this.err}`);
    return found;
  }

  async #run(names: readonly string[], json: boolean, more: DoctorSurroundings, isTerminal: boolean): Promise<number> {
    const io = new CapturedConsole({}, isTerminal);
    const code = await doctorCommand(names, { config: this.file, json }, io, { clock: systemClock, ...more });
    [this.out, this.err] = [io.out, io.err];
    const shown = canaries.filter((canary) => (this.out + this.err).includes(canary));
    if (shown.length > 0) throw new Error(`secrets were shown: ${shown.join(', ')}`);
    return code;
  }

  async close(): Promise<void> {
    const peers = [...this.#answering];
    this.#answering.clear();
    await this.sandbox.stop();
    await Promise.all(peers.map((peer) => peer.stop()));
    this.#config.remove();
  }

  async #answer(peer: SipScriptPeer, status: number): Promise<void> {
    while (this.#answering.has(peer)) {
      const request = await peer.request('OPTIONS', 60_000).catch(() => undefined);
      if (request) peer.send(responseTo(request, status), request.connection ?? request.from);
    }
  }
}

function responseTo(request: PeerMessage, status: number): string {
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].flatMap((name) =>
    request.all(name).map((value) => `${name}: ${value}${name === 'To' ? ';tag=pbx' : ''}`),
  );
  return `${[`SIP/2.0 ${status} Said`, ...copied, 'Content-Length: 0'].join('\r\n')}\r\n\r\n`;
}
