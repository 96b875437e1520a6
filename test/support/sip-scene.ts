import { expect } from 'vitest';
import type { CallStep } from '../../src/call/observer.js';
import type { LegEvent } from '../../src/call/leg.js';
import { systemClock } from '../../src/lib/clock.js';
import { systemIds } from '../../src/lib/ids.js';
import { MemoryJournal } from '../../src/journal/memory-journal.js';
import type { SipServer, Target, Trunk, TrunkAuth } from '../../src/routing/types.js';
import { startEmbeddedSipServer, type EmbeddedSipServer } from '../../src/sip-server/start-embedded-sip-server.js';
import type { SipTimeouts } from '../../src/sip/sip-timeouts.js';
import type { InboundCall } from '../../src/sip/inbound-call.js';
import type { OutboundLegOptions } from '../../src/sip/outbound-sip-leg.js';
import { SipUserAgent } from '../../src/sip/sip-user-agent.js';
import { DrachtioServer, drachtioSecret } from './drachtio-server.js';
import { FakeMediaEngine } from './fake-media-engine.js';
import { LegLog } from './leg-log.js';
import { RecordingLogger } from './recording-logger.js';
import { SipScriptPeer } from './sip-script-peer.js';

/** RFC 3261 timers ten times faster, so that what takes 32 s takes 3. */
const fastTimers = { t1Ms: 50, t2Ms: 400, t4Ms: 500 };

export const sceneTrunk: Trunk = {
  name: 'pbx',
  servers: [],
  acceptFrom: ['127.0.0.1/32'],
  acceptFromServers: false,
  codecs: ['PCMA', 'PCMU'],
  auth: undefined,
  register: false,
  dtmf: 'rfc4733',
  srtp: 'off',
  permission: 'none',
  maxCalls: 10,
};

/** Credentials of a trunk that has some. */
export const sceneAuth: TrunkAuth = {
  username: 'bridge',
  password: 'hunter2-secret',
  realm: undefined,
  algorithms: ['SHA-256', 'MD5'],
  uri: 'request',
};

export interface SceneOptions {
  readonly trunk?: Partial<Trunk>;
  /** A second trunk. */
  readonly otherTrunk?: Partial<Trunk>;
  readonly timeouts?: Partial<SipTimeouts>;
  readonly transport?: 'udp' | 'tcp';
  /** Session timers of the SIP server, in seconds. */
  readonly session?: { readonly expiresS: number; readonly minS: number };
  /** False: orphans are the user agent's, as with a drachtio-server. */
  readonly serverEndsOrphans?: boolean;
  /** Runs on a drachtio-server instead of the embedded one. */
  readonly onDrachtio?: boolean;
}

/** What a scene needs of its SIP server. */
type SceneServer = Pick<EmbeddedSipServer, 'host' | 'port' | 'secret' | 'sockets' | 'stop'>;

async function drachtioServer(): Promise<SceneServer> {
  const server = await DrachtioServer.start();
  return {
    ...{ host: '127.0.0.1', port: server.adminPort, secret: drachtioSecret },
    sockets: [{ transport: 'udp', host: '127.0.0.1', port: server.sipPort }],
    stop: () => server.stop(),
  };
}

/** A drachtio-server hears which methods we take after it has let us in, and answers 503 until then. */
async function routed({ sockets: [socket] }: SceneServer): Promise<void> {
  if (!socket) throw new Error('no socket');
  const peer = await SipScriptPeer.udp();
  let isOurs = false;
  for (let asked = 0; asked < 30 && !isOurs; asked++) {
    peer.send(peer.newRequest('OPTIONS', `sip:${socket.host}:${socket.port}`), socket);
    const answer = peer.next(({ status = 0 }) => status >= 200, 'answer to OPTIONS', 300);
    isOurs = await answer.then(
      ({ status }) => status === 200,
      () => false,
    );
  }
  if (!isOurs) throw new Error('drachtio-server hands us no requests');
  await peer.stop();
}

const embeddedServer = (
  { transport = 'udp', session }: SceneOptions,
  logger: RecordingLogger,
  late: { readonly agent?: SipUserAgent },
): Promise<SceneServer> =>
  startEmbeddedSipServer({
    answerChallenge: (refresh) => late.agent?.answerChallenge(refresh),
    listen: [{ transport, host: '127.0.0.1', port: 0 }],
    timers: fastTimers,
    ...(session ? { session } : {}),
    logger,
  });

/** The SIP room for real (drachtio-srf, embedded SIP server, sockets on loopback) with a media engine that only speaks SDP. */
export class SipScene {
  readonly calls: InboundCall[] = [];
  readonly #callWaiters: ((call: InboundCall) => void)[] = [];

