import type { Socket } from 'node:dgram';
import { boundSocket } from '../udp-relay.js';
import type { Meanwhile } from './call-fleet.js';

/** Where the attacker lives: an address of loopback that nobody of the call has. */
export const attackersHome = '127.0.0.66';

/** Sends a datagram; what it does with it is the attack's. */
export type Shoot = (shot: number, send: (datagram: Buffer, port: number) => void) => void;

/** Fires a thousand datagrams a second from an address of its own, and counts what comes back. */
export class Attacker implements Meanwhile {
  shots = 0;
  /** Datagrams that anybody sent to it: none may be. */
  received = 0;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly socket: Socket,
    private readonly shoot: Shoot,
    private readonly perSecond: number,
  ) {
    socket.on('message', () => this.received++);
  }

  static async open(shoot: Shoot, perSecond = 1000): Promise<Attacker> {
    return new Attacker(await boundSocket(attackersHome), shoot, perSecond);
  }

  start(): void {
    const start = performance.now();
    const send = (datagram: Buffer, port: number): void => this.socket.send(datagram, port, '127.0.0.1');
    this.#timer = setInterval(() => {
      const due = ((performance.now() - start) * this.perSecond) / 1000;
      while (this.shots < due) this.shoot(this.shots++, send);
    }, 2);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  close(): void {
    this.stop();
    this.socket.close();
  }
}
