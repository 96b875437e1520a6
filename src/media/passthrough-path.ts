import type { AudioDecoder } from './audio-codec.js';
import { opusFrameMs, sequencerOf, surplusOf, type AudioPath, type AudioPathOptions } from './audio-path.js';
import { FrameBacklog } from './frame-backlog.js';
import { JitterMeter } from './jitter-meter.js';
import type { KeptPacket } from './kept-audio.js';
import { opusDurationMs, opusPause } from './opus-codec.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import type { PlayoutSequencer, PlayoutSink, SequencerStats } from './playout-sequencer.js';
import { loudnessOf } from './silence-gate.js';
import { heldUpMs } from './udp-batches.js';
import { silenceFrame } from './webrtc-beat.js';

/** Enough to tell speech from silence; 120 ms of it. */
const earSampleRate = 8000;
const maxEarSamples = 960;
/** A beat may run this far ahead before a frame of a pause is left out: it is far less than the far end buffers. */
const bearableLeadMs = 30;
/** So many packets of another length in a row are the sender's way, not an accident. */
const mostMisfits = 3;

/** Hands Opus on as it is; gaps stay visible, so that the far decoder conceals them better than we could. */
export class PassthroughPath implements AudioPath, PlayoutSink {
  muted = false;
  readonly #sequencer: PlayoutSequencer;
  readonly #port: PacketPort;
  readonly #ticksPerMs: number;
  readonly #backlog: FrameBacklog<Uint8Array>;
  /** Listens in on frames that wait, to tell pauses from speech. */
  #ear: AudioDecoder | undefined;
  readonly #heard = new Int16Array(maxEarSamples);
  readonly #jitter: JitterMeter;
  /** For slots without a packet: a frame of the stream's own kind without content, known since its first packet. */
  #pause: Uint8Array = silenceFrame;
  #misfits = 0;
  readonly #ownPause = new Uint8Array(1);

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
    this.#jitter = new JitterMeter(this.#ticksPerMs);
    this.#port.fillSlot = () => this.#backlog.take(opusFrameMs) ?? this.#emptySlot();
  }

  get stats(): SequencerStats {
    return this.#sequencer.stats;
  }

  accept(packet: MediaPacket, nowMs: number): void {
    const jitter = this.#jitter;
    jitter.accept(packet.timestamp, nowMs, heldUpMs());
    // No delay of our own: both ends buffer Opus themselves.
    const surplusMs = surplusOf(this.#port, jitter.lagMs);
    this.#backlog.arrived(0, jitter.lagMs, surplusMs < 0 ? surplusMs : Math.max(0, surplusMs - bearableLeadMs), nowMs);
    this.#sequencer.accept(packet, nowMs);
  }

  /** A beat has room for 20 ms a slot: other packets have to be taken apart, which is for another path. */
  suits({ payload }: MediaPacket): boolean {
    if (this.#port.leadMs === undefined) return true;
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
    if (this.#port.leadMs !== undefined && durationMs !== opusFrameMs) return durationMs * this.#ticksPerMs;
    this.#remember(payload);
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

  #remember(payload: Uint8Array): void {
    this.#ownPause[0] = opusPause(payload[0] ?? 0);
    this.#pause = this.#ownPause;
  }

  /** In a frame without content the far decoder conceals the loss, or goes on with its own comfort noise. */
  #emptySlot(): Uint8Array {
    return this.muted ? silenceFrame : this.#pause;
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
