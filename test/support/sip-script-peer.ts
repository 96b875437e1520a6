import { createSocket } from 'node:dgram';
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { randomBytes } from 'node:crypto';
import { sipText } from './sip-text.js';

/**
 * A SIP peer that does exactly what a test tells it, and nothing by itself: no transactions, no retransmissions, no
 * automatic answers. It shares no code with the server under test.
 */

export interface PeerAddress {
  readonly host: string;
  readonly port: number;
}

/** A message the peer received, with a small reader of its own. */
export class PeerMessage {
  readonly startLine: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;

  constructor(
    readonly raw: string,
    readonly from: PeerAddress,
    /** The connection it came on, for TCP and TLS. */
    readonly connection: Socket | undefined,
    readonly atMs: number,
  ) {
    const end = raw.indexOf('\r\n\r\n');
    const [startLine = '', ...lines] = raw.slice(0, end).split('\r\n');
    this.startLine = startLine;
    this.headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
    });
    this.body = raw.slice(end + 4);
  }

  get method(): string | undefined {
    return this.startLine.startsWith('SIP/') ? undefined : this.startLine.split(' ')[0];
  }

  get uri(): string {
    return this.startLine.split(' ')[1] ?? '';
  }

  get status(): number | undefined {
    return this.startLine.startsWith('SIP/') ? Number(this.startLine.split(' ')[1]) : undefined;
  }

  all(name: string): string[] {
    return this.headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
  }

  get(name: string): string {
    const [value] = this.all(name);
    if (value === undefined) throw new Error(`no ${name} in ${this.startLine}`);
    return value;
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  get cseq(): number {
    return Number(this.get('CSeq').split(' ')[0]);
  }

  tag(name: 'From' | 'To'): string | undefined {
    return /;tag=([^;]+)/.exec(this.get(name))?.[1];
  }

  get branch(): string {
    return /;branch=([^;,\s]+)/.exec(this.get('Via'))?.[1] ?? '';
  }

  get contactUri(): string {
    return /<([^>]+)>/.exec(this.get('Contact'))?.[1] ?? this.get('Contact');
  }
}

export interface ResponseExtras {
  readonly toTag?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  /** Leave out what the peer would add. */
  readonly noContact?: boolean;
}

interface Waiter {
  readonly matches: (message: PeerMessage) => boolean;
  readonly resolve: (message: PeerMessage) => void;
}

/** The text of an SDP that nobody negotiates. */
export const PEER_SDP = [
  'v=0',
  'o=peer 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 49170 RTP/AVP 8',
  'a=sendrecv',
  '',
].join('\r\n');

export class SipScriptPeer {
  readonly received: PeerMessage[] = [];
  readonly #unread: PeerMessage[] = [];
  readonly #waiters: Waiter[] = [];
  /** Requests that `request` has given out. */
  readonly #given = new Set<string>();
  readonly #connections = new Set<Socket>();
  readonly #buffers = new Map<Socket, Buffer>();

