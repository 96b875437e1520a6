import { createSocket, type Socket } from 'node:dgram';

/**
 * What a relay does with a datagram: pass it on so many times, 0 to lose it; or each copy after so many milliseconds, so that
 * others overtake it.
 */
export type RelayRule = (datagram: Buffer, direction: 'to_peer' | 'from_peer') => number | readonly number[];

/**
 * Stands on loopback between a caller and a peer's port: the caller takes the relay for the peer. Can lose, repeat, hold back
 * and forge datagrams.
 */
export class UdpRelay {
  readonly #towardsCaller: Socket;
  readonly #towardsPeer: Socket;
  #callerPort = 0;
  #closed = false;
  #callerHost = '127.0.0.1';

  private constructor(
    private readonly peerPort: number,
    public rule: RelayRule,
    towardsCaller: Socket,
    towardsPeer: Socket,
    peerHost = '127.0.0.1',
  ) {
    this.#towardsCaller = towardsCaller;
    this.#towardsPeer = towardsPeer;
    towardsCaller.on('message', (data, from) => {
      this.#callerPort = from.port;
      this.#callerHost = from.address;
      this.#pass(this.rule(data, 'to_peer'), () => towardsPeer.send(data, this.peerPort, peerHost));
    });
    towardsPeer.on('message', (data) => {
      this.#pass(this.rule(data, 'from_peer'), () => this.forge(data));
    });
  }

  static async to(peerPort: number, rule: RelayRule): Promise<UdpRelay> {
    return new UdpRelay(peerPort, rule, await boundSocket('127.0.0.1'), await boundSocket('127.0.0.1'));
  }

  /**
   * As 1:1 address translation would: the caller finds the peer at `inside`, the peer sees the caller at `outside`. Port 0 is
   * any.
   */
  static async translating(
    peer: { readonly address: string; readonly port: number },
    inside: { readonly address: string; readonly port: number },
    outside: { readonly address: string; readonly port: number },
  ): Promise<UdpRelay> {
    const sockets = [
      await boundSocket(inside.address, inside.port),
      await boundSocket(outside.address, outside.port),
    ] as const;
    return new UdpRelay(peer.port, () => 1, ...sockets, peer.address);
  }

  get port(): number {
    return this.#towardsCaller.address().port;
  }

  /** Port the caller was last heard from. */
  get callerPort(): number {
    return this.#callerPort;
  }

  /** The port that the peer sees: what comes in there goes to the caller. */
  get peerSidePort(): number {
    return this.#towardsPeer.address().port;
  }

  /** Says where the caller is before it has spoken. */
  expectCaller(port: number): void {
    this.#callerPort = port;
  }

  /** Sends to the caller what seems to come from the peer. */
  forge(data: Buffer): void {
    if (this.#callerPort !== 0) this.#towardsCaller.send(data, this.#callerPort, this.#callerHost);
  }

  close(): void {
    this.#closed = true;
    this.#towardsCaller.close();
    this.#towardsPeer.close();
  }

  #pass(copies: number | readonly number[], send: () => void): void {
    if (typeof copies === 'number') {
      for (let i = copies; i > 0; i--) send();
      return;
    }
    for (const delayMs of copies) {
      if (delayMs === 0) send();
      else setTimeout(() => this.#closed || send(), delayMs);
    }
  }
}

/** A UDP socket on a port of a loopback address, by default a free one. */
export function boundSocket(address: string, port = 0): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(port, address, () => resolve(socket));
  });
}
