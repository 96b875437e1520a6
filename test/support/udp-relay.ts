import { createSocket, type Socket } from 'node:dgram';

/** What a relay does with a datagram: pass it on so many times, 0 to lose it. */
export type RelayRule = (datagram: Buffer, direction: 'to_peer' | 'from_peer') => number;

/**
 * Stands on loopback between a caller and a peer's port: the caller takes the relay for the peer. Can lose, repeat, hold back
 * and forge datagrams.
 */
export class UdpRelay {
  readonly #towardsCaller: Socket;
  readonly #towardsPeer: Socket;
  #callerPort = 0;

  private constructor(
    private readonly peerPort: number,
    public rule: RelayRule,
    towardsCaller: Socket,
    towardsPeer: Socket,
  ) {
    this.#towardsCaller = towardsCaller;
    this.#towardsPeer = towardsPeer;
    towardsCaller.on('message', (data, from) => {
      this.#callerPort = from.port;
      for (let i = this.rule(data, 'to_peer'); i > 0; i--) towardsPeer.send(data, this.peerPort, '127.0.0.1');
    });
    towardsPeer.on('message', (data) => {
      for (let i = this.rule(data, 'from_peer'); i > 0; i--) this.forge(data);
    });
  }

  static async to(peerPort: number, rule: RelayRule): Promise<UdpRelay> {
    return new UdpRelay(peerPort, rule, await boundSocket('127.0.0.1'), await boundSocket('127.0.0.1'));
  }

  get port(): number {
    return this.#towardsCaller.address().port;
  }

  /** Port the caller was last heard from. */
  get callerPort(): number {
    return this.#callerPort;
  }

  /** Sends to the caller what seems to come from the peer. */
  forge(data: Buffer): void {
    if (this.#callerPort !== 0) this.#towardsCaller.send(data, this.#callerPort, '127.0.0.1');
  }

  close(): void {
    this.#towardsCaller.close();
    this.#towardsPeer.close();
  }
}

/** A UDP socket on a free port of a loopback address. */
export function boundSocket(address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, address, () => resolve(socket));
  });
}
