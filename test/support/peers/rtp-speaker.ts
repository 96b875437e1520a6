import { pace } from '../pace.js';
import { RtpPeer, type ReceivedRtp } from '../rtp-peer.js';
import { fromG711, toG711, ToneSource } from '../tones.js';
import type { Sound } from './wav.js';

const frameMs = 20;
const ticks = 160;
const halfScale = 16_384;
const names = '0123456789*#';
const payloadTypes = { pcma: 8, event: 101 } as const;
/** RFC 4733 §2.5.1.4. */
const endRepeats = 3;

/** A PBX's media in A-law: a packet every 20 ms from the first word on, with keys in the place of sound while they are pressed. */
export class RtpSpeaker {
  #port = 0;
  #sequence = 1;
  #timestamp = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #tone: ToneSource;

  private constructor(
    private readonly peer: RtpPeer,
    hz: number,
  ) {
    this.#tone = new ToneSource(hz, halfScale);
  }

  static async open(hz: number): Promise<RtpSpeaker> {
    return new RtpSpeaker(await RtpPeer.open(), hz);
  }

  get sdp(): string {
    return this.peer.sdp();
  }

  /** Where it sends, from the other side's SDP. */
  sendTo(sdp: string): void {
    this.#port = Number(/m=audio (\d+)/.exec(sdp)?.[1]);
  }

  get received(): readonly ReceivedRtp[] {
    return this.peer.received;
  }

  /** Begins to say its tone; returns when, on the wall clock. */
  speak(): number {
    const startMs = performance.now();
    let said = 0;
    this.#timer = setInterval(() => {
      for (; said * frameMs <= performance.now() - startMs; said++) this.#say(toG711('PCMA', this.#tone.next(ticks)));
    }, 4);
    return Date.now();
  }

  /** Presses keys, each so long, with silence of `pauseMs` after it. */
  async press(keys: string, durationMs: number, pauseMs: number): Promise<void> {
    const [pressed, paused] = [durationMs / frameMs, pauseMs / frameMs];
    const silence = toG711('PCMA', new Int16Array(ticks));
    await pace(keys.length * (pressed + paused), frameMs, (slot) => {
      const [key, within] = [Math.floor(slot / (pressed + paused)), slot % (pressed + paused)];
      if (within >= pressed) return this.#say(silence);
      const isEnd = within === pressed - 1;
      for (let i = 0; i < (isEnd ? endRepeats : 1); i++) this.#pressOn(keys[key] ?? '', within, isEnd);
      if (isEnd) this.#timestamp += pressed * ticks;
    });
  }

  /** When something loud came first since `forget`, on the wall clock; 0 if nothing did. */
  get loudAtMs(): number {
    const loud = this.peer.received.find(
      ({ payloadType, payload }) =>
        payloadType === payloadTypes.pcma && fromG711('PCMA', [payload]).samples.some((value) => Math.abs(value) > 0.1),
    );
    return loud ? performance.timeOrigin + loud.atMs : 0;
  }

  forget(): void {
    this.peer.received.length = 0;
  }

  heard(): Sound {
    const audio = this.peer.received.filter(({ payloadType }) => payloadType === payloadTypes.pcma);
    const { rateHz, samples } = fromG711(
      'PCMA',
      audio.map(({ payload }) => payload),
    );
    return { rateHz, samples: Float64Array.from(samples) };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.peer.close();
  }

  #say(payload: Uint8Array): void {
    this.#send(payloadTypes.pcma, payload, false);
    this.#timestamp += ticks;
  }

  #pressOn(key: string, frame: number, isEnd: boolean): void {
    const duration = (frame + 1) * ticks;
    const payload = Uint8Array.of(names.indexOf(key), isEnd ? 0x8a : 0x0a, duration >> 8, duration & 0xff);
    this.#send(payloadTypes.event, payload, frame === 0);
  }

  #send(payloadType: number, payload: Uint8Array, marker: boolean): void {
    this.peer.send(this.#port, {
      payloadType,
      marker,
      sequence: this.#sequence++,
      timestamp: this.#timestamp,
      payload,
    });
  }
}
