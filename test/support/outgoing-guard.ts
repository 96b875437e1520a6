import { Socket as DatagramSocket } from 'node:dgram';
import { Socket } from 'node:net';

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host);

/**
 * Watches every datagram and every connection of this process. Whatever is meant for an address beyond loopback is noted and
 * kept back, so that a test that fails sends nothing either.
 */
export class OutgoingGuard {
  /** Addresses beyond loopback that something was meant for. */
  readonly strayed: string[] = [];
  /** How many datagrams went to loopback: a guard that sees nothing proves nothing. */
  datagrams = 0;
  readonly #restore: (() => void)[] = [];

  constructor() {
    this.#watchDatagrams();
    this.#watchConnections();
  }

  stop(): void {
    for (const restore of this.#restore.splice(0)) restore();
  }

  #watchDatagrams(): void {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the patched method needs the socket as its own `this`
    const guard = this;
    const prototype = DatagramSocket.prototype as { send: (...args: unknown[]) => void };
    const send = prototype.send;
    prototype.send = function (this: DatagramSocket, ...args: unknown[]): void {
      const host = args.slice(1).find((arg): arg is string => typeof arg === 'string');
      if (host !== undefined && !isLoopback(host)) guard.strayed.push(`udp ${host}`);
      else {
        guard.datagrams++;
        send.apply(this, args);
      }
    };
    this.#restore.push(() => (prototype.send = send));
  }

  #watchConnections(): void {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- as above
    const guard = this;
    const prototype = Socket.prototype as { connect: (...args: unknown[]) => unknown };
    const connect = prototype.connect;
    prototype.connect = function (this: Socket, ...args: unknown[]): unknown {
      const host = hostOf(args);
      if (host === undefined || isLoopback(host)) return connect.apply(this, args);
      guard.strayed.push(`tcp ${host}`);
      this.destroy(new Error(`kept from connecting to ${host}`));
      return this;
    };
    this.#restore.push(() => (prototype.connect = connect));
  }
}

/** `connect(options)`, `connect(port, host)`, and the list form that net uses inside. */
function hostOf(args: readonly unknown[]): string | undefined {
  const first: unknown = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
  if (typeof first === 'object' && first !== null) {
    return 'host' in first && typeof first.host === 'string' ? first.host : undefined;
  }
  return typeof args[1] === 'string' ? args[1] : undefined;
}
