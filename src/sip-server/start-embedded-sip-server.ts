import type { Clock } from '../lib/clock.js';
import { systemClock } from '../lib/clock.js';
import type { IdSource } from '../lib/ids.js';
import { systemIds } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { TracedMessage } from './engine.js';
import { Engine } from './engine.js';
import type { SipTimers } from './timers.js';
import { DEFAULT_TIMERS } from './timers.js';

export interface EmbeddedSipServerOptions {
  /** Port 0 is any free one; udp and tcp entries of the same host then share it. */
  readonly listen: readonly {
    readonly transport: 'udp' | 'tcp' | 'tls';
    readonly host: string;
    readonly port: number;
  }[];
  /** What Via and Contact show; by default the listener's address, or the local address towards the peer. */
  readonly advertisedHost?: string;
  readonly timers?: Partial<SipTimers>;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /** Every SIP message on the wire, for traces. */
  readonly onMessage?: (message: TracedMessage) => void;
}

export interface EmbeddedSipServer {
  /** Where `srf.connect` goes: loopback. */
  readonly host: string;
  readonly port: number;
  /** Random for each start. */
  readonly secret: string;
  readonly sockets: readonly { readonly transport: string; readonly host: string; readonly port: number }[];
  /** What is alive now: all zero when no call is left and 64·T1 have passed. */
  readonly counts: () => { transactions: number; dialogs: number; pending: number };
  stop(): Promise<void>;
}

/**
 * Starts the SIP server inside this process. drachtio-srf connects to it as it would to a drachtio-server.
 * @throws BridgeError when a listener cannot be bound or asks for TLS.
 */
export async function startEmbeddedSipServer(options: EmbeddedSipServerOptions): Promise<EmbeddedSipServer> {
  const engine = await Engine.start({
    listen: options.listen,
    advertisedHost: options.advertisedHost,
    timers: { ...DEFAULT_TIMERS, ...options.timers },
    logger: options.logger,
    clock: options.clock ?? systemClock,
    ids: options.ids ?? systemIds,
    onMessage: options.onMessage,
  });
  return {
    ...engine.address,
    secret: engine.secret,
    sockets: engine.sockets,
    counts: () => engine.counts(),
    stop: () => engine.stop(),
  };
}
