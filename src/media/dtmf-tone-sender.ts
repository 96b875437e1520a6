import type { AudioEncoder } from './audio-codec.js';
import type { CodecRegistry } from './codec-registry.js';
import { DigitQueue } from './digit-queue.js';
import { digitLimits } from './dtmf-sender.js';
import { dtmfTones } from './dtmf-tones.js';
import type { PbxCodec } from '../routing/types.js';

/** Levels of the two tones in dBm0: what telephones send, the high one a little louder (ITU-T Q.23). */
const lowDb = -9;
const highDb = -7;
const fullScaleDb = 3.14;
/** The tone comes and goes within this, so that it makes no click. */
const rampMs = 2;
/** Enough for the highest tone, in Hz. */
const mostSampleRate = 16_000;

type Hertz = readonly [low: number, high: number];

interface Key {
  readonly hz: Hertz;
  readonly toneMs: number;
}

const amplitude = (levelDb: number): number => 32_768 * 10 ** ((levelDb - fullScaleDb) / 20);

/** Makes digits as tones, frame by frame in place of the audio that would have been sent, with a pause behind each. */
export class DtmfToneSender {
  readonly #queue: DigitQueue<Hertz>;
  #key: Key | undefined;
  #elapsedMs = 0;
  #encoder: { readonly codec: PbxCodec; readonly durationMs: number; readonly of: AudioEncoder } | undefined;
  #pcm = new Int16Array(0);

  /** @param onDropped called once, with the first digit that is dropped as too many wait */
  constructor(
    private readonly codecs: CodecRegistry,
    onDropped?: () => void,
  ) {
    this.#queue = new DigitQueue(digitLimits, onDropped);
  }

  /** Digits dropped so far, since too many waited. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  /** Queues a digit. Its length is kept between 80 and 5000 ms. False if it is no digit, or too many wait already. */
  play(digit: string, durationMs: number): boolean {
    const hz = dtmfTones.frequenciesOf(digit);
    return hz !== undefined && this.#queue.add(hz, durationMs, !this.#key);
  }

  /** The frame to be sent instead of audio of this length; undefined while no digit is played. Valid until the next call. */
  frame(codec: PbxCodec, durationMs: number): Uint8Array | undefined {
    const key = (this.#key ??= this.#next());
    if (!key) return undefined;
    const { rate, encoder } = this.#encoderFor(codec, durationMs);
    this.#fill(key, rate);
    this.#elapsedMs += durationMs;
    if (this.#elapsedMs >= key.toneMs + digitLimits.pauseMs) {
      this.#key = undefined;
      this.#elapsedMs = 0;
    }
    return encoder.encode(this.#pcm);
  }

  close(): void {
    this.#queue.clear();
    this.#key = undefined;
    this.#encoder?.of.close();
    this.#encoder = undefined;
  }

  #next(): Key | undefined {
    const next = this.#queue.take();
    return next && { hz: next.digit, toneMs: next.durationMs };
  }

  #encoderFor(codec: PbxCodec, durationMs: number): { rate: number; encoder: AudioEncoder } {
    const built = this.codecs.get(codec);
    const rate = Math.max(...built.sampleRates.filter((each) => each <= mostSampleRate));
    const samples = (rate * durationMs) / 1000;
    if (this.#encoder?.codec !== codec || this.#encoder.durationMs !== durationMs) {
      this.#encoder?.of.close();
      this.#encoder = { codec, durationMs, of: built.createEncoder(rate, samples) };
      this.#pcm = new Int16Array(samples);
    }
    return { rate, encoder: this.#encoder.of };
  }

  #fill({ hz: [lowHz, highHz], toneMs }: Key, rate: number): void {
    const [low, high] = [amplitude(lowDb), amplitude(highDb)];
    for (let i = 0; i < this.#pcm.length; i++) {
      const ms = this.#elapsedMs + (i * 1000) / rate;
      const ramp = Math.max(0, Math.min(1, ms / rampMs, (toneMs - ms) / rampMs));
      const angle = (2 * Math.PI * ms) / 1000;
      this.#pcm[i] = Math.round(ramp * (low * Math.sin(lowHz * angle) + high * Math.sin(highHz * angle)));
    }
  }
}