  private constructor(
    readonly transport: 'udp' | 'tcp' | 'tls',
    readonly host: string,
    readonly port: number,
    private readonly udp: DatagramSocket | undefined,
    private readonly server: Server | undefined,
  ) {
    udp?.on('message', (bytes, from) =>
      this.#take(bytes.toString('utf8'), { host: from.address, port: from.port }, undefined),
    );
    server?.on(transport === 'tls' ? 'secureConnection' : 'connection', (socket: Socket) => this.#keep(socket));
  }

  static async udp(host = '127.0.0.1'): Promise<SipScriptPeer> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, host, resolve));
    return new SipScriptPeer('udp', host, socket.address().port, socket, undefined);
  }

  static async tcp(host = '127.0.0.1'): Promise<SipScriptPeer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    return new SipScriptPeer('tcp', host, port, undefined, server);
  }

  static async tls(options: TlsOptions, host = '127.0.0.1'): Promise<SipScriptPeer> {
    const server = createTlsServer(options);
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    return new SipScriptPeer('tls', host, port, undefined, server);
  }

  /** `host:port` as it stands in a URI. */
  get place(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  get contact(): string {
    const suffix = this.transport === 'udp' ? '' : `;transport=${this.transport}`;
    return `<sip:peer@${this.place}${suffix}>`;
  }

  /** Opens a connection of the peer's own: TCP, or TLS with these options. */
  async dial(to: PeerAddress, tls?: ConnectionOptions & { localAddress?: string }): Promise<Socket> {
    const socket = tls ? connectTls({ ...tls, host: to.host, port: to.port }) : connect(to.port, to.host);
    await new Promise<void>((resolve, reject) => {
      socket.once(tls ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    });
    this.#keep(socket);
    return socket;
  }

  send(text: string | Buffer, to: PeerAddress | Socket): void {
    if (!isSocket(to)) this.udp?.send(text, to.port, to.host);
    else to.write(text);
  }

  /** The next message that fits, also one that came before. */
  async next(matches: (message: PeerMessage) => boolean, what: string, deadlineMs = 5000): Promise<PeerMessage> {
    const at = this.#unread.findIndex(matches);
    if (at >= 0) return this.#unread.splice(at, 1)[0]!;
    return new Promise<PeerMessage>((resolve, reject) => {
      const waiter: Waiter = {
        matches,
        resolve: (message) => {
          clearTimeout(timer);
          resolve(message);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        const seen = this.received
          .slice(-30)
          .map((message) => message.startLine)
          .join(' | ');
        reject(new Error(`peer waited ${deadlineMs} ms for ${what}; received: ${seen}`));
      }, deadlineMs);
      this.#waiters.push(waiter);
    });
  }

  /** The next request of this method; but for ACK none that was given out before and is repeated, its answer being late. */
  async request(method: string, deadlineMs?: number): Promise<PeerMessage> {
    const isNew = ({ raw }: PeerMessage): boolean => method === 'ACK' || !this.#given.has(raw);
    const request = await this.next((message) => message.method === method && isNew(message), method, deadlineMs);
    this.#given.add(request.raw);
    return request;
  }

  /** The next copy of a message that is repeated. */
  copyOf({ raw, startLine }: PeerMessage, deadlineMs?: number): Promise<PeerMessage> {
    return this.next((message) => message.raw === raw, `${startLine} again`, deadlineMs);
  }

  /** The next response with this status, for this method. */
  response(status: number, method: string, deadlineMs?: number): Promise<PeerMessage> {
    return this.next(
      (message) => message.status === status && message.get('CSeq').endsWith(` ${method}`),
      `${status} to ${method}`,
      deadlineMs,
    );
  }

  /** How many messages fit so far. */
  count(matches: (message: PeerMessage) => boolean): number {
    return this.received.filter(matches).length;
  }

  /** How many requests of this method came so far; one that was repeated, for an answer that was late, counts once. */
  requestsOf(method: string): number {
    return new Set(this.received.filter((message) => message.method === method).map(({ branch }) => branch)).size;
  }

  /** Builds and sends a request of a new dialog or outside any; returns its parts for later steps. */
  newRequest(
    method: string,
    uri: string,
    options: { headers?: readonly string[]; body?: string; cseq?: number } = {},
  ): string {
    return sipText(
      `${method} ${uri} SIP/2.0`,
      [
        this.#via(),
        'Max-Forwards: 70',
        `From: "Alice" <sip:alice@${this.place}>;tag=${randomBytes(4).toString('hex')}`,
        `To: <${uri}>`,
        `Call-ID: ${randomBytes(8).toString('hex')}@${this.host}`,
        `CSeq: ${options.cseq ?? 1} ${method}`,
        `Contact: ${this.contact}`,
        ...(options.headers ?? []),
      ],
      options.body,
    );
  }

  /** A request inside the dialog that `invite` (ours) and `answer` (theirs) made. */
  inDialog(
    method: string,
    invite: PeerMessage,
    answer: PeerMessage,
    options: { cseq: number; headers?: readonly string[]; body?: string; branch?: string },
  ): string {
    return sipText(
      `${method} ${answer.contactUri} SIP/2.0`,
      [
        this.#via(options.branch),
        ...answer.all('Record-Route').map((value) => `Route: ${value}`),
        'Max-Forwards: 70',
        `From: ${invite.get('From')}`,
        `To: ${answer.get('To')}`,
        `Call-ID: ${invite.get('Call-ID')}`,
        `CSeq: ${options.cseq} ${method}`,
        ...(method === 'INVITE' ? [`Contact: ${this.contact}`] : []),
        ...(options.headers ?? []),
      ],
      options.body,
    );
  }

  /** A request from the callee's side of a dialog: `invite` is theirs, `toTag` our tag. */
  fromCallee(
    method: string,
    invite: PeerMessage,
    toTag: string,
    cseq: number,
    extras: readonly string[] = [],
    body = '',
  ): string {
    return sipText(
      `${method} ${invite.contactUri} SIP/2.0`,
      [
        this.#via(),
        'Max-Forwards: 70',
        `From: ${invite.get('To')};tag=${toTag}`,
        `To: ${invite.get('From')}`,
        `Call-ID: ${invite.get('Call-ID')}`,
        `CSeq: ${cseq} ${method}`,
        ...(method === 'INVITE' ? [`Contact: ${this.contact}`] : []),
        ...extras,
      ],
      body,
    );
  }

  /** Text of a response to a received request. */
  responseText(request: PeerMessage, status: number, reason: string, extras: ResponseExtras = {}): string {
    const to = request.get('To');
    const tagged = extras.toTag === undefined || to.includes(';tag=') ? to : `${to};tag=${extras.toTag}`;
    return sipText(
      `SIP/2.0 ${status} ${reason}`,
      [
        ...request.all('Via').map((value) => `Via: ${value}`),
        ...request.all('Record-Route').map((value) => `Record-Route: ${value}`),
        `From: ${request.get('From')}`,
        `To: ${tagged}`,
        `Call-ID: ${request.get('Call-ID')}`,
        `CSeq: ${request.get('CSeq')}`,
        ...(extras.noContact === true ? [] : [`Contact: ${this.contact}`]),
        ...(extras.headers ?? []),
      ],
      extras.body,
    );
  }

  /** Answers a received request the way it came. */
  reply(request: PeerMessage, status: number, reason: string, extras: ResponseExtras = {}): void {
    this.send(this.responseText(request, status, reason, extras), request.connection ?? request.from);
  }

  async stop(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => (this.udp ? this.udp.close(() => resolve()) : resolve()));
    await new Promise<void>((resolve) => (this.server ? this.server.close(() => resolve()) : resolve()));
  }

  #via(branch = `z9hG4bK${randomBytes(6).toString('hex')}`): string {
    return `Via: SIP/2.0/${this.transport.toUpperCase()} ${this.place};branch=${branch}`;
  }

  #keep(socket: Socket): void {
    this.#connections.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk: Buffer) => this.#receiveStream(socket, chunk));
  }

  #receiveStream(socket: Socket, chunk: Buffer): void {
    let buffer = Buffer.concat([this.#buffers.get(socket) ?? Buffer.alloc(0), chunk]);
    for (;;) {
      while (buffer[0] === 0x0d && buffer[1] === 0x0a) buffer = buffer.subarray(2);
      const end = buffer.indexOf('\r\n\r\n');
      if (end <= 0) break;
      const length = Number(/content-length: *(\d+)/i.exec(buffer.toString('latin1', 0, end))?.[1] ?? 0);
      if (buffer.length < end + 4 + length) break;
      const text = buffer.toString('utf8', 0, end + 4 + length);
      buffer = buffer.subarray(end + 4 + length);
      this.#take(text, { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }, socket);
    }
    this.#buffers.set(socket, buffer);
  }

  #take(text: string, from: PeerAddress, connection: Socket | undefined): void {
    const message = new PeerMessage(text, from, connection, performance.now());
    this.received.push(message);
    const at = this.#waiters.findIndex((waiter) => waiter.matches(message));
    if (at >= 0) this.#waiters.splice(at, 1)[0]!.resolve(message);
    else this.#unread.push(message);
  }
}

const isSocket = (to: PeerAddress | Socket): to is Socket => 'write' in to;
