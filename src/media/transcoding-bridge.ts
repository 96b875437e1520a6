import type { MediaBridge } from '../call/media-bridge.js';
import type { Clock, Timer } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { createAudioPath, type AudioPath } from './audio-path.js';
import type { CodecRegistry } from './codec-registry.js';
import { DtmfRecogniser } from './dtmf-recogniser.js';
import { defaultWatchdogLimits, MediaWatchdog, type MediaTimeout, type MediaWatchdogLimits } from './media-watchdog.js';
import type { MediaPacket, NegotiatedAudio, PacketPort } from './packet-port.js';

export interface TranscodingBridgeOptions {
  /** Finds an endpoint's port by the endpoint's id. */
  readonly portOf: (mediaId: string) => PacketPort | undefined;
  readonly codecs: CodecRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long packets from WhatsApp wait for reordered ones; default 40. */
  readonly holdMs?: number;
  readonly watchdog?: MediaWatchdogLimits;
}

const tickMs = 20;
const defaultHoldMs = 40;
/** For events before the codec is known: telephone-event's own clock (RFC 4733 §2.1). */
const defaultClockRate = 8000;

/** Joins two ports: audio is transcoded, digits are recognised and made anew, silence is watched. */
export class TranscodingBridge implements MediaBridge {
  #joint: Joint | undefined;
  #onTimeout: (kind: MediaTimeout) => void = () => undefined;

  constructor(private readonly options: TranscodingBridgeOptions) {}

  connect(mediaIdA: string, mediaIdB: string): void {
    if (this.#joint?.joins(mediaIdA, mediaIdB)) return;
    this.disconnect();
    const a = this.options.portOf(mediaIdA);
    const b = this.options.portOf(mediaIdB);
    if (!a || !b) {
      this.options.logger.warn('media endpoint is gone', { missing: a ? mediaIdB : mediaIdA });
      return;
    }
    this.#joint = new Joint([mediaIdA, mediaIdB], [a, b], this.options, (kind) => this.#onTimeout(kind));
  }

  prepare(): void {
    // filled in by the media room
  }

  disconnect(): void {
    this.#joint?.close();
    this.#joint = undefined;
  }

  onTimeout(listener: (kind: MediaTimeout) => void): void {
    this.#onTimeout = listener;
  }
}

/** Two ports while they are joined. */
class Joint {
  readonly #watchdog: MediaWatchdog;
  readonly #directions: readonly [Direction, Direction];
  #timer: Timer;
  #nextTickMs: number;
  #closed = false;

  constructor(
    private readonly ids: readonly [string, string],
    [a, b]: readonly [PacketPort, PacketPort],
    private readonly options: TranscodingBridgeOptions,
    private readonly onTimeout: (kind: MediaTimeout) => void,
  ) {
    const nowMs = options.clock.monotonicMs();
    const watchdog = new MediaWatchdog(a, b, options.watchdog ?? defaultWatchdogLimits, nowMs);
    this.#watchdog = watchdog;
    this.#directions = [
      new Direction(a, b, options, () => watchdog.packetFrom(0)),
      new Direction(b, a, options, () => watchdog.packetFrom(1)),
    ];
    this.#nextTickMs = nowMs + tickMs;
    this.#timer = options.clock.after(tickMs, () => this.#tick());
  }

  joins(a: string, b: string): boolean {
    return (this.ids[0] === a && this.ids[1] === b) || (this.ids[0] === b && this.ids[1] === a);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer.cancel();
    for (const direction of this.#directions) direction.close();
  }

  #tick(): void {
    const nowMs = this.options.clock.monotonicMs();
    // Aims at the beat, not at 20 ms from now, so that lateness does not add up; armed first, so that no exception ends the beat.
    this.#nextTickMs = Math.max(this.#nextTickMs + tickMs, nowMs + 1);
    this.#timer = this.options.clock.after(this.#nextTickMs - nowMs, () => this.#tick());
    const timeout = this.#watchdog.check(nowMs);
    if (timeout) this.onTimeout(timeout);
    if (this.#closed) return;
    const [there, back] = this.#directions;
    try {
      there.tick(nowMs);
    } finally {
      back.tick(nowMs);
    }
  }
}

/** What flows from one port to the other. */
class Direction {
  #path: AudioPath | undefined;
  #recogniser: DtmfRecogniser | undefined;
  #from: NegotiatedAudio | undefined;
  #to: NegotiatedAudio | undefined;

  constructor(
    private readonly source: PacketPort,
    private readonly sink: PacketPort,
    private readonly options: TranscodingBridgeOptions,
    private readonly onPacket: () => void,
  ) {
    source.onAudio = (packet) => this.#accept(packet);
    source.onTelephoneEvent = (packet) => this.#acceptEvent(packet);
  }

  tick(nowMs: number): void {
    this.#recogniser?.tick(nowMs);
    const path = this.#currentPath(nowMs);
    if (!path) return;
    path.muted = this.#recogniser?.active === true;
    path.tick(nowMs);
  }

  close(): void {
    this.source.onAudio = undefined;
    this.source.onTelephoneEvent = undefined;
    this.#path?.close();
    this.#path = undefined;
  }

  #accept(packet: MediaPacket): void {
    this.onPacket();
    const nowMs = this.options.clock.monotonicMs();
    const path = this.#currentPath(nowMs);
    if (!path) return;
    path.muted = this.#recogniser?.active === true;
    path.accept(packet, nowMs);
  }

  #acceptEvent(packet: MediaPacket): void {
    this.onPacket();
    this.#recogniser ??= new DtmfRecogniser({
      clock: this.options.clock,
      clockRate: this.source.audio?.clockRate ?? defaultClockRate,
      onDigit: (digit, durationMs) => this.sink.sendDtmf(digit, durationMs),
    });
    this.#recogniser.accept(packet);
  }

  /** The path for what is negotiated right now; made anew when a later offer or answer changed it. */
  #currentPath(nowMs: number): AudioPath | undefined {
    const from = this.source.audio;
    const to = this.sink.audio;
    if (from === this.#from && to === this.#to) return this.#path;
    if (this.#path && isSameAudio(from, this.#from) && isSameAudio(to, this.#to)) {
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

  #makePath(source: NegotiatedAudio, sink: NegotiatedAudio, nowMs: number): AudioPath | undefined {
    const { codecs, logger, holdMs = defaultHoldMs } = this.options;
    try {
      return createAudioPath({ source, sink, port: this.sink, codecs, holdMs, nowMs });
    } catch (err) {
      logger.error('codecs cannot be joined', { from: source.codec, to: sink.codec, err });
      return undefined;
    }
  }
}

function isSameAudio(a: NegotiatedAudio | undefined, b: NegotiatedAudio | undefined): boolean {
  return a?.codec === b?.codec && a?.clockRate === b?.clockRate && a?.ptimeMs === b?.ptimeMs;
}
