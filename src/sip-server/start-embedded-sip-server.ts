import type { Socket } from 'node:net';
import { bundledClock } from '../lib/bundled-clock.js';
import type { Clock } from '../lib/clock.js';
import { systemClock } from '../lib/clock.js';
import type { DnsClient } from '../lib/dns-client.js';
import type { IdSource } from '../lib/ids.js';
import { systemIds } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { SourceLimits } from './core/doorkeeper.js';
import { SOURCE_LIMITS } from './core/doorkeeper.js';
import type { AnswerChallenge } from './core/answer-challenge.js';
import type { OverloadLimits } from './core/overload.js';
import { OVERLOAD_LIMITS } from './core/overload.js';
import type { SessionPolicy } from './dialog/session-timer-terms.js';
import { DEFAULT_SESSION_POLICY } from './dialog/session-timer-terms.js';
import type { TracedMessage } from './engine.js';
import { Engine } from './engine.js';
import type { CallRecord, OpenCall } from './recovery/call-record.js';
import { NO_CALL_RECORD } from './recovery/call-record.js';
import type { Endings } from './recovery/end-calls.js';
import { RecordFile } from './recovery/record-file.js';
import type { SipTimers } from './timers.js';
import { DEFAULT_TIMERS } from './timers.js';
import type { TlsSettings } from './transport/tls-settings.js';

/** By so much a timer may be late: nothing to T1. */
const TIMER_QUANTUM_MS = 10;

export interface EmbeddedSipServerOptions {
  /** Port 0 is any free one; udp and tcp entries of the same host then share it. */
  readonly listen: readonly {
    readonly transport: 'udp' | 'tcp' | 'tls';
    readonly host: string;
    readonly port: number;
  }[];
  /** What Via and Contact show; by default the listener's address, or the local address towards the peer. */
  readonly advertisedHost?: string;
  /** Needed by TLS listeners. Servers are reached by TLS from such a listener, too. */
  readonly tls?: TlsSettings | undefined;
  readonly timers?: Partial<SipTimers>;
  /** Session timers (RFC 4028), in seconds: 600 asked for and no less than 90 taken, unless told otherwise. */
  readonly session?: Partial<SessionPolicy>;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly ids?: IdSource;
  /**
   * File in which open calls are noted, so that a start after a crash ends them. Without one a crash leaves the peers'
   * side of each call up until their own timers end it.
   */
  readonly recordFile?: string;
  /**
   * Whether a new request or connection from this address is for the application; asked again and again, since what is
   * known may change. From other addresses only what belongs to calls and requests of ours is taken; the rest gets no
   * answer at all. Default: all are known.
   */
  readonly isKnownSource?: (address: string) => boolean;
  /**
   * Asked when a peer challenges (401, 407) a session refresh of the server's own, which then is repeated with what it says;
   * asked again if the repetition is challenged, too. Default: a challenge is a refusal.
   */
  readonly answerChallenge?: AnswerChallenge;
  /** New requests taken from one source. Default: 2,000 a second. */
  readonly sourceLimits?: Partial<SourceLimits>;
  /** When this process counts as overloaded, so that new requests are answered 503. */
  readonly overloadLimits?: Partial<OverloadLimits>;
  /**
   * This process has nothing in it that must not wait: from about 300 calls a second on it blocks for up to 8 ms at a time, so that it wakes once for
   * many datagrams. Default: it never does.
   */
  readonly rests?: boolean;
  /** Default: the system's. */
  readonly dns?: DnsClient;
  /** Every SIP message on the wire that is taken, for traces. */
  readonly onMessage?: (message: TracedMessage) => void;
}

/** The far end of a connection. */
export interface FarEnd {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
}

export interface EmbeddedSipServer {
  /** Where `srf.connect` goes: loopback. */
  readonly host: string;
  readonly port: number;
  /** Random for each start. */
  readonly secret: string;
  /** Opens a connection that no kernel sees, for an application in this process: as one to `host` and `port`, and cheaper. */
  readonly connectInProcess: () => Socket;
  readonly sockets: readonly { readonly transport: string; readonly host: string; readonly port: number }[];
  /** How the calls go that a process before this one left open. Their ends are under way. */
  readonly recovery: Endings;
  /** Calls back with the far end of each connection that this server opened and that is gone. */
  readonly onConnectionLost: (listener: (farEnd: FarEnd) => void) => void;
  /** What is alive now: all zero when no call is left and 64·T1 have passed. */
  readonly counts: () => { transactions: number; dialogs: number; pending: number };
  stop(): Promise<void>;
}

/**
 * Starts the SIP server inside this process. drachtio-srf connects to it as it would to a drachtio-server. Calls that are
 * open on the record file are told their end before it resolves.
 * @throws BridgeError when a listener cannot be bound, or TLS has no usable certificate.
 */
export async function startEmbeddedSipServer(options: EmbeddedSipServerOptions): Promise<EmbeddedSipServer> {
  const { logger } = options;
  const given = options.clock ?? systemClock;
  // Five timers a call, nearly all of which are cancelled; one that is moved by hand is left as fine as it is.
  const clock = given === systemClock ? bundledClock(given, TIMER_QUANTUM_MS) : given;
  let opened = NO_RECORD;
  const onLost: ((farEnd: FarEnd) => void)[] = [];
  const engine = await Engine.start({
    listen: options.listen,
    advertisedHost: options.advertisedHost,
    tls: options.tls,
    timers: { ...DEFAULT_TIMERS, ...options.timers },
    session: { ...DEFAULT_SESSION_POLICY, ...options.session },
    logger,
    clock,
    ids: options.ids ?? systemIds,
    onMessage: options.onMessage,
    dns: options.dns,
    rests: options.rests === true,
    isKnownSource: options.isKnownSource,
    answerChallenge: options.answerChallenge,
    sourceLimits: { ...SOURCE_LIMITS, ...options.sourceLimits },
    overloadLimits: { ...OVERLOAD_LIMITS, ...options.overloadLimits },
    onConnectionLost: (farEnd) => onLost.forEach((listener) => listener(farEnd)),
    record: () => (opened = openRecord(options.recordFile, logger)).record,
  }).catch((err: unknown) => {
    opened.close();
    throw err;
  });
  const { left, close } = opened;
  const recovery = engine.endCalls(left);
  return {
    ...engine.address,
    secret: engine.secret,
    connectInProcess: () => engine.connectInProcess(),
    sockets: engine.sockets,
    recovery,
    onConnectionLost: (listener) => void onLost.push(listener),
    counts: () => engine.counts(),
    stop: () => engine.stop().finally(close),
  };
}

interface OpenedRecord {
  readonly record: CallRecord;
  readonly left: readonly OpenCall[];
  readonly close: () => void;
}

const NO_RECORD: OpenedRecord = { record: NO_CALL_RECORD, left: [], close: () => undefined };

/** Calls can be taken without a record: a bad disk must not stop the telephones. */
function openRecord(path: string | undefined, logger: Logger): OpenedRecord {
  if (path === undefined) return NO_RECORD;
  try {
    const { record, left } = RecordFile.open({ path, logger });
    return { record, left, close: () => record.close() };
  } catch (err) {
    logger.error('SIP call record cannot be used: a crash would leave calls up', { path, err });
    return NO_RECORD;
  }
}
