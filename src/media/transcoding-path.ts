import type { AudioDecoder, AudioEncoder } from './audio-codec.js';
import { opusFrameMs, sequencerOf, surplusOf, type AudioPath, type AudioPathOptions } from './audio-path.js';
import { ComfortNoise } from './comfort-noise.js';
import { ExpectedLoss } from './expected-loss.js';
import { blendPcm, FrameBacklog, keptPauseMs } from './frame-backlog.js';
import { FrameFifo } from './frame-fifo.js';
import { JitterMeter } from './jitter-meter.js';
import type { KeptPacket } from './kept-audio.js';
import { opusDurationMs } from './opus-codec.js';
import type { FrameCount } from './media-usage.js';
import type { MediaPacket, NegotiatedAudio } from './packet-port.js';
import type { PlayoutSequencer, PlayoutSink, SequencerStats } from './playout-sequencer.js';
import { loudnessOf } from './silence-gate.js';
import { heldUpMs } from './udp-batches.js';

/** Longest audio of one packet: 120 ms at 48 kHz. */
const maxPcmSamples = 5760;
/** Made-up audio beyond this is silence: what was heard last says nothing any more. */
const maxConcealmentMs = 1000;
/** Opus that is decoded only to be coded as Opus again: more would cost twice as much and be heard by nobody. */
const recodedRate = 16_000;

/** Decodes, cuts into the sink's frames, and codes again. */
export class TranscodingPath implements AudioPath, PlayoutSink {
  muted = false;
  readonly #sequencer: PlayoutSequencer;
  #source: NegotiatedAudio;
  #sink: NegotiatedAudio;
  /** What the decoder reads. */
  #decodes: NegotiatedAudio;
  #decoder: AudioDecoder;
  #encoder: AudioEncoder;
  readonly #sampleRate: number;
  readonly #frameSamples: number;
  readonly #fifo: FrameFifo;
  readonly #backlog: FrameBacklog<Int16Array>;
  readonly #pcm = new Int16Array(maxPcmSamples);
  /** RTP ticks of the source in one sample. */
  readonly #ticksPerSample: number;
  readonly #maxConcealment: number;
  /** The WebRTC side keeps its own beat; towards the PBX the path does. */
  readonly #fills: boolean;
  #concealedInARow = 0;
  /** Samples made up for slots of the sink's beat that stayed empty, since the last packet. */
  #covered = 0;
  readonly #jitter: JitterMeter;
  readonly #noise = new ComfortNoise();
  readonly #expectedLoss = new ExpectedLoss();
  /** What the encoder was told, if anything. */
  #lossPercent: number | undefined;
  #count: FrameCount;
  /** The payload that is being played, while it may go out as it came. */
  #unchanged: Uint8Array | undefined;

