import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import type { SipTimers } from '../../../src/sip-server/timers.js';
import type { TlsServer, TlsSettings } from '../../../src/sip-server/transport/tls-settings.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import type { FixtureName } from '../../support/tls-fixtures.js';
import { keyPair, testAuthority, tlsFile } from '../../support/tls-fixtures.js';
import { Bench, FAST } from './bench.js';
import type { SrfDialog } from './srf-app.js';

export interface TlsBenchOptions {
  /** The peer's certificate. */
  readonly certificate?: FixtureName;
  readonly peer?: TlsOptions;
  readonly timers?: Partial<SipTimers>;
  readonly settings?: Partial<TlsSettings>;
  /** Differences of the server entry for the peer, which is named `localhost`. */
  readonly server?: Partial<TlsServer>;
}

/** The embedded server on TLS with drachtio-srf on one side, and a scripted TLS peer on the other. */
export class TlsBench {
  private constructor(
    readonly bench: Bench,
    readonly folder: string,
  ) {}

  static async start({ certificate = 'pbx', peer, settings, server, timers }: TlsBenchOptions = {}): Promise<TlsBench> {
    const folder = mkdtempSync(join(tmpdir(), 'sip2wa-tls-'));
    for (const end of ['pem', 'key']) cpSync(tlsFile(`bridge.${end}`), join(folder, `own.${end}`));
    const script = await SipScriptPeer.tls({ ...keyPair(certificate), ...peer });
    const bench = await Bench.start({
      peer: script,
      timers: { ...FAST, ...timers },
      listen: [
        { transport: 'tls', host: '127.0.0.1', port: 0 },
        { transport: 'tcp', host: '127.0.0.1', port: 0 },
      ],
      tls: {
        certFile: join(folder, 'own.pem'),
        keyFile: join(folder, 'own.key'),
        caFile: tlsFile('ca.pem'),
        clientCertificates: 'none',
        servers: [serverEntry({ port: script.port, ...server })],
        ...settings,
      },
    });
    return new TlsBench(bench, folder);
  }

  get peer(): SipScriptPeer {
    return this.bench.peer;
  }

  portOf(transport: 'tls' | 'tcp'): number {
    return this.bench.server.sockets.find((socket) => socket.transport === transport)?.port ?? 0;
  }

  get tls(): { host: string; port: number } {
    return { host: '127.0.0.1', port: this.portOf('tls') };
  }

  uri(host = 'localhost', port = this.peer.port): string {
    return `sip:bob@${host}:${port};transport=tls`;
  }

  /** A connection of the peer to the server. */
  dial(certificate?: FixtureName, localAddress = '127.0.0.1'): Promise<Socket> {
    const own = certificate ? keyPair(certificate) : {};
    return this.peer.dial(this.tls, { ca: testAuthority, servername: 'bridge.test', localAddress, ...own });
  }

  /** A call of the app to the peer, up to ACK. */
  async call(uri = this.uri()): Promise<{ dialog: SrfDialog; connection: Socket | undefined }> {
    const calling = this.bench.srf.createUAC(uri, { localSdp: PEER_SDP });
    const invite = await this.peer.request('INVITE');
    this.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP });
    const dialog = await calling;
    await this.peer.request('ACK');
    return { dialog, connection: invite.connection };
  }

  /** Puts another certificate and key in place, each by a rename. */
  replaceOwn(certificate: FixtureName, key: FixtureName = certificate): void {
    cpSync(tlsFile(`${certificate}.pem`), join(this.folder, 'next.pem'));
    cpSync(tlsFile(`${key}.key`), join(this.folder, 'next.key'));
    for (const end of ['pem', 'key']) renameSync(join(this.folder, `next.${end}`), join(this.folder, `own.${end}`));
  }

  /** Warnings and errors that were logged, with their reasons. */
  said(message: string): unknown[] {
    return this.bench.log.lines.filter((line) => line.message === message).map((line) => line.fields['why']);
  }

  async stop(): Promise<void> {
    await this.bench.stop();
    rmSync(this.folder, { recursive: true });
  }
}

/** A server named `localhost`, of the test authority. */
export const serverEntry = (differences: Partial<TlsServer> & { port: number | undefined }): TlsServer => ({
  host: 'localhost',
  caFile: tlsFile('ca.pem'),
  verify: true,
  serverName: undefined,
  alpn: [],
  ...differences,
});

/** A plain TCP server on loopback that only collects what it is sent. */
export async function collector(
  answer = '',
): Promise<{ port: number; bytes: () => Buffer; stop: () => Promise<void> }> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => chunks.push(chunk));
    if (answer !== '') socket.write(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    bytes: () => Buffer.concat(chunks),
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** A TCP connection that sends nothing by itself. */
export async function plainLine(to: { host: string; port: number }): Promise<Socket> {
  const socket = connect(to.port, to.host);
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}

/** Resolves when the other side has closed it. */
export const closed = (socket: Socket): Promise<void> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()));
