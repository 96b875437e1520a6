import type { AudioDecoder, AudioEncoder } from './audio-codec.js';
import type { CodecRegistry } from './codec-registry.js';
import { blendPcm, FrameBacklog, keptPauseMs } from './frame-backlog.js';
import { FrameFifo } from './frame-fifo.js';
import { opusDurationMs } from './opus-codec.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import { loudnessOf } from './silence-gate.js';
import { PlayoutSequencer, type PlayoutSink, type SequencerStats } from './playout-sequencer.js';
import { silenceFrame } from './webrtc-beat.js';

/** One direction of a bridge: what arrives at one port, on its way to the other. */
export interface AudioPath {
  accept(packet: MediaPacket, nowMs: number): void;
  /** Every 20 ms or so. */
  tick(nowMs: number): void;
  /** Plays packets that were kept, in real time from now on; what is accepted meanwhile comes behind them. */
  playKept(packets: readonly MediaPacket[], nowMs: number): void;
  /** How much later than usual what is accepted now goes out, because of kept packets. */
  readonly delayMs: number;
  /** While set, silence goes out in place of the audio: a DTMF digit is being pressed. */
  muted: boolean;
  readonly stats: SequencerStats;
  close(): void;
}

export interface AudioPathOptions {
  readonly source: NegotiatedAudio;
  readonly sink: NegotiatedAudio;
  readonly port: PacketPort;
  readonly codecs: CodecRegistry;
  /** How long packets behind a gap wait for reordered ones. */
  readonly holdMs: number;
  readonly nowMs: number;
}

/** Opus goes out in frames of this length whatever the other side sends: what Meta asks for. */
const opusFrameMs = 20;
/** Longest audio of one packet: 120 ms at 48 kHz. */
const maxPcmSamples = 5760;
/** Enough to tell speech from silence; 120 ms of it. */
const earSampleRate = 8000;
const maxEarSamples = 960;
/** Made-up audio beyond this is silence: what was heard last says nothing any more. */
const maxConcealmentMs = 1000;

/** Makes the path for a pair of codecs. @throws MediaError `no_codec` if they cannot be joined. */
export function createAudioPath(options: AudioPathOptions): AudioPath {
  const { source, sink } = options;
  return source.codec === 'opus' && sink.codec === 'opus' ? new PassthroughPath(options) : new TranscodingPath(options);
}

/** Decodes, cuts into the sink's frames, and codes again. */
class TranscodingPath implements AudioPath, PlayoutSink {
  muted = false;
  readonly #sequencer: PlayoutSequencer;
  readonly #decoder: AudioDecoder;
  readonly #encoder: AudioEncoder;
  readonly #fifo: FrameFifo;
  readonly #backlog: FrameBacklog<Int16Array>;
  readonly #pcm = new Int16Array(maxPcmSamples);
  /** RTP ticks of the source in one sample. */
  readonly #ticksPerSample: number;
  readonly #maxConcealment: number;
  /** The WebRTC side keeps its own beat; towards the PBX the path does. */
  readonly #fills: boolean;
  #concealedInARow = 0;

