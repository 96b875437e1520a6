import type { Clock } from '../lib/clock.js';
import { given } from '../lib/given.js';
import type { Logger } from '../lib/logger.js';
import type { AudioPath, AudioPathOptions } from './audio-path.js';
import type { CodecRegistry } from './codec-registry.js';
import { DtmfInlet } from './dtmf-inlet.js';
import type { KeptAudio } from './kept-audio.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';
import { PassthroughPath } from './passthrough-path.js';
import { TranscodingPath } from './transcoding-path.js';

export interface DirectionOptions {
  readonly codecs: CodecRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long packets from WhatsApp wait for reordered ones; default 40. */
  readonly holdMs?: number;
}

const defaultHoldMs = 40;

/** What flows from one port to the other; what was kept of it comes first, as soon as the other one sends. */
export class BridgeDirection {
  /** Packets of any kind that the source has handed over. */
  packets = 0;
  #path: AudioPath | undefined;
  readonly #keys: DtmfInlet;
  #from: NegotiatedAudio | undefined;
  #to: NegotiatedAudio | undefined;
  #kept: KeptAudio | undefined;
  readonly #clock: Clock;

  constructor(
    private readonly source: PacketPort,
    private readonly sink: PacketPort,
    kept: KeptAudio | undefined,
    private readonly options: DirectionOptions,
    /** Called when a packet leaves something that waits for ticks. */
    private readonly onRestless: () => void,
  ) {
    if (kept?.port === source) this.#kept = kept;
    const { clock, codecs } = options;
    this.#clock = clock;
    this.#keys = new DtmfInlet({ clock, codecs, source, onDigit: (...key) => this.sink.sendDtmf(...key) });
    source.onAudio = (packet) => this.#accept(packet);
    source.onTelephoneEvent = (packet) => this.#acceptEvent(packet);
    source.onComfortNoise = (packet) => this.#acceptNoise(packet);
  }

  /** Every 20 ms, or 100 ms while it rests. */
  tick(nowMs: number): void {
    this.#keys.tick(nowMs);
    const path = this.#currentPath(nowMs);
    if (!path) return;
    path.muted = this.#keys.active;
    if (this.#kept && this.sink.sending !== false) this.#playKept(this.#kept, path, nowMs);
    path.tick(nowMs);
  }

  /** Whether nothing waits for a tick. */
  get isResting(): boolean {
    return this.#path?.isResting === true && !this.#keys.active && !this.#kept;
  }

  close(): void {
    this.source.onAudio = undefined;
    this.source.onTelephoneEvent = undefined;
    this.source.onComfortNoise = undefined;
    this.#path?.close();
    this.#path = undefined;
    this.#keys.close();
  }

  /** A key was told outside the media. */
  tellDtmf(digit: string, durationMs: number): void {
    this.#keys.tell(digit, durationMs);
  }

  #accept(packet: MediaPacket): void {
    this.packets++;
    if (this.#kept) {
      this.#kept.add(packet);
      return;
    }
    this.#keys.acceptAudio(packet);
    const nowMs = this.#clock.monotonicMs();
    const path = this.#pathFor(packet, nowMs);
    if (!path) return;
    path.muted = this.#keys.active;
    path.accept(packet, nowMs);
    if (!this.isResting) this.onRestless();
  }

  #acceptNoise(packet: MediaPacket): void {
    this.packets++;
    if (!this.#kept) this.#currentPath(this.#clock.monotonicMs())?.acceptNoise?.(packet);
  }

  /** From a packet on that the present path cannot carry, the audio is coded anew. */
  #pathFor(packet: MediaPacket, nowMs: number): AudioPath | undefined {
    const path = this.#currentPath(nowMs);
    if (!path?.suits || !this.#from || !this.#to || path.suits(packet)) return path;
    path.close();
    this.#path = this.#makePath(this.#from, this.#to, nowMs, true);
    return this.#path;
  }

  #acceptEvent(packet: MediaPacket): void {
    this.packets++;
    this.#keys.acceptEvent(packet);
    this.onRestless();
  }

  #playKept(kept: KeptAudio, path: AudioPath, nowMs: number): void {
    this.#kept = undefined;
    path.playKept(kept.packets, nowMs);
    this.options.logger.debug('audio from before the joining is played', { delayMs: path.delayMs });
  }

  /** The path for what is negotiated right now; made anew when a later offer or answer changed it. */
  #currentPath(nowMs: number): AudioPath | undefined {
    const from = this.source.audio;
    const to = this.sink.audio;
    if (from === this.#from && to === this.#to) return this.#path;
    // What waits in a path goes on being played, and its stream goes on, if it can work with what is new.
    if (this.#path && from && to && this.#path.goOnWith(from, to)) {
      this.#from = from;
      this.#to = to;
      return this.#path;
    }
    this.#path?.close();
    this.#from = from;
    this.#to = to;
    this.#path = from && to ? this.#makePath(from, to, nowMs) : undefined;
    return this.#path;
  }

  #makePath(source: NegotiatedAudio, sink: NegotiatedAudio, nowMs: number, recodes = false): AudioPath | undefined {
    const { codecs, logger, holdMs = defaultHoldMs } = this.options;
    try {
      const level = given('level', this.source.level);
      const options = { source, sink, port: this.sink, codecs, holdMs, nowMs, ...level };
      return recodes ? new TranscodingPath(options) : pathOf(options);
    } catch (err) {
      logger.error('codecs cannot be joined', { from: source.codec, to: sink.codec, err });
      return undefined;
    }
  }
}

/** @throws MediaError `no_codec` if the codecs cannot be joined. */
function pathOf(options: AudioPathOptions): AudioPath {
  const isOpusOnly = options.source.codec === 'opus' && options.sink.codec === 'opus';
  return isOpusOnly ? new PassthroughPath(options) : new TranscodingPath(options);
}
