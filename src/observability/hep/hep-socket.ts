import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import type { Clock, Timer } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import { deferred, type Deferred } from '../../lib/deferred.js';
import type { DnsClient } from '../../lib/dns-client.js';
import type { Place } from '../capture/udp-packet.js';

/** The way to whoever collects HEP packets. Never throws and never waits. */
export interface HepLink {
  /** Our side of it. */
  readonly local: Place;
  /** Whether packets can be sent now. */
  readonly hasRoom: boolean;
  send(packet: Buffer): void;
  /** Resolves when what was sent has left, or has had its time. */
  close(): Promise<void>;
}

export interface HepSocketOptions {
  readonly host: string;
  readonly port: number;
  readonly dns: Pick<DnsClient, 'addresses'>;
  readonly clock: Clock;
  /** Packets that did not get there, as far as that is known. */
  readonly onLost: (packets: number, error: unknown) => void;
}

const LOOKUP_MS = 2_000;
const RETRY_MS = 5_000;
/** A name is looked up again after an error, but not more often. */
const LOOKUP_AGAIN_MS = 60_000;
/** What the kernel has not taken yet. */
const MAX_QUEUED_BYTES = 2 ** 20;
const CLOSE_MS = 500;

/** A connected datagram socket: so it hears of a receiver that is not there, and each packet costs no look-up. */
export class HepSocket implements HepLink {
  #socket: Socket | undefined;
  #isOpen = false;
  #isClosed = false;
  #openedMs = 0;
  #retry: Timer | undefined;
  #local: Place = { address: '127.0.0.1', port: 0 };
  #underWay = 0;
  #allSent: Deferred<void> | undefined;

  constructor(private readonly options: HepSocketOptions) {
    void this.#open();
  }

  get local(): Place {
    return this.#local;
  }

  get hasRoom(): boolean {
    return this.#isOpen && (this.#socket?.getSendQueueSize() ?? 0) < MAX_QUEUED_BYTES;
  }

  send(packet: Buffer): void {
    if (!this.#socket || !this.#isOpen) return this.options.onLost(1, new Error('there is no way to it'));
    this.#underWay++;
    this.#socket.send(packet, (error) => {
      this.#underWay--;
      if (this.#underWay === 0) this.#allSent?.resolve();
      if (error) this.#failed(error);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    if (this.#underWay > 0) {
      this.#allSent = deferred();
      await withDeadline(this.#allSent.promise, CLOSE_MS, 'last HEP packets', this.options.clock).catch(
        () => undefined,
      );
    }
    this.#drop();
  }

  async #open(): Promise<void> {
    const { host, port, dns, clock, onLost } = this.options;
    this.#openedMs = clock.monotonicMs();
    try {
      const [address] = await withDeadline(dns.addresses(host), LOOKUP_MS, 'look-up of the HEP receiver', clock);
      if (address === undefined) throw new Error('it has no address');
      if (!this.#isClosed) this.#connect(address, port);
    } catch (error) {
      onLost(0, error);
      this.#retryLater();
    }
  }

  #connect(address: string, port: number): void {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    this.#socket = socket;
    socket.unref();
    socket.on('error', (error) => this.#failed(error));
    // nobody answers; what comes is not read into anything
    socket.on('message', () => undefined);
    socket.connect(port, address, (error?: Error) => {
      if (socket !== this.#socket || this.#isClosed) return;
      if (error) {
        this.options.onLost(0, error);
        return this.#retryLater();
      }
      const { address: own, port: ownPort } = socket.address();
      this.#local = { address: own, port: ownPort };
      this.#isOpen = true;
    });
  }

  /** ICMP says that nobody is there, or the kernel has no way: packets go on being sent, and a name is asked again in time. */
  #failed(error: Error): void {
    if (this.#isClosed) return;
    this.options.onLost(1, error);
    const { host, clock } = this.options;
    if (isIP(host) !== 0 || !this.#isOpen || clock.monotonicMs() - this.#openedMs < LOOKUP_AGAIN_MS) return;
    this.#drop();
    void this.#open();
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#drop();
    this.#retry = this.options.clock.after(RETRY_MS, () => void this.#open());
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    socket?.close();
  }
}
