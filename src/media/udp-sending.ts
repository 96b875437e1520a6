import { createSocket, Socket, type RemoteInfo } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { withDeadline } from '../lib/deadline.js';
import type { Logger } from '../lib/logger.js';
import type { DatagramListener } from '../lib/datagram-batches.js';
import type { DepartureGate } from './departures.js';
import { MediaError } from './media-error.js';
import { arrived, depart } from './udp-batches.js';

/**
 * What stands below a socket: the binding of libuv. It sends at once and returns more than zero, unless the kernel has no room;
 * then it returns zero and sends later, and `request` is its own from then on.
 */
interface UdpHandle {
  send(request: object, list: readonly Buffer[], count: number, port: number, address: string, tells: boolean): number;
  /** Is handed each datagram, or an error below zero. */
  onmessage: (bytesOrError: number, handle: UdpHandle, datagram: Buffer | undefined, from: RemoteInfo) => void;
}

const checkDeadlineMs = 2000;
const checkedDatagrams = 3;
/** Whoever put something else in its place wants to see what is sent: then everything goes that way. */
// eslint-disable-next-line @typescript-eslint/unbound-method -- only compared, and called on the socket
const publicSend = Socket.prototype.send;
/** Makes what the binding wants with each datagram. Known once `enableDirectSending` found that it works. */
let Request: (new () => object) | undefined;
let request: object = {};
let list: Buffer[] = [];

/** Sends the datagrams of one bound socket: by Node's public way, or by what is below it, which costs half as much. */
export class UdpSender implements DepartureGate {
  readonly #handle: UdpHandle | undefined;

  constructor(private readonly socket: Socket) {
    this.#handle = Request && handleOf(socket);
  }

  /** Sends to an address, never a name. The datagram may be overwritten afterwards. Errors are no news: none is reported. */
  send(datagram: Buffer, port: number, address: string): void {
    if (this.#handle && Socket.prototype.send === publicSend) depart(this, datagram, port, address);
    else this.socket.send(Buffer.from(datagram), port, address);
  }

  sendNow(datagram: Buffer, port: number, address: string): boolean {
    return this.#handle !== undefined && sendDirectly(this.#handle, datagram, port, address);
  }
}

/**
 * Has `listener`, which must not throw, take the datagrams of a bound socket that nobody listens to yet, packets of media in their
 * batches (see `arrived`): from below the socket, if that works, which costs less.
 */
export function onDatagram(socket: Socket, listener: DatagramListener): void {
  const handle = Request && handleOf(socket);
  // The function is Node's, set when the socket is bound.
  if (typeof handle?.onmessage !== 'function') {
    socket.on('message', (datagram, from) => arrived(listener, datagram, from));
    return;
  }
  const publicly = handle.onmessage;
  handle.onmessage = (bytesOrError, self, datagram, from) => {
    if (datagram && bytesOrError >= 0) arrived(listener, datagram, from);
    else publicly(bytesOrError, self, datagram, from);
  };
}

/**
 * Has sockets made from now on send and receive directly, if a check with datagrams to ourselves finds that this works on this Node;
 * else everything goes Node's public way, with a warning. Once a process.
 */
export async function enableDirectSending(logger: Logger): Promise<void> {
  if (Request) return;
  try {
    await checkDirectSending();
  } catch (err) {
    disableDirectSending();
    logger.warn('datagrams go the slow way: Node is not as expected', { err });
  }
}

/** Back to Node's public way for sockets that are made from now on. */
export function disableDirectSending(): void {
  Request = undefined;
}

/**
 * The `lookup` of a media socket: addresses only, and at once. A name must never be looked up on the packet path, and Node's
 * own lookup lets even an address wait for the next turn, so that a datagram's memory could not be used again.
 */
export function addressOnly(
  address: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, address, isIPv6(address) ? 6 : 4);
}

/** True if the kernel had no room: libuv sends the very bytes later. */
function sendDirectly(handle: UdpHandle, datagram: Buffer, port: number, address: string): boolean {
  list[0] = datagram;
  if (handle.send(request, list, 1, port, address, false) !== 0 || !Request) return false;
  // Under way still: both have to stay as they are until then.
  Object.assign(request, { list });
  request = new Request();
  list = [];
  return true;
}

/** Undefined if this socket is not built as expected. */
function handleOf(socket: Socket): UdpHandle | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol');
  const state: unknown = symbol && Reflect.get(socket, symbol);
  const handle: unknown = typeof state === 'object' && state !== null && 'handle' in state ? state.handle : undefined;
  const isAsExpected = typeof handle === 'object' && handle !== null && 'send' in handle;
  return isAsExpected && typeof handle.send === 'function' ? (handle as UdpHandle) : undefined;
}

/** @throws MediaError `internal`, or what a socket says, if it does not work. */
async function checkDirectSending(): Promise<void> {
  const socket = createSocket({ type: 'udp4', lookup: addressOnly });
  try {
    const bound = new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, '127.0.0.1', () => resolve());
    });
    await withDeadline(bound, checkDeadlineMs, 'a port of our own');
    const { port } = socket.address();
    const handle = handleOf(socket);
    if (!handle) throw new MediaError('internal', 'the sockets of Node are not built as expected');
    const heard: number[] = [];
    Request = requestOf(handle, () => socket.send(Buffer.of(0), port, '127.0.0.1'));
    request = new Request();
    const all = new Promise<void>((resolve) =>
      onDatagram(socket, ([first], from) => {
        if (from.port !== port || from.address !== '127.0.0.1') return;
        if (heard.push(first ?? 0) === 1 + checkedDatagrams) resolve();
      }),
    );
    for (let i = 1; i <= checkedDatagrams; i++) sendDirectly(handle, Buffer.of(i), port, '127.0.0.1');
    await withDeadline(all, checkDeadlineMs, 'a datagram to ourselves');
    if (heard.some((first, i) => first !== i)) throw new MediaError('internal', 'datagrams arrive otherwise than sent');
  } finally {
    socket.close();
  }
}

/** What Node's own sending hands to the binding: its class cannot be had otherwise. */
function requestOf(handle: UdpHandle, sendPublicly: () => void): new () => object {
  let seen: unknown;
  const own = Object.getOwnPropertyDescriptor(handle, 'send');
  const send = handle.send.bind(handle);
  handle.send = (...args) => {
    seen = args[0].constructor;
    return send(...args);
  };
  try {
    sendPublicly();
  } finally {
    if (own) Object.defineProperty(handle, 'send', own);
    else Reflect.deleteProperty(handle, 'send');
  }
  if (typeof seen !== 'function' || seen.name !== 'SendWrap')
    throw new MediaError('internal', 'the requests of Node are not built as expected');
  return seen as new () => object;
}
