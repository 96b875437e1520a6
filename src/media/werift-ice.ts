import { isIPv4 } from 'node:net';
import {
  Candidate,
  CandidatePairState,
  Connection,
  RTCIceGatherer,
  RTCIceParameters,
  RTCIceTransport,
  StunProtocol,
  candidateFoundation,
  candidatePriority,
  parseMessage,
  type UdpTransport,
} from 'werift';
import type { Clock, Timer } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { RemoteCandidate } from '../sdp/whatsapp-remote.js';
import { MediaError } from './media-error.js';
import { SourceGuard, datagramKind, type GuardCounters } from './source-guard.js';
import {
  connectionInternals,
  protocolInternals,
  type ConnectionInternals,
  type ProtocolInternals,
} from './werift-internals.js';
import { WeriftSocket } from './werift-socket.js';

/** Where our side of ICE lives. */
export interface IceOptions {
  readonly listenIp: string;
  readonly advertisedIp: string;
  /** First and last UDP port. */
  readonly ports: readonly [number, number];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The peer's side of ICE as its SDP says it. */
export interface IceRemote {
  readonly iceLite: boolean;
  readonly ice: { readonly usernameFragment: string; readonly password: string };
  readonly candidates: readonly RemoteCandidate[];
}

/** werift gives up a pair after 1.55 s and an ICE-lite peer never wakes it: failed pairs are tried again at this rate. */
const retryMs = 250;
const anyAddress = '0.0.0.0';
/** DTLS records kept while the handshake object does not exist yet; a ClientHello is one or two. */
const maxEarlyRecords = 16;
/**
 * RFC 8445 §6.1.1: towards an ICE-lite peer we are controlling, always. The highest tie-breaker settles a role conflict
 * (§7.3.1.1) that way with a peer that only claims to be lite.
 */
const tieBreaker = 0xffff_ffff_ffff_ffffn;

/**
 * Full ICE on one guarded socket: werift's agent without its own sockets, gathering, STUN servers and TURN. Hands out what
 * comes through on `transport`, which DTLS runs on.
 */
export class WeriftIce {
  readonly transport: RTCIceTransport;
  /** Stands between the socket and werift. */
  readonly guard: SourceGuard;
  /** Called when a connected pair is lost: 30 s without consent (RFC 7675). */
  onLost: () => void = () => undefined;
  /** Called when a check of the peer got as far as the agent. */
  onRequest: () => void = () => undefined;
  readonly #connection: Connection;
  readonly #protocol = new StunProtocol();
  readonly #internals: ConnectionInternals;
  readonly #inlet: ProtocolInternals;
  readonly #early: [Buffer, readonly [string, number]][] = [];
  #isDtlsReady = false;
  #retry: Timer | undefined;
  #socket: WeriftSocket | undefined;

  constructor(private readonly options: IceOptions) {
    const gatherer = new RTCIceGatherer({ useIpv4: false, useIpv6: false });
    if (!(gatherer.connection instanceof Connection)) throw new MediaError('internal', 'unknown ICE agent of werift');
    this.#connection = gatherer.connection;
    // Without this werift asks a public STUN server of its own choice.
    delete this.#connection.stunServer;
    this.#internals = connectionInternals(this.#connection);
    this.#internals.tieBreaker = tieBreaker;
    this.#inlet = protocolInternals(this.#protocol);
    this.transport = new RTCIceTransport(gatherer);
    this.guard = new SourceGuard((request) => this.#isAuthentic(request));
    this.#connection.stateChanged.subscribe((state) => {
      if (state === 'failed') this.onLost();
    });
  }

  get local(): { usernameFragment: string; password: string } {
    const { usernameFragment, password } = this.transport.localParameters;
    return { usernameFragment, password };
  }

  get isControlling(): boolean {
    return this.#connection.iceControlling;
  }

