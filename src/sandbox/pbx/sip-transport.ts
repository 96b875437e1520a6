import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { header, headers, parameter, parseSip, writeSip } from './sip-message.js';
import type { SipMessage } from './sip-message.js';

export interface SipAddress {
  readonly host: string;
  readonly port: number;
}

/** RFC 3261 §17.1.1.1; milliseconds. */
const T1 = 500;
const T2 = 4000;

export interface ClientTransaction {
  /** Stops retransmissions and forgets the request. */
  stop(): void;
}

interface PendingRequest {
  readonly method: string;
  readonly destination: SipAddress;
  readonly fields: readonly (readonly [string, string])[];
  readonly uri: string;
  readonly stop: () => void;
  /** Ends retransmission, keeps listening. */
  readonly hush: () => void;
  readonly onResponse: (response: SipMessage | undefined) => void;
}

interface Served {
  response: Buffer | undefined;
  readonly source: SipAddress;
  stopRepeating: () => void;
}

export interface IncomingRequest {
  readonly message: SipMessage;
  readonly source: SipAddress;
  /** Key of its transaction; a CANCEL has that of the INVITE it cancels. */
  readonly key: string;
}

function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** A CANCEL or ACK belongs to the INVITE with the same branch (RFC 3261 §17.2.3). */
function serverKey(message: SipMessage): string {
  const via = header(message, 'via');
  const method = message.method === 'ACK' || message.method === 'CANCEL' ? 'INVITE' : message.method;
  return `${parameter(via, 'branch') ?? ''}|${via.split(/[ ;]/)[1] ?? ''}|${method ?? ''}`;
}

