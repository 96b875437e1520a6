import { join } from 'node:path';
import type { StopStack } from '../lib/stop-stack.js';
import { trunkOfCall } from '../routing/number-of-call.js';
import { startEmbeddedSipServer, type EmbeddedSipServer } from '../sip-server/start-embedded-sip-server.js';
import { SipUserAgent, type SipUserAgentOptions } from '../sip/sip-user-agent.js';
import type { Base } from './base.js';
import { embeddedWatcher, frameWatcher } from './sip-wire.js';

/** The SIP server, as the rest of the daemon knows it. */
export interface SipServer {
  readonly options: Pick<
    SipUserAgentOptions,
    'connect' | 'serverEndsOrphans' | 'watchesServer' | 'onConnectionLost' | 'wire'
  >;
  /** Empty with a drachtio-server, which listens itself. */
  readonly sockets: EmbeddedSipServer['sockets'];
  /** Resolves when it has ended what a crash left up on it, or after 4 s. */
  readonly recovered: Promise<void>;
}

/**
 * Starts the SIP server and our side of it.
 * @throws BridgeError when it cannot listen, or is not reached
 */
export async function startSip(
  base: Base,
  stack: StopStack,
  { takesCalls }: { readonly takesCalls: () => boolean },
): Promise<{ server: SipServer; sip: SipUserAgent }> {
  // The server is there first; until the list of sources is, it takes nothing from anybody, and peers repeat themselves.
  const late: { sip?: SipUserAgent } = {};
  const server = await startSipServer(base, stack, late);
  const sip = new SipUserAgent({ ...sipOptions(base), ...server.options, takesCalls });
  late.sip = sip;
  stack.add('SIP user agent', () => sip.close());
  await sip.connect();
  return { server, sip };
}

/** The SIP server that drachtio-srf talks to: the embedded one, or a drachtio-server that runs by itself. */
async function startSipServer(base: Base, stack: StopStack, late: { readonly sip?: SipUserAgent }): Promise<SipServer> {
  const { config, logger, dns, sipServerClock: clock } = base;
  if (config.sip.server === 'drachtio') {
    const options = { connect: config.sip.drachtio, watchesServer: true, wire: frameWatcher(base) };
    return { options, sockets: [], recovered: Promise.resolve() };
  }
  const { listen, advertisedHost, sessionExpiresMs, timers, tls } = config.sip;
  const { wire, onMessage } = embeddedWatcher(base);
  const server = await startEmbeddedSipServer({
    ...{ listen, tls, timers, onMessage, clock },
    isKnownSource: (address) => late.sip?.isKnownSource(address) ?? false,
    answerChallenge: (refresh) => late.sip?.answerChallenge(refresh),
    session: { expiresS: Math.ceil(sessionExpiresMs / 1000) },
    dns,
    // Audio in this process must not wait.
    rests: !base.mediaPlane.isInProcess,
    logger: logger.child({ room: 'sip-server' }),
    ...(config.journal.dir === '' ? {} : { recordFile: join(config.journal.dir, 'sip-open-calls.record') }),
    ...(advertisedHost === '' ? {} : { advertisedHost }),
  });
  stack.add('embedded SIP server', () => server.stop());
  const { host, port, secret, connectInProcess, sockets, recovery, onConnectionLost } = server;
  const connect = { host, port, secret, connectInProcess };
  const options = { connect, serverEndsOrphans: recovery.covers, onConnectionLost, wire };
  return { options, sockets, recovered: recovery.settled };
}

function sipOptions({
  config,
  live,
  logger,
  clock,
  ids,
  journal,
  timeline,
  media,
  dns,
}: Base): Omit<SipUserAgentOptions, 'connect'> {
  const chooseTrunk: SipUserAgentOptions['chooseTrunk'] = (...asked) => trunkOfCall(live.current.numbers, ...asked);
  return { trunks: config.trunks, chooseTrunk, media, journal, observer: timeline, logger, clock, ids, dns };
}