  /** What was thrown away on the socket. */
  get counters(): GuardCounters & { readonly refusedSends: number } {
    return { ...this.guard.counters, refusedSends: this.#socket?.refusedSends ?? 0 };
  }

  /** Binds the socket; sends nothing. @throws MediaError without a free port. */
  async open(): Promise<void> {
    const { ports, logger } = this.options;
    // Meta's IPv6 addresses are not used yet: a wildcard of either family means all of IPv4.
    const listenIp = isIPv4(this.options.listenIp) ? this.options.listenIp : anyAddress;
    const advertisedIp = isIPv4(this.options.advertisedIp) ? this.options.advertisedIp : listenIp;
    const socket = await WeriftSocket.bind(listenIp, ports, this.guard, logger);
    const { port } = socket.address;
    const protocol = this.#protocol;
    protocol.localIp = advertisedIp;
    const foundation = candidateFoundation('host', 'udp', advertisedIp);
    const priority = candidatePriority('host', { transport: 'udp' });
    protocol.localCandidate = new Candidate(foundation, 1, 'udp', priority, advertisedIp, port, 'host');
    this.attach(socket);
    await this.transport.gather();
  }

  /** Joins a socket to the agent. Apart from `open` so that the start-up check can do it without binding one. */
  attach(socket: WeriftSocket): void {
    this.#socket = socket;
    this.#protocol.transport = socket as unknown as UdpTransport;
    this.#protocol.onRequestReceived.subscribe(() => this.onRequest());
    this.#internals.ensureProtocol(this.#protocol);
    this.#internals.protocols.push(this.#protocol);
    socket.onData = (data, from) => {
      if (!this.#isDtlsReady && datagramKind(data) === 'dtls') {
        if (this.#early.length < maxEarlyRecords) this.#early.push([data, from]);
      } else this.#inlet.datagramReceived(data, from);
    };
  }

  /** Checks the peer's candidates until a pair is nominated. Rejects only if werift gives up; the deadline is the caller's. */
  async connect(remote: IceRemote): Promise<void> {
    const connection = this.#connection;
    this.guard.expect(remote.candidates);
    this.transport.setRemoteParams(new RTCIceParameters({ iceLite: remote.iceLite, ...remote.ice }));
    connection.iceControlling = true;
    for (const { foundation, priority, address, port } of remote.candidates) {
      await connection.addRemoteCandidate(new Candidate(foundation, 1, 'udp', priority, address, port, 'host'));
    }
    this.#armRetry();
    try {
      await this.transport.start();
    } finally {
      this.#retry?.cancel();
    }
    const peer = connection.nominated?.remoteAddr;
    if (!peer) throw new MediaError('media_failed', 'ICE ended without a pair');
    this.guard.nominate({ address: peer[0], port: peer[1] });
  }

  /** DTLS listens: hands over the records that came before. An OpenSSL peer would wait 1 to 2 s to repeat its ClientHello. */
  releaseEarlyRecords(): void {
    this.#isDtlsReady = true;
    for (const [data, from] of this.#early.splice(0)) this.#inlet.datagramReceived(data, from);
  }

  /** DTLS is up: plaintext records are refused from now on. */
  finishHandshake(): void {
    this.guard.finishHandshake();
  }

  /** Sends a packet to the nominated peer; dropped without one. */
  send(packet: Buffer): void {
    void this.#connection.send(packet);
  }

  async close(): Promise<void> {
    this.#retry?.cancel();
    this.#early.length = 0;
    await this.transport.stop();
    await this.#socket?.close();
  }

  #armRetry(): void {
    this.#retry = this.options.clock.after(retryMs, () => {
      const connection = this.#connection;
      if (connection.nominated) return;
      const pairs = connection.checkList;
      // A nomination that got no answer leaves werift waiting for ever; with nothing under way it starts over.
      if (!pairs.some((pair) => pair.state === CandidatePairState.IN_PROGRESS)) {
        this.#internals.nominating = false;
        for (const pair of pairs) pair.updateState(CandidatePairState.WAITING);
      }
      this.#armRetry();
    });
  }

  #isAuthentic(request: Buffer): boolean {
    return parseMessage(request, Buffer.from(this.#connection.localPassword)) !== undefined;
  }
}
