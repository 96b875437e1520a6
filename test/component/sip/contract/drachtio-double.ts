import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { FrameDecoder, SAFE_FRAME_BYTES, type Frame } from '../../../../src/sip-server/wire/frame-codec.js';
import { Transcript } from '../../sip-server/contract/transcript.js';
import { eventually } from '../../../support/eventually.js';
import { LearntValues } from './learnt-values.js';
import { decoded, LINK_CUT, recordedNames, tappedFrame, type Exchange } from './recording.js';

/** Plays the drachtio-server's side of one recorded exchange, and holds the application to the other side of it. */
export class DrachtioDouble {
  /** What the application did that is not in the recording. */
  readonly faults: string[] = [];
  readonly #unread: Frame[] = [];
  readonly #released: string[] = [];
  readonly #recorded: Transcript;
  readonly #live: Transcript;
  readonly #values = new LearntValues();
  #at = 0;
  #socket: Socket | undefined;
  #wake: () => void = () => undefined;
  #stopped = false;

  private constructor(
    private readonly listener: Server,
    private readonly exchange: Exchange,
    readonly secret: string,
  ) {
    this.#recorded = new Transcript(recordedNames(secret));
    this.#live = new Transcript(recordedNames(secret));
    listener.on('connection', (socket) => this.#join(socket));
  }

  static async playing(exchange: Exchange, secret: string): Promise<DrachtioDouble> {
    const listener = createServer();
    const double = new DrachtioDouble(listener, exchange, secret);
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    void double.#play();
    return double;
  }

  readonly host = '127.0.0.1';

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Lets happen what the network did next, once the exchange has come so far; waits until it has come to all these cues. */
  async release(...cues: readonly string[]): Promise<void> {
    this.#released.push(...cues);
    this.#wake();
    const isDone = (): boolean => this.#released.length === 0 || this.faults.length > 0;
    await eventually(isDone, cues.join(), 5000).catch((error: unknown) => {
      throw new Error(this.#where(cues[0] ?? ''), { cause: error });
    });
  }

  /** Resolves when the whole exchange has been played. */
  async finished(): Promise<void> {
    const isOver = (): boolean => this.#at === this.exchange.length || this.faults.length > 0;
    await eventually(isOver, 'end of the exchange', 5000).catch((error: unknown) => {
      throw new Error(this.#where('the end'), { cause: error });
    });
    for (const frame of this.#unread) this.faults.push(`beyond the recording: ${frame.tokens.join('|')}`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    this.#socket?.destroy();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  #where(what: string): string {
    return `never came to ${what}; the exchange stands at "${this.exchange[this.#at]?.split('\r\n', 2).join(' ') ?? 'its end'}"`;
  }

  async #play(): Promise<void> {
    for (; this.#at < this.exchange.length; this.#at++) {
      const line = this.exchange[this.#at] ?? '';
      if (line.startsWith('-- ')) await this.#cue(line.slice(3));
      else if (line.startsWith('> ')) await this.#expect(line.slice(2));
      else this.#say(line.slice(2));
      if (this.#stopped || this.faults.length > 0) return;
    }
  }

  async #cue(what: string): Promise<void> {
    await this.#until(() => this.#released.length > 0);
    const released = this.#released.shift();
    if (released !== what) this.faults.push(`"${released}" was let happen where the recording has "${what}"`);
    if (what !== LINK_CUT) return;
    this.#socket?.destroy();
    this.#socket = undefined;
    await this.#until(() => this.#socket !== undefined);
  }

  /** Takes the application's next frame and holds it against the recorded one. */
  async #expect(payload: string): Promise<void> {
    await this.#until(() => this.#unread.length > 0);
    const frame = this.#unread.shift();
    if (!frame) return;
    const recorded = tappedFrame('app', decoded(payload));
    const live = tappedFrame('app', frame);
    const [wanted] = this.#recorded.lines([recorded]);
    const [given] = this.#live.lines([live]);
    if (given !== wanted) this.faults.push(`wanted ${wanted}, was given ${given}`);
    if (frame.byteLength >= SAFE_FRAME_BYTES) this.faults.push(`${frame.byteLength} bytes: ${given}`);
    this.#values.learn(recorded, live);
  }

  #say(payload: string): void {
    const filled = this.#values.fill(payload);
    this.#recorded.lines([tappedFrame('server', decoded(payload))]);
    this.#live.lines([tappedFrame('server', decoded(filled))]);
    this.#socket?.write(`${Buffer.byteLength(filled)}#${filled}`);
  }

  #join(socket: Socket): void {
    const decoder = new FrameDecoder();
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      this.#unread.push(...decoder.push(chunk));
      this.#wake();
    });
    this.#socket = socket;
    this.#wake();
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#stopped) await new Promise<void>((resolve) => (this.#wake = resolve));
  }
}
