import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import type { PbxMedia } from '../sdp/pbx-sdp.js';
import type { CodecRegistry } from './codec-registry.js';
import { DtmfSender } from './dtmf-sender.js';
import { DtmfToneSender } from './dtmf-tone-sender.js';
import type { DtmfMode } from './media-engine.js';
import { timestampDelta } from './rtp-packet.js';
import type { RtpSender } from './rtp-sender.js';

export interface DtmfOutletOptions {
  readonly mode: DtmfMode;
  readonly clock: Clock;
  /** Asked once tones are to be made. */
  readonly codecs: () => CodecRegistry;
  readonly sender: RtpSender;
  /** What is agreed on; undefined before. */
  readonly media: () => PbxMedia | undefined;
  readonly maySend: () => boolean;
  /** Hands a key over that the PBX is told of by INFO. */
  readonly onInfo: (digit: string, durationMs: number) => void;
  readonly logger: Logger;
  /** Called once, with the first key that is dropped as too many wait. */
  readonly onDropped?: () => void;
}

const eventClockRate = 8000;

/** How keys go to a PBX: as RFC 4733 events, by INFO, or as tones in the audio, as its trunk has it. */
export class DtmfOutlet {
  readonly #events: DtmfSender;
  #tones: DtmfToneSender | undefined;
  #began = 0;
  readonly #onDropped: () => void;

  constructor(private readonly options: DtmfOutletOptions) {
    const { clock, sender } = options;
    let hasDropped = false;
    this.#onDropped = () => {
      if (!hasDropped) options.onDropped?.();
      hasDropped = true;
    };
    this.#events = new DtmfSender({
      clock,
      clockRate: () => options.media()?.telephoneEventClockRate ?? eventClockRate,
      wire: {
        begin: () => (this.#began = sender.timestamp),
        packet: (payload, marker, offset) => this.#sendEvent(payload, marker, offset),
        finish: (durationMs) => this.#finish(durationMs),
      },
      onDropped: this.#onDropped,
    });
  }

  /** Keys are tones in the audio, both ways: the trunk has it so, or the PBX agreed on no telephone-events. */
  get isInband(): boolean {
    const { mode, media } = this.options;
    const agreed = media();
    if (mode === 'rfc4733') return agreed !== undefined && agreed.telephoneEventPayloadType === undefined;
    return mode === 'inband';
  }

  /** Keys dropped so far, since too many waited. */
  get dropped(): number {
    return this.#events.dropped + (this.#tones?.dropped ?? 0);
  }

  /** An event is on the wire: audio has to wait. */
  get holdsAudio(): boolean {
    return this.#events.active;
  }

  play(digit: string, durationMs: number): void {
    if (this.options.mode === 'info') this.options.onInfo(digit, durationMs);
    else if (this.isInband) this.#playTone(digit, durationMs);
    else if (this.options.media()) this.#events.play(digit, durationMs);
    else this.options.logger.debug('DTMF digit dropped: nothing is agreed on with the PBX yet');
  }

  /** What goes out in place of audio of this length: part of a tone, if one is played. Valid until the next call. */
  toneFrame(durationMs: number): Uint8Array | undefined {
    const tones = this.#tones;
    const media = tones && this.options.media();
    return media && tones.frame(media.codec, durationMs);
  }

  close(): void {
    this.#events.close();
    this.#tones?.close();
  }

  #playTone(digit: string, durationMs: number): void {
    this.#tones ??= new DtmfToneSender(this.options.codecs(), this.#onDropped);
    this.#tones.play(digit, durationMs);
  }

  #sendEvent(payload: Uint8Array, marker: boolean, offset: number): void {
    const { sender, media, maySend } = this.options;
    const payloadType = media()?.telephoneEventPayloadType;
    if (maySend() && payloadType !== undefined) sender.send(payloadType, marker, (this.#began + offset) >>> 0, payload);
  }

  /** The stream's time passes during an event also when no audio came along to move it on. */
  #finish(durationMs: number): void {
    const { sender, media } = this.options;
    const end = (this.#began + ((media()?.clockRate ?? eventClockRate) * durationMs) / 1000) >>> 0;
    const behind = timestampDelta(sender.timestamp, end);
    if (behind > 0) sender.advance(behind);
  }
}
