import { isIP } from 'node:net';
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
import { SourceGuard, datagramKind, type Endpoint, type GuardCounters } from './source-guard.js';
import {
  connectionInternals,
  protocolInternals,
  type ConnectionInternals,
  type ProtocolInternals,
} from './werift-internals.js';
import { WeriftSocket, type DatagramSink } from './werift-socket.js';

/** Where our side of ICE lives. */
export interface IceOptions {
  /** `::` stands for all of IPv4 and IPv6, any other address for itself. */
  readonly listenIp: string;
  /** Names our candidate of its family; the other one is named by the bound address. */
  readonly advertisedIp: string;
  /** First and last UDP port. */
  readonly ports: readonly [number, number];
  readonly clock: Clock;
  readonly logger: Logger;
  /** False in the start-up check's own peer alone: two that control never agree. */
  readonly isControlling?: boolean;
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
/** IP version of an address. */
export type IpFamily = 4 | 6;

/** DTLS records kept while the handshake object does not exist yet; a ClientHello is one or two. */
const maxEarlyRecords = 16;
/**
 * RFC 8445 §6.1.1: towards an ICE-lite peer we are controlling, always. The highest tie-breaker settles a role conflict
 * (§7.3.1.1) that way with a peer that only claims to be lite.
 */
const tieBreaker = 0xffff_ffff_ffff_ffffn;

/** One of our sockets and what the agent knows of it. */
interface Base {
  readonly family: number;
  readonly socket: WeriftSocket;
  readonly protocol: StunProtocol;
  readonly inlet: ProtocolInternals;
}

/**
 * Full ICE on guarded sockets, one for each IP version: werift's agent without its own sockets, gathering, STUN servers and TURN. Hands out what
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
  readonly #internals: ConnectionInternals;
  readonly #bases: Base[] = [];
  readonly #early: { readonly inlet: ProtocolInternals; data: Buffer; from: readonly [string, number] }[] = [];
  #isDtlsReady = false;
  #peer: { readonly socket: WeriftSocket; readonly address: string; readonly port: number } | undefined;
  /** The nominated pair: our candidate and the peer's. */
  pair: { readonly local: Endpoint; readonly remote: Endpoint } | undefined;
  #retry: Timer | undefined;