  private constructor(
    readonly server: SceneServer,
    readonly agent: SipUserAgent,
    readonly media: FakeMediaEngine,
    readonly journal: MemoryJournal,
    readonly logger: RecordingLogger,
    readonly steps: CallStep[],
    readonly trunk: Trunk,
  ) {
    agent.onInboundCall((call) => {
      this.calls.push(call);
      for (const resolve of this.#callWaiters.splice(0)) resolve(call);
    });
  }

  static async start(options: SceneOptions = {}): Promise<SipScene> {
    const logger = new RecordingLogger();
    const late: { agent?: SipUserAgent } = {};
    const server = options.onDrachtio ? await drachtioServer() : await embeddedServer(options, logger, late);
    const trunk = { ...sceneTrunk, ...options.trunk };
    const media = new FakeMediaEngine();
    const journal = new MemoryJournal();
    const steps: CallStep[] = [];
    const agent = new SipUserAgent({
      connect: server,
      trunks: options.otherTrunk ? [trunk, { ...sceneTrunk, name: 'other', ...options.otherTrunk }] : [trunk],
      media,
      journal,
      observer: { step: (_call, step) => void steps.push(step) },
      logger,
      clock: systemClock,
      ids: systemIds,
      ...(options.serverEndsOrphans === false || options.onDrachtio ? {} : { serverEndsOrphans: () => true }),
      timeouts: { ...(options.timeouts ?? {}) },
    });
    late.agent = agent;
    await agent.connect();
    if (options.onDrachtio) await routed(server);
    return new SipScene(server, agent, media, journal, logger, steps, trunk);
  }

  /** @throws Error when the application sent a frame that a drachtio-server might choke on: the embedded server tells of it */
  async stop(): Promise<void> {
    await this.agent.close();
    await this.server.stop();
    const isTooLarge = (message: string): boolean => message.startsWith('frame too large for a drachtio-server');
    if (this.logger.lines.some(({ message }) => isTooLarge(message)))
      throw new Error('a frame of more than 4,000 bytes');
  }

  /** Where the scene's SIP server listens. */
  get address(): { host: string; port: number } {
    const [socket] = this.server.sockets;
    if (!socket) throw new Error('no socket');
    return { host: socket.host, port: socket.port };
  }

  uri(user = '+4915112345678'): string {
    return `sip:${user}@${this.address.host}:${this.address.port}`;
  }

  target(peer: SipScriptPeer, overrides: Partial<SipServer> = {}): Target {
    const server: SipServer = {
      hostname: peer.host,
      port: peer.port,
      transport: peer.transport,
      priority: 1,
      weight: 1,
      requestUriUserParams: {},
      ...overrides,
    };
    return { trunk: this.trunk, server, user: '+15551112222' };
  }

  /** The peer as one of the trunk's own servers, to which its password may be shown. */
  ownTarget(peer: SipScriptPeer, overrides: Partial<SipServer> = {}): Target {
    const target = this.target(peer, overrides);
    return { ...target, trunk: { ...this.trunk, servers: [target.server] } };
  }

  /** A leg to a peer, listened to but not dialled. */
  outbound(target: Target, overrides: Partial<OutboundLegOptions> = {}) {
    const options: OutboundLegOptions = {
      call: systemIds.callId(),
      target,
      caller: { user: '+4915112345678', name: 'Anna' },
      whatsApp: {
        numberId: '105',
        callId: 'wacid.ABC==',
        direction: 'user_initiated',
        payload: { type: 'cta', text: 'spring' },
      },
      ...overrides,
    };
    const leg = this.agent.createOutboundLeg(options);
    return { leg, log: new LegLog(leg), call: options.call };
  }

  /** The next call that was announced, also one that came before. */
  async call(deadlineMs = 4000): Promise<InboundCall> {
    const known = this.calls[0];
    if (known) return known;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no call in ${deadlineMs} ms`)), deadlineMs);
      this.#callWaiters.push((call) => {
        clearTimeout(timer);
        resolve(call);
      });
    });
  }
}

/** Ends a scene and its PBX, after which nothing of a call may be left. */
export async function stopClean(scene: SipScene, pbx: SipScriptPeer): Promise<void> {
  await scene.stop();
  await pbx.stop();
  expect(scene.agent.legs).toBe(0);
  expect(scene.media.open).toBe(0);
}

/** What every leg must have reported when it is over: `terminated`, once and last. */
export function endsOnce(events: readonly LegEvent[]): boolean {
  return events.filter(({ type }) => type === 'terminated').length === 1 && events.at(-1)?.type === 'terminated';
}
