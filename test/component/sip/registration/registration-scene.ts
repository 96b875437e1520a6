import { MemoryJournal } from '../../../../src/journal/memory-journal.js';
import { systemIds } from '../../../../src/lib/ids.js';
import type { SipServer, Trunk } from '../../../../src/routing/types.js';
import {
  startEmbeddedSipServer,
  type EmbeddedSipServer,
} from '../../../../src/sip-server/start-embedded-sip-server.js';
import type { InboundCall } from '../../../../src/sip/inbound-call.js';
import type { RegistrationChange } from '../../../../src/sip/registration/trunk-registration.js';
import { SipUserAgent } from '../../../../src/sip/sip-user-agent.js';
import { FakeMediaEngine } from '../../../support/fake-media-engine.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { sceneAuth, sceneTrunk } from '../../../support/sip-scene.js';
import { SipScriptPeer, type PeerMessage } from '../../../support/sip-script-peer.js';
import { SkippableClock } from '../../../support/skippable-clock.js';
import { TcpCable } from '../../../support/tcp-cable.js';
import { Registrar } from './registrar.js';

export interface RegistrationSceneOptions {
  readonly transport?: 'udp' | 'tcp';
  readonly trunk?: Partial<Trunk>;
  /** How many registrars the trunk has. */
  readonly servers?: number;
  /** More trunks, at the first registrar. */
  readonly more?: readonly Partial<Trunk>[];
  /** Over a connection that can be broken. */
  readonly cable?: boolean;
}

/** The SIP room with trunks that register, before scripted registrars, with a clock that can be moved on. */
export class RegistrationScene {
  readonly changes: RegistrationChange[] = [];
  readonly calls: InboundCall[] = [];
  #isStopped = false;

  private constructor(
    readonly clock: SkippableClock,
    readonly server: EmbeddedSipServer,
    readonly agent: SipUserAgent,
    readonly trunk: Trunk,
    readonly registrars: readonly Registrar[],
    readonly logger: RecordingLogger,
    readonly cable: TcpCable | undefined,
  ) {
    agent.registrations.onChange((change) => this.changes.push(change));
    agent.onInboundCall((call) => this.calls.push(call));
  }

  static async start(options: RegistrationSceneOptions = {}): Promise<RegistrationScene> {
    const { transport = 'udp', servers = 1, more = [] } = options;
    const clock = new SkippableClock();
    const logger = new RecordingLogger();
    const host = '127.0.0.1';
    const server = await startEmbeddedSipServer({
      listen: [{ transport, host, port: 0 }],
      timers: { t1Ms: 50, t2Ms: 400, t4Ms: 500 },
      clock,
      logger,
    });
    const registrars: Registrar[] = [];
    for (let count = 0; count < servers; count++) registrars.push(new Registrar(await SipScriptPeer[transport]()));
    const own = { auth: sceneAuth, register: true, acceptFrom: [], acceptFromServers: true };
    const places = registrars.map(({ peer }) => placeOf(peer));
    const trunk = { ...sceneTrunk, ...own, servers: places, ...options.trunk };
    const others = more.map((one) => ({ ...sceneTrunk, ...own, servers: places.slice(0, 1), ...one }));
    const cable = options.cable ? await TcpCable.to(server.port) : undefined;
    const agent = new SipUserAgent({
      connect: cable ? { host: server.host, port: cable.port, secret: server.secret } : server,
      ...{ trunks: [trunk, ...others], media: new FakeMediaEngine(), journal: new MemoryJournal() },
      observer: { step: () => undefined },
      ...{ logger, clock, ids: systemIds, random: () => 0 },
      ...{ serverEndsOrphans: () => true, onConnectionLost: server.onConnectionLost, timeouts: { closeMs: 2_000 } },
    });
    await agent.connect();
    const scene = new RegistrationScene(clock, server, agent, trunk, registrars, logger, cable);
    agent.registrations.start();
    return scene;
  }

  get registrar(): Registrar {
    return this.registrars[0]!;
  }

  get state(): string {
    return this.agent.registrations
      .statuses()
      .map(({ isRegistered, why }) => (isRegistered ? 'up' : (why ?? '?')))
      .join();
  }

  get address(): { host: string; port: number } {
    const { host, port } = this.server.sockets[0]!;
    return { host, port };
  }

  /** How many REGISTERs were granted, as the trunk sees it. */
  get grants(): number {
    return this.logged('debug').filter((message) => message === 'registration granted').length;
  }

  /** How many attempts failed. */
  get failures(): number {
    return this.logged('debug').filter((message) => message === 'registration attempt failed').length;
  }

  /** What was logged of registrations at these levels. */
  logged(...levels: string[]): string[] {
    return this.logger.lines.filter(({ level }) => levels.includes(level)).map(({ message }) => message);
  }

  /** Un-registers by itself: whoever asks for that is granted it. Idempotent. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    const closing = this.agent.close();
    await Promise.all(
      this.registrars.map(async (registrar) => {
        const isLast = (m: PeerMessage): boolean => m.method === 'REGISTER' && m.get('Expires') === '0';
        const last = await registrar.peer.next(isLast, 'the last REGISTER', 200).catch(() => undefined);
        if (last) registrar.grant(last);
      }),
    );
    // Where a REGISTER is left unanswered, its deadline is waited for.
    this.clock.skip(2_000);
    await closing;
    await this.server.stop();
    await this.cable?.cut();
    await Promise.all(this.registrars.map(({ peer }) => peer.stop()));
  }
}

const placeOf = ({ host, port, transport }: SipScriptPeer): SipServer => ({
  ...{ hostname: host, port, transport, priority: 1, weight: 1, requestUriUserParams: {} },
});