  constructor(private readonly options: IceOptions) {
    const gatherer = new RTCIceGatherer({ useIpv4: false, useIpv6: false });
    if (!(gatherer.connection instanceof Connection)) throw new MediaError('internal', 'unknown ICE agent of werift');
    this.#connection = gatherer.connection;
    // Without this werift asks a public STUN server of its own choice.
    delete this.#connection.stunServer;
    this.#internals = connectionInternals(this.#connection);
    this.#internals.tieBreaker = tieBreaker;
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

  /** UDP ports that are bound. */
  get openPorts(): number {
    return this.#bases.filter(({ socket }) => !socket.closed).length;
  }

  /** What was thrown away on the socket. */
  get counters(): GuardCounters & { readonly refusedSends: number } {
    const refusedSends = this.#bases.reduce((sum, { socket }) => sum + socket.refusedSends, 0);
    return { ...this.guard.counters, refusedSends };
  }

  /** Versions of IP that `open` may bind. */
  get families(): readonly IpFamily[] {
    const { listenIp } = this.options;
    if (listenIp === '::') return [6, 4];
    return [isIP(listenIp) === 6 ? 6 : 4];
  }

  /** Whether there is a socket that reaches this address. */
  reaches(address: string): boolean {
    return this.#bases.some(({ family }) => family === isIP(address));
  }

  /**
   * Binds a socket for each of the families that is ours and that the machine has; sends nothing.
   * @throws MediaError `limit` without a free port, `internal` if none can be bound.
   */
  async open(families: readonly number[] = this.families): Promise<void> {
    let failure: unknown = new MediaError('internal', 'no address to bind for WebRTC media');
    for (const family of this.families.filter((each) => families.includes(each))) {
      try {
        await this.#bind(family);
      } catch (err) {
        failure = err;
        this.options.logger.debug('no socket for WebRTC media', { family, err });
      }
    }
    if (this.#bases.length === 0) throw failure;
    await this.transport.gather();
  }

  async #bind(family: IpFamily): Promise<void> {
    const { listenIp, advertisedIp, ports, logger } = this.options;
    const bindIp = isIP(listenIp) === family ? listenIp : anyAddress;
    const socket = await WeriftSocket.bind(bindIp, ports, this.guard, logger);
    const address = isIP(advertisedIp) === family ? advertisedIp : bindIp;
    this.attach(socket, { address, port: socket.address.port }, family);
  }

  /** Joins a socket, known as `host`, to the agent. Apart from `open` so that the start-up check can do it without binding one. */
  attach(socket: WeriftSocket, { address, port }: Endpoint, family: IpFamily = 4): void {
    const protocol = new StunProtocol();
    const inlet = protocolInternals(protocol);
    this.#bases.push({ family, socket, protocol, inlet });
    protocol.transport = socket as unknown as UdpTransport;
    protocol.onRequestReceived.subscribe(() => this.onRequest());
    this.#internals.ensureProtocol(protocol);
    this.#internals.protocols.push(protocol);
    protocol.localIp = address;
    const foundation = candidateFoundation('host', 'udp', address);
    const priority = candidatePriority('host', { transport: 'udp' });
    protocol.localCandidate = new Candidate(foundation, 1, 'udp', priority, address, port, 'host');
    socket.onData = (data, from) => this.#receive(inlet, data, from);
  }

  #receive(inlet: ProtocolInternals, data: Buffer, { address, port }: Endpoint): void {
    const kind = datagramKind(data);
    if (kind !== 'dtls' || this.#isDtlsReady) inlet.datagramReceived(data, [address, port]);
    else if (this.#early.length < maxEarlyRecords) this.#early.push({ inlet, data, from: [address, port] });
  }

  /** Checks the peer's candidates until a pair is nominated. Rejects only if werift gives up; the deadline is the caller's. */
  async connect(remote: IceRemote): Promise<void> {
    const connection = this.#connection;
    this.guard.expect(remote.candidates);
    this.transport.setRemoteParams(new RTCIceParameters({ iceLite: remote.iceLite, ...remote.ice }));
    connection.iceControlling = this.options.isControlling ?? true;
    for (const { foundation, priority, address, port } of remote.candidates) {
      await connection.addRemoteCandidate(new Candidate(foundation, 1, 'udp', priority, address, port, 'host'));
    }
    this.#armRetry();
    try {
      await this.transport.start();
    } finally {
      this.#retry?.cancel();
    }
    const nominated = connection.nominated;
    if (!nominated) throw new MediaError('media_failed', 'ICE ended without a pair');
    const [address, port] = nominated.remoteAddr;
    this.guard.nominate({ address, port });
    const { host, port: localPort } = nominated.localCandidate;
    this.pair = { local: { address: host, port: localPort }, remote: { address, port } };
    for (const { socket, protocol } of this.#bases) {
      if (protocol !== nominated.protocol) await socket.close();
      else this.#peer = { socket, address, port };
    }
  }

  /** DTLS listens: hands over the records that came before. An OpenSSL peer would wait 1 to 2 s to repeat its ClientHello. */
  releaseEarlyRecords(): void {
    this.#isDtlsReady = true;
    for (const { inlet, data, from } of this.#early.splice(0)) inlet.datagramReceived(data, from);
  }

  /** Has `sink` take SRTP and SRTCP of the peer, straight from the socket, in place of werift. */
  divertPackets(sink: DatagramSink | undefined): void {
    for (const { socket } of this.#bases) socket.packets = sink;
  }

  /** DTLS is up: plaintext records are refused from now on. */
  finishHandshake(): void {
    this.guard.finishHandshake();
  }

  /** Sends a packet to the nominated peer at once; dropped without one. */
  send(packet: Buffer): void {
    const peer = this.#peer;
    if (peer) peer.socket.transmit(packet, peer.port, peer.address);
  }

  async close(): Promise<void> {
    this.#retry?.cancel();
    this.#early.length = 0;
    this.divertPackets(undefined);
    this.#peer = undefined;
    await this.transport.stop();
    await Promise.all(this.#bases.map(({ socket }) => socket.close()));
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
