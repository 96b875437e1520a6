import { Readable } from 'node:stream';
import type { CaptureRequest } from '../../http/api/schemas.js';
import { ProblemError } from '../../http/api/problem.js';
import type { Clock, Timer } from '../../lib/clock.js';
import type { CallId } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import { packageVersion } from '../../lib/package-version.js';
import type { CapturedBatch, MediaCapture } from '../../media/packet-capture.js';
import type { CallHistory } from '../../observability/call-history.js';
import { CallPcapng } from '../../observability/capture/call-pcapng.js';
import type { SipRings } from '../../observability/capture/sip-rings.js';
import type { Timeline } from '../../observability/timeline.js';

export interface CallCapturesOptions {
  readonly history: CallHistory;
  readonly timeline: Timeline;
  readonly sipRings: SipRings;
  readonly media: MediaCapture;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Recordings at once: each costs what about one more call costs. */
const MAX_RUNNING = 4;
/** What a reader has not taken yet; beyond it packets are left out. */
const MAX_QUEUED_BYTES = 2 * 2 ** 20;
/** The end of the audio and the last response come a moment after the end of the call. */
const LAST_WORDS_MS = 400;
/** A reader that has not taken the rest so long after the end is cut off. */
const STALL_MS = 30_000;

/** Recordings of calls that are under way. */
export class CallCaptures {
  readonly #running = new Map<CallId, Recording>();

  constructor(private readonly options: CallCapturesOptions) {}

  /** SIP so far, and of a live call what comes within the time asked for. @throws ProblemError */
  start(id: CallId, { forMs }: CaptureRequest): Readable {
    const { history, logger } = this.options;
    const known = history.get(id);
    if (!known) throw new ProblemError('no_such_call');
    const isLive = known.record === undefined && forMs > 0;
    if (isLive && this.#running.has(id)) throw new ProblemError('captured_already');
    if (isLive && this.#running.size >= MAX_RUNNING)
      throw new ProblemError('unavailable', `${MAX_RUNNING} calls are recorded at once`);
    const recording = new Recording(id, this.options, () => {
      if (this.#running.get(id) === recording) this.#running.delete(id);
    });
    if (isLive) {
      this.#running.set(id, recording);
      logger.info('call is recorded by an operator', { call: id, forMs });
      recording.follow(forMs);
    } else recording.end();
    return recording.stream;
  }
}

/** One of them: what it holds in store is bounded, and the call waits for nothing of it. */
class Recording {
  readonly stream: Readable;
  readonly #pcapng = new CallPcapng(`sip2wa ${packageVersion()}`);
  readonly #stops: (() => void)[] = [];
  #isOver = false;
  #stall: Timer | undefined;

  constructor(
    private readonly call: CallId,
    private readonly options: CallCapturesOptions,
    private readonly onOver: () => void,
  ) {
    this.stream = new Readable({
      read: () => undefined,
      highWaterMark: MAX_QUEUED_BYTES,
      destroy: (error, done) => {
        this.#stop();
        this.#stall?.cancel();
        done(error);
      },
    });
    this.stream.push(this.#pcapng.head());
    const messages = options.sipRings.of(call);
    if (messages.length > 0) this.stream.push(this.#pcapng.sip(messages));
  }

  follow(forMs: number): void {
    const { clock, sipRings, timeline, media } = this.options;
    const endAfter = (ms: number): void => {
      const timer = clock.after(ms, () => this.end());
      this.#stops.push(() => timer.cancel());
    };
    endAfter(forMs);
    this.#stops.push(
      sipRings.follow(this.call, (message) => this.#push(() => this.#pcapng.sip([message]))),
      media.capture(this.call, (batch) => this.#audio(batch)),
      timeline.subscribe(({ call, step }) => {
        if (call === this.call && step === 'call.ended') endAfter(LAST_WORDS_MS);
      }),
    );
  }

  end(): void {
    if (this.#isOver) return;
    this.#stop();
    const { clock, logger } = this.options;
    this.stream.push(this.#pcapng.end(clock.now() * 1000));
    this.stream.push(null);
    this.#stall = clock.after(STALL_MS, () => this.stream.destroy());
    const { dropped } = this.#pcapng;
    if (dropped > 0) logger.warn('recording has gaps', { call: this.call, dropped });
  }

  #audio({ packets, lost }: CapturedBatch): void {
    if (lost > 0) this.#pcapng.lost(lost);
    for (const packet of packets) this.#push(() => this.#pcapng.rtp(packet));
  }

  #push(block: () => Buffer): void {
    if (this.#isOver) return;
    if (this.stream.readableLength < MAX_QUEUED_BYTES) this.stream.push(block());
    else this.#pcapng.lost(1);
  }

  #stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.onOver();
  }
}
