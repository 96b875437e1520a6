import { Socket } from 'node:net';
import type { AppConnection, AppConnectionEvents, OpenAppConnection } from './app-connection.js';

/** Takes things now and hands them over later, in order: whoever writes is not called back before it has returned. */
class Handover<T> {
  #waiting: T[] = [];
  #isDue = false;

  constructor(
    private readonly later: (run: () => void) => void,
    private readonly handOver: (item: T) => void,
  ) {}

  get waiting(): readonly T[] {
    return this.#waiting;
  }

  push(item: T): void {
    this.#waiting.push(item);
    this.#plan();
  }

  clear(): void {
    this.#waiting = [];
  }

  #plan(): void {
    if (this.#isDue || this.#waiting.length === 0) return;
    this.#isDue = true;
    this.later(this.#run);
  }

  readonly #run = (): void => {
    const items = this.#waiting;
    this.#waiting = [];
    let done = 0;
    try {
      for (; done < items.length; done++) this.handOver(items[done] as T);
    } finally {
      this.#isDue = false;
      // One that throws must not keep those after it.
      if (done < items.length) this.#waiting = [...items.slice(done + 1), ...this.#waiting];
      this.#plan();
    }
  };
}

/** In the next turn of the event loop: sockets and timers get theirs first, however long two ends talk. */
const nextTurn = (run: () => void): void => void setImmediate(run);
/** As soon as what runs now has returned. */
const atOnce = (run: () => void): void => process.nextTick(run);

/** Bytes, or the end of the connection, and who wants to hear that they have arrived. */
type Sent = { readonly bytes: Buffer; readonly done?: unknown } | 'end';

const bytesOf = (sent: readonly Sent[]): number =>
  sent.reduce((sum, it) => (it === 'end' ? sum : sum + it.bytes.length), 0);

/** The application's end: of a socket it has what drachtio-srf uses, and the name that drachtio-srf insists on. */
class AppSocket extends Socket {
  readonly #toServer: Handover<Sent>;

  constructor(toServer: Handover<Sent>) {
    super();
    this.#toServer = toServer;
    setImmediate(() => this.destroyed || this.emit('connect'));
  }

  override write(data: string | Uint8Array, ...rest: unknown[]): boolean {
    if (this.destroyed) return false;
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.length);
    this.#toServer.push({ bytes, done: rest.at(-1) });
    return true;
  }

  override end(): this {
    if (!this.destroyed) this.#toServer.push('end');
    return this;
  }
}

/** The server's end. */
class ServerEnd implements AppConnection {
  constructor(
    private readonly app: AppSocket,
    private readonly toApp: Handover<Sent>,
  ) {}

  get open(): boolean {
    return !this.app.destroyed;
  }

  get backlogBytes(): number {
    return bytesOf(this.toApp.waiting);
  }

  send(bytes: Buffer): void {
    if (this.open) this.toApp.push({ bytes });
  }

  end(): void {
    if (this.open) this.toApp.push('end');
  }

  close(): void {
    this.app.destroy();
  }
}

/**
 * A connection between an application and the server of the same process that no kernel sees: over loopback every message
 * costs a write, a wake-up and a read. `app` is connected in the next turn of the event loop. The server hears at once, the
 * application in the next turn: a turn for each direction would be one more for every answer (decision 0397).
 */
export function inProcessConnection(): { readonly app: Socket; readonly open: OpenAppConnection } {
  let hear: AppConnectionEvents | undefined;
  const toServer = new Handover<Sent>(atOnce, (sent) => {
    if (sent === 'end') app.destroy();
    else if (!app.destroyed) {
      hear?.onData(sent.bytes);
      if (typeof sent.done === 'function') (sent.done as () => void)();
    }
  });
  const app = new AppSocket(toServer);
  const toApp = new Handover<Sent>(nextTurn, (sent) => {
    if (sent === 'end') app.destroy();
    else if (!app.destroyed) app.emit('data', sent.bytes);
  });
  app.on('close', () => {
    toApp.clear();
    hear?.onClose();
  });
  const open: OpenAppConnection = (events) => {
    hear = events;
    return new ServerEnd(app, toApp);
  };
  return { app, open };
}