  constructor(private readonly options: AudioPathOptions) {
    const { source, sink, port, codecs } = options;
    const sampleRate = Math.min(codecs.commonSampleRate(source.codec, sink.codec), recodedRate);
    const frameMs = frameMsOf(sink);
    const frameSamples = (sampleRate * frameMs) / 1000;
    this.#source = source;
    this.#sink = sink;
    this.#decodes = source;
    this.#sampleRate = sampleRate;
    this.#frameSamples = frameSamples;
    this.#ticksPerSample = source.clockRate / sampleRate;
    this.#maxConcealment = (sampleRate * maxConcealmentMs) / 1000;
    this.#decoder = codecs.get(source.codec).createDecoder(sampleRate);
    this.#encoder = codecs.get(sink.codec).createEncoder(sampleRate, frameSamples);
    this.#count = codecs.tally.of(source.codec, sink.codec);
    const backlog = new FrameBacklog<Int16Array>({
      send: (frame, durationMs) => port.sendAudio(this.#unchanged ?? this.#encode(frame), durationMs),
      copy: (frame) => frame.slice(),
      loudness: loudnessOf,
      blend: blendPcm,
      dry: (nowMs) => this.#sequencer.runDry(nowMs),
    });
    this.#backlog = backlog;
    this.#fifo = new FrameFifo(frameSamples, (frame) => backlog.put(frame, frameMs));
    this.#fills = sink.codec !== 'opus' && port.leadMs === undefined;
    // Foreign silence between frames of one encoder would leave the far decoder with a state that the encoder does not share.
    if (!this.#fills) port.fillSlot = () => this.#encode(backlog.take(frameMs) ?? this.#madeUpFrame());
    this.#jitter = new JitterMeter(source.clockRate / 1000);
    this.#sequencer = sequencerOf(options, this, this.#fills, () => backlog.delayMs);
  }

  get stats(): SequencerStats {
    return this.#sequencer.stats;
  }

  accept(packet: MediaPacket, nowMs: number): void {
    const jitter = this.#jitter;
    jitter.accept(packet.timestamp, nowMs, heldUpMs());
    this.#backlog.arrived(jitter.delayMs, jitter.lagMs, surplusOf(this.options.port, jitter.lagMs), nowMs);
    this.#sequencer.accept(packet, nowMs);
  }

  acceptNoise(packet: MediaPacket): void {
    this.#noise.start(packet.payload);
    this.#sequencer.pass(packet.sequence);
  }

  tick(nowMs: number): void {
    this.#sequencer.tick(nowMs);
    this.#backlog.tick(nowMs);
    this.#prepareForLoss(nowMs);
  }

  get isResting(): boolean {
    return this.#sequencer.isResting && !this.#backlog.isBehind;
  }

  playKept(packets: readonly KeptPacket[], nowMs: number): void {
    this.#backlog.fallBehind(nowMs);
    for (const packet of packets) {
      const audio = packet.audio ?? this.#source;
      if (!this.#canDecode(audio)) continue;
      this.#decodeAs(audio);
      this.#sequencer.accept(packet, nowMs);
    }
    this.#decodeAs(this.#source);
    this.#backlog.tick(nowMs);
  }

  /** Another law of G.711 on either side changes nothing but how samples are written. */
  goOnWith(source: NegotiatedAudio, sink: NegotiatedAudio): boolean {
    if (!this.#canDecode(source) || !this.#canEncode(sink)) return false;
    const { codecs } = this.options;
    if (sink.codec !== this.#sink.codec) {
      this.#encoder.close();
      this.#encoder = codecs.get(sink.codec).createEncoder(this.#sampleRate, this.#frameSamples);
      this.#lossPercent = undefined;
    }
    this.#source = source;
    this.#sink = sink;
    this.#count = codecs.tally.of(source.codec, sink.codec);
    this.#decodeAs(source);
    return true;
  }

  get delayMs(): number {
    return this.#backlog.delayMs;
  }

  play(payload: Uint8Array): number {
    const samples = this.#decoder.decode(payload, this.#pcm);
    this.options.level?.add(this.#pcm, samples);
    // Behind a loss the decoder has blended what it made up into what came.
    this.#unchanged = this.#mayPass(samples) && this.#concealedInARow === 0 ? payload : undefined;
    this.#concealedInARow = 0;
    this.#covered = 0;
    this.#noise.stop();
    this.#forward(samples);
    this.#unchanged = undefined;
    return samples * this.#ticksPerSample;
  }

  conceal(ticks: number, next: Uint8Array | undefined): void {
    const missing = Math.round(ticks / this.#ticksPerSample);
    // A sink with a beat of its own has asked for some of it already: more would only make it late.
    const samples = Math.max(0, missing - this.#covered);
    this.#covered = Math.max(0, this.#covered - missing);
    if (samples === 0) return;
    // Only the last frame of a gap can be had from the packet behind it.
    const last = next ? Math.min(samples, this.#samplesOf(next)) : 0;
    if (samples > last) this.#cover(samples - last, undefined);
    if (last > 0) this.#cover(last, next);
  }

  restart(): void {
    this.#fifo.clear();
    this.#covered = 0;
    // The pause in which nothing came is over before what waits is played: words would run into each other.
    if (!this.#fills && this.#backlog.isBehind) this.#pause(2 * keptPauseMs);
  }

  close(): void {
    this.options.port.fillSlot = undefined;
    this.#decoder.close();
    this.#encoder.close();
  }

  #encode(frame: Int16Array): Uint8Array {
    this.#count.frames++;
    return this.#encoder.encode(frame);
  }

  /** G.711 on both sides: a packet that is just a frame of the sink's needs no coding. */
  #mayPass(samples: number): boolean {
    const isSame = this.#decodes.codec === this.#sink.codec && isG711(this.#sink);
    return isSame && samples === this.#frameSamples && this.#fifo.pending === 0 && !this.muted;
  }

  #canDecode(audio: NegotiatedAudio): boolean {
    if (audio.codec === this.#decodes.codec) return audio.clockRate === this.#decodes.clockRate;
    return isG711(audio) && isG711(this.#decodes);
  }

  #canEncode(audio: NegotiatedAudio): boolean {
    if (frameMsOf(audio) !== frameMsOf(this.#sink)) return false;
    return audio.codec === this.#sink.codec || (isG711(audio) && isG711(this.#sink));
  }

  #decodeAs(audio: NegotiatedAudio): void {
    if (audio.codec !== this.#decodes.codec) {
      this.#decoder.close();
      this.#decoder = this.options.codecs.get(audio.codec).createDecoder(this.#sampleRate);
    }
    this.#decodes = audio;
  }

  #cover(samples: number, next: Uint8Array | undefined): void {
    this.#makeUp(samples, next);
    this.#forward(samples);
  }

  #makeUp(samples: number, next: Uint8Array | undefined): void {
    if (this.#noise.active) this.#noise.fill(this.#pcm, samples);
    else if (this.#concealedInARow < this.#maxConcealment) this.#decoder.conceal(samples, next, this.#pcm);
    else this.#pcm.fill(0, 0, samples);
    this.#concealedInARow += samples;
  }

  /** For a slot of the sink's beat: what waits for the rest of its frame, and what follows from what was heard last. */
  #madeUpFrame(): Int16Array {
    const samples = this.#fifo.missing;
    this.#makeUp(samples, undefined);
    if (this.muted) this.#pcm.fill(0, 0, samples);
    this.#covered += samples;
    return this.#fifo.complete(this.#pcm);
  }

  #prepareForLoss(nowMs: number): void {
    const percent = this.#expectedLoss.after(this.options.port.lossReports, nowMs);
    if (percent === this.#lossPercent) return;
    this.#lossPercent = percent;
    this.#encoder.expectLoss?.(percent);
  }

  #pause(durationMs: number): void {
    const samples = (durationMs * this.#sampleRate) / 1000;
    this.#pcm.fill(0, 0, samples);
    this.#forward(samples);
  }

  #samplesOf(payload: Uint8Array): number {
    // Only Opus carries a copy of the frame before.
    if (this.#decodes.codec !== 'opus') return 0;
    return (opusDurationMs(payload) * this.#sampleRate) / 1000;
  }

  #forward(samples: number): void {
    if (this.muted) this.#pcm.fill(0, 0, samples);
    this.#fifo.write(this.#pcm, samples);
  }
}

function frameMsOf(sink: NegotiatedAudio): number {
  return sink.codec === 'opus' ? opusFrameMs : sink.ptimeMs;
}

function isG711({ codec, clockRate }: NegotiatedAudio): boolean {
  return (codec === 'PCMA' || codec === 'PCMU') && clockRate === 8000;
}
