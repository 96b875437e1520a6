import type { Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import type { Endpoint } from './source-guard.js';

/** Has the events of a UDP socket but no network, for checks at start: what it sends goes to `onSent` or nowhere. */
export class DetachedSocket extends EventEmitter {
  onSent: (datagram: Buffer) => void = () => undefined;

  /** As what it stands in for. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** Has a datagram arrive. */
  show(datagram: Buffer, { address, port }: Endpoint): void {
    this.emit('message', datagram, { address, port, family: 'IPv4', size: datagram.length });
  }

  send(datagram: Buffer): void {
    this.onSent(datagram);
  }

  close(done: () => void): void {
    done();
  }
}
