import { writeFileSync } from 'node:fs';
import { loadConfig } from '../../../src/config/load-config.js';
import { startDaemon, type Daemon } from '../../../src/daemon.js';
import { RecordingLogger } from '../recording-logger.js';
import { tlsFile } from '../tls-fixtures.js';
import { address } from './addresses.js';
import { business, Meta, secrets } from './meta.js';
import type { Scene } from './scene.js';
import { until } from './until.js';

export interface BridgeOptions {
  /** Address of the PBX, which is the only one that may call in. */
  readonly pbx: string;
  /** With `tls` the PBX must prove the name `pbx.test`. */
  readonly transport?: 'udp' | 'tcp' | 'tls';
  /** User part to dial at the PBX; default: the business number. */
  readonly to?: string;
  readonly codecs?: string;
  /** Address of the media sockets; default: the bridge's. */
  readonly mediaAddress?: string;
  /** More keys of the trunk, as a line of YAML. */
  readonly trunk?: string;
  /** Who may call in; default: the PBX. */
  readonly acceptFrom?: string;
  /** Another business number on the same trunk. */
  readonly second?: { readonly id: string; readonly number: string };
}

/** Meta as the daemon sees it: a Graph API, and somebody who is told where webhooks go. */
export interface GraphSide {
  readonly baseUrl: string;
  deliverTo(webhookUrl: string): void;
}

/** The daemon, from a real configuration file, between a PBX and Meta. */
export class Bridge<G extends GraphSide = Meta> {
  private constructor(
    private readonly daemon: Daemon,
    private readonly logger: RecordingLogger,
    readonly meta: G,
  ) {}

  /** Starts Meta's signalling, driven step by step by the test, and the daemon. */
  static async start(scene: Scene, options: BridgeOptions): Promise<Bridge> {
    return Bridge.startBefore(scene, options, scene.add(await Meta.start(address.meta)));
  }

  /** Starts the daemon before a Meta that is there already. */
  static async startBefore<G extends GraphSide>(scene: Scene, options: BridgeOptions, meta: G): Promise<Bridge<G>> {
    const file = scene.path('sip2wa.yaml');
    writeFileSync(file, configuration(scene, options, meta.baseUrl), { mode: 0o600 });
    const result = loadConfig({ file, env: {} });
    if (!result.ok) throw new Error(`the configuration of the test is wrong: ${JSON.stringify(result.errors)}`);
    const logger = new RecordingLogger();
    const daemon = scene.add(await startDaemon({ config: result.config, logger }));
    const { host, port } = daemon.addresses.webhook;
    meta.deliverTo(`http://${host}:${port}/webhook`);
    return new Bridge(daemon, logger, meta);
  }

  /** Waits until no call is left. */
  async idle(deadlineMs: number): Promise<void> {
    await until('the bridge without calls', deadlineMs, () => this.daemon.calls() === 0 || undefined);
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }

  /** Steps of the only call, in their order. */
  get steps(): string[] {
    const [call] = this.daemon.timeline.calls;
    return call === undefined ? [] : this.daemon.timeline.stepsOf(call).map(({ step }) => step);
  }

  /** Lines at warn and error, for a test that expects none and for the report of a failure. */
  get complaints(): string[] {
    return this.logger.lines
      .filter(({ level }) => level === 'warn' || level === 'error')
      .map(({ level, message, fields }) => `${level}: ${message} ${JSON.stringify(fields)}`);
  }

  /** Waits for a step of the only call. */
  async step(name: string, deadlineMs: number): Promise<void> {
    await until(`step ${name}`, deadlineMs, () => this.steps.includes(name) || undefined);
  }

  /** The last lines of its log. */
  get log(): string {
    return this.logger.lines
      .slice(-40)
      .map(({ level, message, fields }) => `${level} ${message} ${JSON.stringify(fields)}`)
      .join('\n');
  }
}

function configuration(scene: Scene, options: BridgeOptions, graph: string): string {
  const { pbx, transport = 'udp', to, codecs = '[PCMA, PCMU]', mediaAddress = address.bridge, second } = options;
  return `
graph: { base_url: "${graph}", access_token: ${secrets.token}, app_secret: ${secrets.app} }
webhook: { listen: "${address.bridge}:8080", verify_token: ${secrets.verify} }
admin: { listen: "${address.bridge}:8081" }
sip:
  listen: ["udp://${address.bridge}:5060", "tcp://${address.bridge}:5060", "tls://${address.bridge}:5061"]
  tls: { cert: ${tlsFile('bridge.pem')}, key: ${tlsFile('bridge.key')} }
media:
  listen_ip: ${mediaAddress}
  rtp_ports: 20000-20099
  webrtc_ports: 10000-10099
  remote_networks: [127.0.0.0/8]
trunks:
  - name: pbx
    servers: [{ hostname: ${pbx}, port: ${transport === 'tls' ? 5061 : 5060}, transport: ${transport} }]
${transport === 'tls' ? `    tls: { ca: ${tlsFile('ca.pem')}, server_name: pbx.test }` : ''}
    accept_from: ${options.acceptFrom ?? `[${pbx}/32]`}
    codecs: ${codecs}
${options.trunk === undefined ? '' : `    ${options.trunk}`}
    qualify: 0s
numbers:
  - { id: "${business.id}", number: "+${business.number}", name: sales, trunk: pbx }
${second === undefined ? '' : `  - { id: "${second.id}", number: "+${second.number}", name: second, trunk: pbx }`}
${to === undefined ? '' : `routes: [{ number: sales, trunk: pbx, to: "${to}" }]`}
journal: { dir: "${scene.path('journal')}" }
cdr: { file: "${scene.path('cdr.jsonl')}" }
`;
}
