import type { AudioEncoder } from './audio-codec.js';
import type { CodecRegistry } from './codec-registry.js';
import { dtmfTones } from './dtmf-tones.js';
import type { PbxCodec } from '../routing/types.js';

/** Levels of the two tones in dBm0: what telephones send, the high one a little louder (ITU-T Q.23). */
const lowDb = -9;
const highDb = -7;
const fullScaleDb = 3.14;
/** Q.24 wants 40 ms of tone and of pause; gateways are slower. */
const minToneMs = 80;
const maxToneMs = 5000;
const pauseMs = 60;
const maxQueued = 64;
/** The tone comes and goes within this, so that it makes no click. */
const rampMs = 2;
/** Enough for the highest tone, in Hz. */
const mostSampleRate = 16_000;

interface Key {
  readonly lowHz: number;
  readonly highHz: number;
  readonly toneMs: number;
}

const amplitude = (levelDb: number): number => 32_768 * 10 ** ((levelDb - fullScaleDb) / 20);

/** Makes digits as tones, frame by frame in place of the audio that would have been sent, with a pause behind each. */
export class DtmfToneSender {
  readonly #queue: Key[] = [];
  #key: Key | undefined;
  #elapsedMs = 0;
  #encoder: { readonly codec: PbxCodec; readonly durationMs: number; readonly of: AudioEncoder } | undefined;
  #pcm = new Int16Array(0);

  constructor(private readonly codecs: CodecRegistry) {}

  /** Queues a digit. Its length is kept between 80 and 5000 ms. False if it is no digit, or far too many wait already. */
  play(digit: string, durationMs: number): boolean {
    const hz = dtmfTones.frequenciesOf(digit);
    if (!hz || this.#queue.length >= maxQueued) return false;
    const length = Number.isFinite(durationMs) ? durationMs : minToneMs;
    const toneMs = Math.min(maxToneMs, Math.max(minToneMs, Math.round(length)));
    this.#queue.push({ lowHz: hz[0], highHz: hz[1], toneMs });
    return true;
  }

  /** The frame to be sent instead of audio of this length; undefined while no digit is played. Valid until the next call. */
  frame(codec: PbxCodec, durationMs: number): Uint8Array | undefined {
    this.#key ??= this.#queue.shift();
    const key = this.#key;
    if (!key) return undefined;
    const { rate, encoder } = this.#encoderFor(codec, durationMs);
    this.#fill(key, rate);
    this.#elapsedMs += durationMs;
    if (this.#elapsedMs >= key.toneMs + pauseMs) {
      this.#key = undefined;
      this.#elapsedMs = 0;
    }
    return encoder.encode(this.#pcm);
  }

  close(): void {
    this.#queue.length = 0;
    this.#key = undefined;
    this.#encoder?.of.close();
    this.#encoder = undefined;
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

  #fill({ lowHz, highHz, toneMs }: Key, rate: number): void {
    const [low, high] = [amplitude(lowDb), amplitude(highDb)];
    for (let i = 0; i < this.#pcm.length; i++) {
      const ms = this.#elapsedMs + (i * 1000) / rate;
      const ramp = Math.max(0, Math.min(1, ms / rampMs, (toneMs - ms) / rampMs));
      const angle = (2 * Math.PI * ms) / 1000;
      this.#pcm[i] = Math.round(ramp * (low * Math.sin(lowHz * angle) + high * Math.sin(highHz * angle)));
    }
  }
}
