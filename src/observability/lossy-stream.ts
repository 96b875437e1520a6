import { Writable } from 'node:stream';

/** Streams that have their listener already: more than one logger may write to standard error. */
const listenedTo = new WeakSet<NodeJS.WritableStream>();

/**
 * Passes text on to a stream that may fail (a full disk, a pipe whose reader is gone) and counts what was lost with it.
 * It never fails itself, neither by an `error` event, which without a listener ends the process, nor by throwing.
 */
export class LossyStream extends Writable {
  #lost = 0;
  #unsaid = 0;

  /** `onRecovery` is told of the lines lost since the last time, once the stream takes lines again. */
  constructor(
    private readonly target: NodeJS.WritableStream,
    private readonly onRecovery: (lost: number) => void,
  ) {
    super({ decodeStrings: false });
    if (listenedTo.has(target)) return;
    listenedTo.add(target);
    // each loss is counted where it was written, below
    target.on('error', () => undefined);
  }

  /** Lines that did not arrive, from the beginning. */
  get lost(): number {
    return this.#lost;
  }

  /** Never waits for the target: it keeps its own queue, and a call must not wait for a log. */
  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    try {
      this.target.write(chunk, (error?: Error | null) => {
        if (error) this.#lose();
        else this.#recover();
      });
    } catch {
      this.#lose();
    }
    done();
  }

  #lose(): void {
    this.#lost += 1;
    this.#unsaid += 1;
  }

  #recover(): void {
    if (this.#unsaid === 0) return;
    const lost = this.#unsaid;
    this.#unsaid = 0;
    this.onRecovery(lost);
  }
}
