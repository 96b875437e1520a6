import type { MediaDescription } from 'sdp-transform';
import type { PbxCodec } from '../routing/types.js';
import { formatsOf, numberOf, textOf } from './sdp-text.js';

/** One `a=rtpmap`, or what RFC 3551 §6 says about a payload type that has none. */
export interface AudioFormat {
  readonly payloadType: number;
  readonly name: string;
  /** RTP clock in Hz. */
  readonly clockRate: number;
  readonly channels: number;
}

/** How a codec of the PBX side is written: its payload type in our offers, clock rate in Hz and channels. */
export const pbxFormats: Readonly<Record<PbxCodec, AudioFormat>> = {
  PCMU: { payloadType: 0, name: 'PCMU', clockRate: 8000, channels: 1 },
  PCMA: { payloadType: 8, name: 'PCMA', clockRate: 8000, channels: 1 },
  // RFC 3551 §4.5.2: the clock rate of G722 is 8000 by an old error that must be kept.
  G722: { payloadType: 9, name: 'G722', clockRate: 8000, channels: 1 },
  // RFC 7587 §7: always 48000/2 in SDP, mono or not.
  opus: { payloadType: 111, name: 'opus', clockRate: 48_000, channels: 2 },
};

/** Comfort noise for codecs of an 8 kHz clock (RFC 3389 §4). */
export const comfortNoise: AudioFormat = { payloadType: 13, name: 'CN', clockRate: 8000, channels: 1 };

const staticFormats = new Map(
  [pbxFormats.PCMU, pbxFormats.PCMA, pbxFormats.G722, comfortNoise].map((format) => [format.payloadType, format]),
);

/** Formats of an audio section in the order of its `m=` line; payload types that nothing describes are left out. */
export function audioFormats(media: MediaDescription): AudioFormat[] {
  return formatsOf(media).flatMap((format) => {
    const payloadType = Number(format);
    if (!/^\d{1,3}$/.test(format) || payloadType > 127) return [];
    const described = describedFormat(media, payloadType) ?? staticFormats.get(payloadType);
    return described ? [described] : [];
  });
}

/** Same encoding: names without regard to case (RFC 4855 §3), same clock rate, same channels. */
export function isSameEncoding(a: Omit<AudioFormat, 'payloadType'>, b: Omit<AudioFormat, 'payloadType'>): boolean {
  return a.name.toLowerCase() === b.name.toLowerCase() && a.clockRate === b.clockRate && a.channels === b.channels;
}

/** The first telephone-event (RFC 4733) at `clockRate` Hz. */
export function telephoneEvent(formats: readonly AudioFormat[], clockRate: number): AudioFormat | undefined {
  return formats.find((format) => isSameEncoding(format, { name: 'telephone-event', clockRate, channels: 1 }));
}

function describedFormat(media: MediaDescription, payloadType: number): AudioFormat | undefined {
  const line = media.rtp.find((rtp) => rtp.payload === payloadType);
  if (!line) return undefined;
  const channels = line.encoding === undefined ? 1 : numberOf(line.encoding);
  return { payloadType, name: textOf(line.codec), clockRate: numberOf(line.rate), channels };
}
