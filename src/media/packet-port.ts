import type { LossReports } from './expected-loss.js';
import type { PbxCodec } from '../routing/types.js';
import type { MediaTrouble } from './media-engine.js';
import type { LevelMeter } from './quality/level-meter.js';

/** One RTP packet's content on its way between endpoints; it and its payload are only valid during the call that hands it over. */
export interface MediaPacket {
  readonly sequence: number;
  /** In the stream's own RTP clock. */
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
}

/** What was negotiated for audio. `clockRate` is the RTP clock in Hz (8000 for G.722 too, 48000 for Opus). */
export interface NegotiatedAudio {
  readonly codec: PbxCodec;
  readonly payloadType: number;
  readonly clockRate: number;
  readonly ptimeMs: number;
}

/**
 * The in-process face of an endpoint towards the bridge. The endpoint owns SSRC, sequence and timestamps of what it sends;
 * the bridge owns codecs. None of these allocate beyond what they are given, none throw.
 */
export interface PacketPort {
  /** Known once offer and answer are done. */
  readonly audio: NegotiatedAudio | undefined;
  /** Authenticated audio as it arrives; set by the bridge, undefined while not bridged. */
  onAudio: ((packet: MediaPacket) => void) | undefined;
  /** A telephone-event packet (RFC 4733) as it arrives. */
  onTelephoneEvent: ((packet: MediaPacket) => void) | undefined;
  /** A comfort noise packet (RFC 3389) as it arrives: a pause begins or goes on. */
  onComfortNoise?: ((packet: MediaPacket) => void) | undefined;
  /**
   * Sends one audio frame of `durationMs`. The WebRTC endpoint keeps the 20 ms beat: frames go out when handed over, silence
   * fills what is missing; the RTP endpoint sends at once and advances its timestamp by the frame's duration.
   */
  sendAudio(payload: Uint8Array, durationMs: number): void;
  /** How far ahead of the clock the WebRTC endpoint's beat is, in ms; absent where there is no beat. */
  readonly leadMs?: number;
  /** Sends a DTMF digit made anew: RFC 4733 events in this endpoint's own clock, or whatever else its far end takes. */
  sendDtmf(digit: string, durationMs: number): void;
  /**
   * Asked for the audio that goes into a 20 ms slot for which nothing was handed over; set by a bridge that codes, so that the
   * silence comes from the encoder whose stream it stands in. Without it the port sends silence of its own.
   */
  fillSlot?: (() => Uint8Array) | undefined;
  /** Leaves out audio that is missing: time passes, and `packets` sequence numbers are skipped so that the far end sees a loss. */
  skipAudio?(durationMs: number, packets: number): void;
  /** False as long as nothing that is handed over would go out yet. */
  readonly sending?: boolean;
  /**
   * Hands what was heard around the answer, before anybody listened, to `onAudio`. Only before the first packet that a
   * listener got is there any.
   */
  recall?(): void;
  /** Packets of any kind heard from the far end so far, RTCP included; the media watchdog looks whether it grows. */
  readonly heard?: number;
  /** The far end has announced that it may send nothing for now (hold): its silence is no fault. */
  readonly quiet?: boolean;
  /** The far end has said RTCP BYE and nothing since. */
  readonly departed?: boolean;
  /** Keys come from the far end as tones in the audio, if at all. */
  readonly inbandDtmf?: boolean;
  /** What the far end says of the loss on the way to it. */
  readonly lossReports?: LossReports;
  /** Takes the audio that came from the far end, where the bridge decodes it. */
  readonly level?: LevelMeter;
  /** Takes what the bridge's watchdog found, for the endpoint's listener. */
  report?(trouble: MediaTrouble): void;
}
