import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { FrameDecoder, type Frame } from '../../../../src/sip-server/wire/frame-codec.js';

export interface TappedFrame {
  readonly from: 'app' | 'server';
  readonly tokens: readonly string[];
  readonly sip: string | undefined;
  readonly byteLength: number;
}

/** Stands between an application and its SIP server, passes every byte on and keeps the frames in their order. */
export class FrameTap {
  readonly frames: TappedFrame[] = [];
  readonly #sockets = new Set<Socket>();
  #toServer: Socket | undefined;

  private constructor(private readonly listener: Server) {}

  static async before(server: { readonly host: string; readonly port: number }): Promise<FrameTap> {
    const listener = createServer();
    const tap = new FrameTap(listener);
    listener.on('connection', (app) => tap.#join(app, connect(server.port, server.host)));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return tap;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Puts a frame of the test's own among the application's. */
  inject(payload: string): void {
    const frame = `${Buffer.byteLength(payload)}#${payload}`;
    this.#keep('app', new FrameDecoder().push(Buffer.from(frame)));
    this.#toServer?.write(frame);
  }

  /** Breaks what is connected; the application may connect anew. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  #join(app: Socket, server: Socket): void {
    this.#toServer = server;
    this.#pass('app', app, server);
    this.#pass('server', server, app);
  }

  #pass(from: TappedFrame['from'], source: Socket, sink: Socket): void {
    this.#sockets.add(source);
    const decoder = new FrameDecoder();
    source.on('data', (chunk: Buffer) => {
      this.#keep(from, decoder.push(chunk));
      sink.write(chunk);
    });
    source.on('error', () => sink.destroy());
    source.on('close', () => sink.destroy());
  }

  #keep(from: TappedFrame['from'], frames: readonly Frame[]): void {
    this.frames.push(...frames.map(({ sip, ...frame }) => ({ ...frame, from, sip: sip?.toString() })));
  }
}