/** SIP over UDP on loopback with RFC 3261's retransmissions: the transaction layer of the sandbox's PBX. */
export class SipTransport {
  onRequest: (request: IncomingRequest) => void = () => undefined;
  /** Every message in and out; for assertions. */
  readonly log: { readonly direction: 'in' | 'out'; readonly message: SipMessage; readonly atMs: number }[] = [];
  readonly #pending = new Map<string, PendingRequest>();
  readonly #served = new Map<string, Served>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  private constructor(
    private readonly socket: Socket,
    readonly address: SipAddress,
  ) {
    socket.on('message', (datagram, from) => this.#received(datagram, { host: from.address, port: from.port }));
    socket.on('error', () => undefined);
  }

  /** Binds a UDP socket on a loopback address. @throws RangeError for any other address */
  static async bind(host = '127.0.0.1', port = 0): Promise<SipTransport> {
    if (!isLoopback(host)) throw new RangeError('the sandbox PBX binds loopback only');
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, resolve);
    });
    return new SipTransport(socket, { host, port: socket.address().port });
  }

  /**
   * Sends a request and repeats it as RFC 3261 §17.1 wants. `onResponse` is called for each response, with undefined when
   * none came in 64·T1. A final answer other than 2xx to an INVITE is acknowledged here.
   */
  request(
    method: string,
    uri: string,
    fields: readonly (readonly [string, string])[],
    options: { destination: SipAddress; body?: string; branch?: string },
    onResponse: (response: SipMessage | undefined) => void,
  ): ClientTransaction {
    const branch = options.branch ?? `z9hG4bK${randomBytes(8).toString('hex')}`;
    const via = ['Via', `SIP/2.0/UDP ${this.address.host}:${this.address.port};branch=${branch};rport`] as const;
    const all = [via, ['Max-Forwards', '70'] as const, ...fields];
    const datagram = writeSip(`${method} ${uri} SIP/2.0`, all, options.body);
    const key = `${branch}|${method}`;
    const stopRepeating = this.#repeat(datagram, options.destination, method === 'INVITE' ? Infinity : T2, () => {
      this.#pending.delete(key);
      onResponse(undefined);
    });
    const stop = (): void => {
      stopRepeating();
      this.#pending.delete(key);
    };
    const { destination } = options;
    this.#pending.set(key, { method, destination, fields: all, uri, stop, hush: stopRepeating, onResponse });
    return { stop };
  }

  /** Sends a request that has no transaction: the ACK of a 2xx. */
  sendOnce(
    method: string,
    uri: string,
    fields: readonly (readonly [string, string])[],
    to: SipAddress,
    body = '',
  ): void {
    const branch = `z9hG4bK${randomBytes(8).toString('hex')}`;
    const via = ['Via', `SIP/2.0/UDP ${this.address.host}:${this.address.port};branch=${branch};rport`] as const;
    this.#send(writeSip(`${method} ${uri} SIP/2.0`, [via, ['Max-Forwards', '70'] as const, ...fields], body), to);
  }

  /**
   * Answers a request. The response is repeated when the request is, and a final answer to an INVITE until its ACK comes.
   */
  respond(
    request: IncomingRequest,
    status: number,
    reason: string,
    options: { toTag?: string; fields?: readonly (readonly [string, string])[]; body?: string } = {},
  ): void {
    const { message, source, key } = request;
    const to = header(message, 'to');
    const tagged =
      options.toTag !== undefined && parameter(to, 'tag') === undefined ? `${to};tag=${options.toTag}` : to;
    const datagram = writeSip(
      `SIP/2.0 ${status} ${reason}`,
      [
        ...headers(message, 'via').map((value) => ['Via', value] as const),
        ...headers(message, 'record-route').map((value) => ['Record-Route', value] as const),
        ['From', header(message, 'from')],
        ['To', tagged],
        ['Call-ID', header(message, 'call-id')],
        ['CSeq', header(message, 'cseq')],
        ...(options.fields ?? []),
      ],
      options.body,
    );
    const served = this.#served.get(key);
    if (served && message.method !== 'CANCEL') {
      served.response = datagram;
      served.stopRepeating();
      if (message.method === 'INVITE' && status >= 200) {
        served.stopRepeating = this.#repeat(datagram, source, T2, () => undefined);
        return;
      }
    }
    this.#send(datagram, source);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  /** Sends at once, then after T1, 2·T1, … up to `capMs` apart, until stopped or 64·T1 have gone by. */
  #repeat(datagram: Buffer, to: SipAddress, capMs: number, onTimeout: () => void): () => void {
    let timer: NodeJS.Timeout | undefined;
    let intervalMs = T1;
    let leftMs = 64 * T1;
    const clear = (): void => {
      if (timer === undefined) return;
      clearTimeout(timer);
      this.#timers.delete(timer);
    };
    const arm = (): void => {
      const waitMs = Math.min(intervalMs, leftMs);
      timer = setTimeout(() => {
        clear();
        leftMs -= waitMs;
        intervalMs = Math.min(intervalMs * 2, capMs);
        if (leftMs <= 0) onTimeout();
        else {
          this.#send(datagram, to);
          arm();
        }
      }, waitMs);
      this.#timers.add(timer);
    };
    this.#send(datagram, to);
    if (!this.#closed) arm();
    return clear;
  }

  #send(datagram: Buffer, to: SipAddress): void {
    if (this.#closed || !isLoopback(to.host)) return;
    const message = parseSip(datagram);
    if (message) this.log.push({ direction: 'out', message, atMs: performance.now() });
    this.socket.send(datagram, to.port, to.host);
  }

  #received(datagram: Buffer, source: SipAddress): void {
    const message = parseSip(datagram);
    if (!message) return;
    this.log.push({ direction: 'in', message, atMs: performance.now() });
    if (message.method === undefined) this.#response(message);
    else this.#request(message, source);
  }

  #response(message: SipMessage): void {
    const method = header(message, 'cseq').split(/\s+/)[1] ?? '';
    const key = `${parameter(header(message, 'via'), 'branch') ?? ''}|${method}`;
    const pending = this.#pending.get(key);
    if (!pending) return;
    if (message.status < 200) {
      if (method === 'INVITE') pending.hush();
    } else if (method !== 'INVITE') {
      pending.stop();
    } else {
      pending.hush();
      if (message.status >= 300) this.#acknowledge(pending, message);
    }
    pending.onResponse(message);
  }

  /** RFC 3261 §17.1.1.3: same branch, the To of the response. */
  #acknowledge(pending: PendingRequest, response: SipMessage): void {
    const cseq = header(response, 'cseq').split(/\s+/)[0] ?? '1';
    const fields = pending.fields
      .filter(([name]) => !/^(to|cseq|contact|allow|supported)$/i.test(name))
      .concat([
        ['To', header(response, 'to')],
        ['CSeq', `${cseq} ACK`],
      ]);
    this.#send(writeSip(`ACK ${pending.uri} SIP/2.0`, fields), pending.destination);
  }

  #request(message: SipMessage, source: SipAddress): void {
    const key = serverKey(message);
    const served = this.#served.get(key);
    if (message.method === 'ACK') {
      // The ACK of a 2xx has a branch of its own: whoever waits for it is found by Call-ID.
      const callId = header(message, 'call-id');
      for (const [known, entry] of this.#served)
        if (known === key || known.endsWith(`#${callId}`)) entry.stopRepeating();
    } else if (message.method !== 'CANCEL') {
      if (served) {
        if (served.response) this.#send(served.response, served.source);
        return;
      }
      const entry: Served = { response: undefined, source, stopRepeating: () => undefined };
      this.#served.set(key, entry);
      if (message.method === 'INVITE') this.#served.set(`${key}#${header(message, 'call-id')}`, entry);
    }
    this.onRequest({ message, source, key });
  }
}
