import type { Clock } from '../lib/clock.js';
import type { CodecRegistry } from './codec-registry.js';
import { DtmfRecogniser } from './dtmf-recogniser.js';
import { InbandDtmf } from './inband-dtmf.js';
import type { MediaPacket, PacketPort } from './packet-port.js';

export interface DtmfInletOptions {
  readonly clock: Clock;
  readonly codecs: CodecRegistry;
  /** Where the keys are pressed. */
  readonly source: PacketPort;
  readonly onDigit: (digit: string, durationMs: number) => void;
}

/** How a key was told. */
type Way = 'event' | 'tone' | 'info';

/** For events before the codec is known: telephone-event's own clock (RFC 4733 §2.1). */
const defaultClockRate = 8000;
/** The same key told in another way within this is the same press. */
const samePressMs = 1000;

/** The keys that one side presses, in whichever way it tells of them; each is passed on once. */
export class DtmfInlet {
  #events: DtmfRecogniser | undefined;
  #tones: InbandDtmf | undefined;
  #last: { readonly digit: string; readonly way: Way; readonly atMs: number } | undefined;

  readonly #source: PacketPort;

  constructor(private readonly options: DtmfInletOptions) {
    this.#source = options.source;
  }

  /** A key is down: audio that comes along is its tone. */
  get active(): boolean {
    return this.#events?.active === true || this.#tones?.active === true;
  }

  /** Takes a telephone-event packet. */
  acceptEvent(packet: MediaPacket): void {
    const { clock, source } = this.options;
    this.#events ??= new DtmfRecogniser({
      clock,
      clockRate: source.audio?.clockRate ?? defaultClockRate,
      onDigit: (digit, durationMs) => this.#pressed('event', digit, durationMs),
    });
    this.#events.accept(packet);
  }

  /** Takes an audio packet before it is played, and listens in on it if keys may be tones in it. */
  acceptAudio(packet: MediaPacket): void {
    const source = this.#source;
    if (source.inbandDtmf !== true || !source.audio) {
      if (this.#tones) this.#closeTones();
      return;
    }
    this.#tones ??= this.#newTones();
    this.#tones.accept(packet, source.audio);
  }

  /** Apart from `acceptAudio`, which would make room for the closure at every packet. */
  #newTones(): InbandDtmf {
    const { clock, codecs } = this.options;
    return new InbandDtmf({ clock, codecs, onDigit: (...key) => this.#pressed('tone', ...key) });
  }

  /** A key was told outside the media. */
  tell(digit: string, durationMs: number): void {
    this.#pressed('info', digit, durationMs);
  }

  /** To be called every 20 ms or so. */
  tick(nowMs: number): void {
    this.#events?.tick(nowMs);
    this.#tones?.tick(nowMs);
  }

  close(): void {
    this.#closeTones();
  }

  #closeTones(): void {
    this.#tones?.close();
    this.#tones = undefined;
  }

  #pressed(way: Way, digit: string, durationMs: number): void {
    const atMs = this.options.clock.monotonicMs();
    const last = this.#last;
    if (last && last.way !== way && last.digit === digit && atMs - last.atMs < samePressMs) return;
    this.#last = { digit, way, atMs };
    this.options.onDigit(digit, durationMs);
  }
}
