import type { Socket } from 'node:net';

/** The server's end of a connection to an application. */
export interface AppConnection {
  /** Does what is sent still reach the application? */
  readonly open: boolean;
  /** What the application has not taken, nor the kernel for it, bytes. */
  readonly backlogBytes: number;
  send(bytes: Buffer): void;
  /** Closes once all that was sent has arrived. */
  end(): void;
  close(): void;
}

/** Hears of a connection. */
export interface AppConnectionEvents {
  onData(chunk: Buffer): void;
  onError(error: Error): void;
  /** Comes once. */
  onClose(): void;
}

/** Takes a connection into use: says who hears of it, and gets its end. */
export type OpenAppConnection = (events: AppConnectionEvents) => AppConnection;

/** A connection over a socket of the kernel's. */
export const overSocket =
  (socket: Socket): OpenAppConnection =>
  (events) =>
    new SocketConnection(socket, events);

class SocketConnection implements AppConnection {
  constructor(
    private readonly socket: Socket,
    events: AppConnectionEvents,
  ) {
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => events.onData(chunk));
    socket.on('error', (error) => events.onError(error));
    socket.on('close', () => events.onClose());
  }

  get open(): boolean {
    return !this.socket.destroyed && this.socket.writable;
  }

  get backlogBytes(): number {
    return this.socket.writableLength;
  }

  send(bytes: Buffer): void {
    this.#gather();
    this.socket.write(bytes);
  }

  end(): void {
    this.socket.end();
  }

  close(): void {
    this.socket.destroy();
  }

  /** What one turn of the event loop has to tell goes out in one piece: under load a system call for each frame is dear. */
  #gather(): void {
    if (this.socket.writableCorked > 0) return;
    this.socket.cork();
    setImmediate(() => this.socket.uncork());
  }
}
