import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Stands between an application and the server, so that the application can be lost without a word. */
export class TcpCable {
  readonly #sockets = new Set<Socket>();
  private constructor(private readonly server: Server) {}

  static async to(port: number): Promise<TcpCable> {
    const server = createServer();
    const cable = new TcpCable(server);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        cable.#sockets.add(one);
        one.on('error', () => one.destroy()).on('close', () => other.destroy());
        one.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return cable;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Breaks what is connected; new connections are taken. */
  snap(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks it for good. */
  async cut(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.snap();
    await closed;
  }
}
