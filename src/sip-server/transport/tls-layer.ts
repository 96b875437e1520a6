import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import type { Server } from 'node:tls';
import { connect, createServer, TLSSocket } from 'node:tls';
import type { Timer } from '../../lib/clock.js';
import type { Address, PeerAddress } from './flow.js';
import type { ConnectionLayer, Opening, TcpEnvironment } from './tcp.js';
import type { TlsCredentials } from './tls-credentials.js';
import { tlsFailureText } from './tls-failure.js';
import type { TlsIdentities } from './tls-identity.js';
import { proves } from './tls-identity.js';
import type { TlsSettings } from './tls-settings.js';

/** Handshakes under way at a time; each costs a signature. */
const MAX_HANDSHAKES = 256;
/** A peer that fails again and again is told of once a minute. */
const QUIET_MS = 60_000;
const MAX_QUIET = 1000;

interface Handshake {
  readonly deadline: Timer;
  readonly onReady: (socket: Socket) => void;
}

/** TLS between TCP and SIP, in both roles. */
export class TlsLayer implements ConnectionLayer {
  readonly protocol = 'tls';
  readonly #server: Server;
  readonly #handshakes = new Map<string, Handshake>();
  readonly #quietUntilMs = new Map<string, number>();

  constructor(
    { clientCertificates }: Pick<TlsSettings, 'clientCertificates'>,
    private readonly credentials: TlsCredentials,
    private readonly identities: TlsIdentities,
    private readonly env: TcpEnvironment,
  ) {
    // Never listens: sockets are handed to it, so that they can be counted before any work is done for them.
    this.#server = createServer({
      ...credentials.server,
      requestCert: clientCertificates !== 'none',
      rejectUnauthorized: clientCertificates === 'require',
    });
    this.#server.on('secureConnection', (socket) => this.#finish(socket)?.onReady(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      this.#finish(socket);
      this.#note(socket.remoteAddress ?? 'a peer', 'TLS handshake of a peer failed', error);
      socket.destroy();
    });
    credentials.onReload(() => this.#server.setSecureContext(credentials.server));
  }

  accept(socket: Socket, remote: Address, onReady: (socket: Socket) => void): void {
    if (this.#handshakes.size >= MAX_HANDSHAKES) {
      socket.destroy();
      return;
    }
    const key = placeOf(remote.host, remote.port);
    const deadline = this.env.clock.after(this.env.timers.connectMs, () => socket.destroy());
    this.#handshakes.set(key, { deadline, onReady });
    socket.once('close', () => {
      deadline.cancel();
      this.#handshakes.delete(key);
    });
    this.#server.emit('connection', socket);
  }

  open(peer: PeerAddress, localHost: string | undefined): Opening {
    const identity = this.identities.of(peer);
    const { serverName, caFile, verify, alpn } = identity;
    this.identities.dialled(peer, identity);
    const socket = connect({
      host: peer.host,
      port: peer.port,
      secureContext: this.credentials.client(caFile),
      // RFC 6066 §3: an address is no server name.
      servername: isIP(serverName) === 0 ? serverName : '',
      rejectUnauthorized: verify,
      checkServerIdentity: (_host, certificate) => proves(serverName, certificate),
      ...(localHost === undefined ? {} : { localAddress: localHost }),
      ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
    });
    return { socket, readyEvent: 'secureConnect' };
  }

  /** What was not checked, or by other authorities, proves nothing to who asks for more. */
  keyOf(peer: PeerAddress): string {
    const { serverName, verify, caFile = '' } = this.identities.of(peer);
    return [placeOf(peer.host, peer.port), serverName, verify, caFile].join('|');
  }

  failed(peer: PeerAddress, error: Error): void {
    const { serverName } = this.identities.of(peer);
    this.#note(`${serverName} at ${placeOf(peer.host, peer.port)}`, 'TLS connection to a server failed', error);
  }

  proved(socket: Socket, name: string): boolean {
    if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
    return proves(name, socket.getPeerCertificate()) === undefined;
  }

  close(): void {
    for (const { deadline } of this.#handshakes.values()) deadline.cancel();
  }

  #finish(socket: TLSSocket): Handshake | undefined {
    const key = placeOf(socket.remoteAddress ?? '', socket.remotePort ?? 0);
    const handshake = this.#handshakes.get(key);
    handshake?.deadline.cancel();
    this.#handshakes.delete(key);
    return handshake;
  }

  #note(peer: string, what: string, error: Error): void {
    const why = tlsFailureText(error);
    const now = this.env.clock.monotonicMs();
    const key = `${peer} ${why}`;
    if (now < (this.#quietUntilMs.get(key) ?? 0)) return;
    if (this.#quietUntilMs.size >= MAX_QUIET) this.#quietUntilMs.clear();
    this.#quietUntilMs.set(key, now + QUIET_MS);
    this.env.logger.warn(what, { peer, why });
  }
}

const placeOf = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