  constructor(private readonly options: AudioPathOptions) {
    const { source, sink, port, codecs } = options;
    const sampleRate = codecs.commonSampleRate(source.codec, sink.codec);
    const frameMs = sink.codec === 'opus' ? opusFrameMs : sink.ptimeMs;
    const frameSamples = (sampleRate * frameMs) / 1000;
    this.#ticksPerSample = source.clockRate / sampleRate;
    this.#maxConcealment = (sampleRate * maxConcealmentMs) / 1000;
    this.#decoder = codecs.get(source.codec).createDecoder(sampleRate);
    const encoder = codecs.get(sink.codec).createEncoder(sampleRate, frameSamples);
    this.#encoder = encoder;
    const backlog = new FrameBacklog<Int16Array>({
      send: (frame, durationMs) => port.sendAudio(encoder.encode(frame), durationMs),
      copy: (frame) => frame.slice(),
      loudness: loudnessOf,
      blend: blendPcm,
    });
    this.#backlog = backlog;
    this.#fifo = new FrameFifo(frameSamples, (frame) => backlog.put(frame, frameMs));
    this.#fills = sink.codec !== 'opus';
    // Foreign silence between frames of one encoder would leave the far decoder with a state that the encoder does not share.
    const silence = new Int16Array(frameSamples);
    if (!this.#fills)
      port.fillSlot = () => encoder.encode(backlog.isBehind ? (backlog.take(frameMs) ?? silence) : this.#fifo.take());
    this.#sequencer = sequencerOf(options, this, this.#fills);
  }

  get stats(): SequencerStats {
    return this.#sequencer.stats;
  }

  accept(packet: MediaPacket, nowMs: number): void {
    this.#sequencer.accept(packet, nowMs);
  }

  tick(nowMs: number): void {
    this.#sequencer.tick(nowMs);
    this.#backlog.tick(nowMs);
  }

  playKept(packets: readonly MediaPacket[], nowMs: number): void {
    this.#backlog.fallBehind(nowMs);
    for (const packet of packets) this.#sequencer.accept(packet, nowMs);
    this.#backlog.tick(nowMs);
  }

  get delayMs(): number {
    return this.#backlog.delayMs;
  }

  play(payload: Uint8Array): number {
    const samples = this.#decoder.decode(payload, this.#pcm);
    this.#concealedInARow = 0;
    this.#forward(samples);
    return samples * this.#ticksPerSample;
  }

  conceal(ticks: number, next: Uint8Array | undefined): void {
    // A sink with a beat of its own has put silence there by now: more audio would only make it late.
    if (!this.#fills && !this.#backlog.isBehind) return;
    const samples = Math.round(ticks / this.#ticksPerSample);
    // Only the last frame of a gap can be had from the packet behind it.
    const last = next ? Math.min(samples, this.#samplesOf(next)) : 0;
    if (samples > last) this.#cover(samples - last, undefined);
    if (last > 0) this.#cover(last, next);
  }

  restart(): void {
    this.#fifo.clear();
    // The pause in which nothing came is over before what waits is played: words would run into each other.
    if (!this.#fills && this.#backlog.isBehind) this.#pause(2 * keptPauseMs);
  }

  close(): void {
    this.options.port.fillSlot = undefined;
    this.#decoder.close();
    this.#encoder.close();
  }

  #cover(samples: number, next: Uint8Array | undefined): void {
    if (this.#concealedInARow < this.#maxConcealment) this.#decoder.conceal(samples, next, this.#pcm);
    else this.#pcm.fill(0, 0, samples);
    this.#concealedInARow += samples;
    this.#forward(samples);
  }

  #pause(durationMs: number): void {
    const samples = (durationMs * this.options.source.clockRate) / 1000 / this.#ticksPerSample;
    this.#pcm.fill(0, 0, samples);
    this.#forward(samples);
  }

  #samplesOf(payload: Uint8Array): number {
    if (this.options.source.codec !== 'opus') return payload.length;
    return (opusDurationMs(payload) * this.options.source.clockRate) / 1000 / this.#ticksPerSample;
  }

  #forward(samples: number): void {
    if (this.muted) this.#pcm.fill(0, 0, samples);
    this.#fifo.write(this.#pcm, samples);
  }
}

/** Hands Opus on as it is; gaps stay visible, so that the far decoder conceals them better than we could. */
class PassthroughPath implements AudioPath, PlayoutSink {
  muted = false;
  readonly #sequencer: PlayoutSequencer;
  readonly #port: PacketPort;
  readonly #ticksPerMs: number;
  readonly #backlog: FrameBacklog<Uint8Array>;
  /** Listens in on frames that wait, to tell pauses from speech. */
  #ear: AudioDecoder | undefined;
  readonly #heard = new Int16Array(maxEarSamples);

  constructor(private readonly options: AudioPathOptions) {
    this.#port = options.port;
    this.#ticksPerMs = options.source.clockRate / 1000;
    this.#sequencer = sequencerOf(options, this, false);
    this.#backlog = new FrameBacklog<Uint8Array>({
      send: (payload, durationMs) => this.#port.sendAudio(payload, durationMs),
      copy: (payload) => Uint8Array.from(payload),
      loudness: (payload) => this.#loudness(payload),
      // Coded frames cannot be mixed; the far decoder glides over the seam.
      blend: () => undefined,
    });
    this.#port.fillSlot = () => this.#backlog.take(opusFrameMs) ?? silenceFrame;
  }

  get stats(): SequencerStats {
    return this.#sequencer.stats;
  }

  accept(packet: MediaPacket, nowMs: number): void {
    this.#sequencer.accept(packet, nowMs);
  }

  tick(nowMs: number): void {
    this.#sequencer.tick(nowMs);
    this.#backlog.tick(nowMs);
  }

  playKept(packets: readonly MediaPacket[], nowMs: number): void {
    this.#backlog.fallBehind(nowMs);
    for (const packet of packets) this.#sequencer.accept(packet, nowMs);
    this.#backlog.tick(nowMs);
  }

  get delayMs(): number {
    return this.#backlog.delayMs;
  }

  play(payload: Uint8Array): number {
    const durationMs = opusDurationMs(payload);
    if (durationMs === 0) return 0;
    if (this.muted) this.#skip(durationMs, 0);
    else this.#backlog.put(payload, durationMs);
    return durationMs * this.#ticksPerMs;
  }

  conceal(ticks: number): void {
    const durationMs = ticks / this.#ticksPerMs;
    this.#skip(durationMs, Math.max(1, Math.round(durationMs / opusFrameMs)));
  }

  restart(): void {
    // Frames that wait were heard before, whatever comes next.
  }

  close(): void {
    this.#port.fillSlot = undefined;
    this.#ear?.close();
    this.#ear = undefined;
  }

  /** What is missing behind frames that wait shortens the wait. */
  #skip(durationMs: number, packets: number): void {
    if (!this.#backlog.isBehind) this.#port.skipAudio?.(durationMs, packets);
  }

  #loudness(payload: Uint8Array): number {
    this.#ear ??= this.options.codecs.get('opus').createDecoder(earSampleRate);
    return loudnessOf(this.#heard.subarray(0, this.#ear.decode(payload, this.#heard)));
  }
}

function sequencerOf(options: AudioPathOptions, path: PlayoutSink, fill: boolean): PlayoutSequencer {
  const { source, sink, nowMs } = options;
  // Waiting for a reordered packet would cost a place in the beat of the WebRTC side; a trunk seldom reorders.
  const holdMs = fill || source.codec === sink.codec ? options.holdMs : 0;
  return new PlayoutSequencer({ clockRate: source.clockRate, holdMs, fill }, path, nowMs);
}
