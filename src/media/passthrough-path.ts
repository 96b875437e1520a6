import type { AudioDecoder } from './audio-codec.js';
import { opusFrameMs, sequencerOf, surplusOf, type AudioPath, type AudioPathOptions } from './audio-path.js';
import { FrameBacklog, type BacklogFrames } from './frame-backlog.js';
import type { KeptPacket } from './kept-audio.js';
import { LagMeter } from './lag-meter.js';
import { opusDurationMs, opusPause } from './opus-codec.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import type { PlayoutSequencer, PlayoutSink, SequencerStats } from './playout-sequencer.js';
import { loudnessOf } from './silence-gate.js';
import { silenceFrame } from './webrtc-beat.js';

/** Enough to tell speech from silence; 120 ms of it. */
const earSampleRate = 8000;
const maxEarSamples = 960;
/** A beat may run this far ahead before a frame of a pause is left out: it is far less than the far end buffers. */
const bearableLeadMs = 30;
/** So many packets of another length in a row are the sender's way, not an accident. */
const mostMisfits = 3;

/** Hands Opus on as it is; gaps stay visible, so that the far decoder conceals them better than we could. */
export class PassthroughPath implements AudioPath, PlayoutSink, BacklogFrames<Uint8Array> {
  muted = false;
  readonly #sequencer: PlayoutSequencer;
  readonly #port: PacketPort;
  readonly #ticksPerMs: number;
  readonly #backlog: FrameBacklog<Uint8Array>;
  /** Listens in on frames that wait, to tell pauses from speech. */
  #ear: AudioDecoder | undefined;
  readonly #heard = new Int16Array(maxEarSamples);
  readonly #lag: LagMeter;
  /** The port keeps a beat of 20 ms. */
  readonly #isBeat: boolean;
  /** First octet of the last frame; undefined before the first. */
  #toc: number | undefined;
  /** For slots without a packet: a frame of the stream's own kind without content. */
  readonly #pause = new Uint8Array(1);
  #misfits = 0;

  constructor(private readonly options: AudioPathOptions) {
    this.#port = options.port;
    this.#ticksPerMs = options.source.clockRate / 1000;
    this.#sequencer = sequencerOf(options, this, false);
    this.#backlog = new FrameBacklog<Uint8Array>(this);
    this.#lag = new LagMeter(this.#ticksPerMs);
    this.#isBeat = this.#port.leadMs !== undefined;
    this.#port.fillSlot = () => this.#backlog.take(opusFrameMs) ?? this.#emptySlot();
  }

  get stats(): SequencerStats {
    return this.#sequencer.stats;
  }

  accept(packet: MediaPacket, nowMs: number): void {
    const lag = this.#lag;
    lag.accept(packet.timestamp, nowMs);
    // No delay of our own: both ends buffer Opus themselves.
    const surplusMs = this.#isBeat ? surplusOf(this.#port, lag.lagMs) : 0;
    this.#backlog.arrived(0, lag.lagMs, surplusMs < 0 ? surplusMs : Math.max(0, surplusMs - bearableLeadMs), nowMs);
    this.#sequencer.accept(packet, nowMs);
  }

  /** A beat has room for 20 ms a slot: other packets have to be taken apart, which is for another path. */
  suits({ payload }: MediaPacket): boolean {
    if (!this.#isBeat) return true;
    const durationMs = opusDurationMs(payload);
    if (durationMs !== 0) this.#misfits = durationMs === opusFrameMs ? 0 : this.#misfits + 1;
    return this.#misfits < mostMisfits;
  }

  tick(nowMs: number): void {
    this.#sequencer.tick(nowMs);
    this.#backlog.tick(nowMs);
  }

  get isResting(): boolean {
    return this.#sequencer.isResting && !this.#backlog.isBehind;
  }

  playKept(packets: readonly KeptPacket[], nowMs: number): void {
    this.#backlog.fallBehind(nowMs);
    for (const packet of packets) this.#sequencer.accept(packet, nowMs);
    this.#backlog.tick(nowMs);
  }

  goOnWith(source: NegotiatedAudio, sink: NegotiatedAudio): boolean {
    return source.codec === 'opus' && sink.codec === 'opus';
  }

  get delayMs(): number {
    return this.#backlog.delayMs;
  }

  play(payload: Uint8Array): number {
    const durationMs = opusDurationMs(payload);
    if (durationMs === 0) return 0;
    // Meta gets 20 ms in each packet: one of another length is left out, and if more follow, another path takes over.
    if (this.#isBeat && durationMs !== opusFrameMs) return durationMs * this.#ticksPerMs;
    this.#toc = payload[0];
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

  /** In a frame without content the far decoder conceals the loss, or goes on with its own comfort noise. */
  #emptySlot(): Uint8Array {
    if (this.muted || this.#toc === undefined) return silenceFrame;
    this.#pause[0] = opusPause(this.#toc);
    return this.#pause;
  }

  /** What is missing behind frames that wait shortens the wait. */
  #skip(durationMs: number, packets: number): void {
    if (!this.#backlog.isBehind) this.#port.skipAudio?.(durationMs, packets);
  }

  send(payload: Uint8Array, durationMs: number): void {
    this.#port.sendAudio(payload, durationMs);
  }

  copy(payload: Uint8Array): Uint8Array {
    return Uint8Array.from(payload);
  }

  loudness(payload: Uint8Array): number {
    this.#ear ??= this.options.codecs.get('opus').createDecoder(earSampleRate);
    return loudnessOf(this.#heard.subarray(0, this.#ear.decode(payload, this.#heard)));
  }

  blend(): void {
    // Coded frames cannot be mixed; the far decoder glides over the seam.
  }
}
