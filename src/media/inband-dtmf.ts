import type { Clock } from '../lib/clock.js';
import type { AudioDecoder } from './audio-codec.js';
import type { CodecRegistry } from './codec-registry.js';
import { DtmfDetector, detectorSampleRate } from './dtmf-detector.js';
import type { MediaPacket, NegotiatedAudio } from './packet-port.js';
import { sequenceDelta, timestampDelta } from './rtp-packet.js';

export interface InbandDtmfOptions {
  readonly clock: Clock;
  readonly codecs: CodecRegistry;
  readonly onDigit: (digit: string, durationMs: number) => void;
}

interface Ear {
  readonly of: AudioDecoder;
  readonly audio: NegotiatedAudio;
}

/** 120 ms. */
const maxSamples = (detectorSampleRate * 120) / 1000;
/** No audio for so long: a tone that was heard is over. */
const silentMs = 100;
/** Packets that were lost, or late, within a tone. */
const maxGapMs = 60;

/** Hears digits as tones in a stream of packets; has a decoder of its own, so that the stream's is not disturbed. */
export class InbandDtmf {
  readonly #detector: DtmfDetector;
  #decoder: Ear | undefined;
  readonly #pcm = new Int16Array(maxSamples);
  #lastAtMs = 0;
  #nextSequence: number | undefined;
  #nextTimestamp = 0;

  constructor(private readonly options: InbandDtmfOptions) {
    this.#detector = new DtmfDetector(options);
  }

  /** What is heard now is, or may well be, a digit. */
  get active(): boolean {
    return this.#detector.active;
  }

  /** Takes an audio packet; one that comes too late for its place is left out. */
  accept({ sequence, timestamp, payload }: MediaPacket, audio: NegotiatedAudio): void {
    this.#lastAtMs = this.options.clock.monotonicMs();
    const decoder = this.#decoderFor(audio);
    if (!this.#isNext(sequence, timestamp, audio.clockRate)) return;
    const samples = decoder.of.decode(payload, this.#pcm);
    const ticks = (samples * audio.clockRate) / detectorSampleRate;
    this.#nextTimestamp = (timestamp + ticks) >>> 0;
    this.#nextSequence = (sequence + 1) & 0xffff;
    this.#detector.listen(this.#pcm.subarray(0, samples));
  }

  /** To be called every 20 ms or so. */
  tick(nowMs: number): void {
    if (nowMs - this.#lastAtMs >= silentMs) this.#detector.finish();
  }

  close(): void {
    this.#decoder?.of.close();
    this.#decoder = undefined;
  }

  #isNext(sequence: number, timestamp: number, clockRate: number): boolean {
    if (this.#nextSequence === undefined) return true;
    const ahead = sequenceDelta(this.#nextSequence, sequence);
    const gapMs = (timestampDelta(this.#nextTimestamp, timestamp) * 1000) / clockRate;
    if (ahead < 0 && -gapMs < silentMs) return false;
    if (ahead > 0 && gapMs > 0 && gapMs <= maxGapMs) this.#detector.skip(gapMs);
    return true;
  }

  #decoderFor(audio: NegotiatedAudio): Ear {
    const known = this.#decoder;
    if (known?.audio === audio) return known;
    known?.of.close();
    this.#decoder = { of: this.options.codecs.get(audio.codec).createDecoder(detectorSampleRate), audio };
    return this.#decoder;
  }
}
