import { isIP } from 'node:net';
import type { MediaDescription, SessionDescription } from 'sdp-transform';
import { canonicalIp } from '../lib/canonical-ip.js';
import type { PbxCodec } from '../routing/types.js';
import {
  audioFormats,
  comfortNoise,
  isSameEncoding,
  pbxFormats,
  telephoneEvent,
  type AudioFormat,
} from './audio-formats.js';
import { mediaTarget } from './media-address.js';
import { SdpError } from './sdp-error.js';
import { agreedInAnswer, offeredCrypto, securityOf, unusableProtocol } from './srtp-negotiation.js';
import type { SectionSecurity, SrtpAgreement, SrtpLocal } from './srtp-negotiation.js';
import { formatsOf, numberOf, readSdp, textOf, writeSdp, type SdpDocument, type SdpSection } from './sdp-text.js';

export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** What offer and answer agreed on with a PBX. */
export interface PbxMedia {
  /** Where RTP goes. `0.0.0.0` or `::` only together with a direction that forbids sending. */
  readonly address: string;
  readonly port: number;
  readonly codec: PbxCodec;
  /** As the PBX numbers it: what we send. */
  readonly payloadType: number;
  /** RTP clock in Hz. */
  readonly clockRate: number;
  /** Packet length the PBX wants; one of 10, 20, 30, 40, 60. */
  readonly ptimeMs: number;
  readonly telephoneEventPayloadType: number | undefined;
  /** Clock of the durations of telephone-events in Hz; absent: 8000. */
  readonly telephoneEventClockRate?: number | undefined;
  /** What we may do, seen from us: a PBX that says `sendonly` leaves us `recvonly`. */
  readonly direction: MediaDirection;
  /** Where RTCP goes, if not to `port` + 1 (RFC 3605). */
  readonly rtcpPort: number | undefined;
  /** Keys of both directions; undefined for plain RTP. */
  readonly srtp: SrtpAgreement | undefined;
}

/** Our own end towards a PBX. */
export interface PbxLocal {
  readonly address: string;
  readonly port: number;
  /** In order of preference. */
  readonly codecs: readonly PbxCodec[];
  /** Digits; the same for the whole dialog. */
  readonly sessionId: string;
  /** Counts up with every description of the dialog that differs (RFC 3264 §8). */
  readonly sessionVersion: number;
  readonly ptimeMs?: number;
  /** Keys travel as telephone-events; absent: they do. */
  readonly telephoneEvents?: boolean;
  /** Absent: SRTP is neither offered nor taken. */
  readonly srtp?: SrtpLocal | undefined;
}

const defaultPtimeMs = 20;
const ptimesMs = [10, 20, 30, 40, 60];
const ourTelephoneEvent: AudioFormat = { payloadType: 101, name: 'telephone-event', clockRate: 8000, channels: 1 };
/** Events share the clock of the audio they stand in (RFC 4733 §2.1). */
const fastTelephoneEvent: AudioFormat = { ...ourTelephoneEvent, payloadType: 102, clockRate: 48_000 };

/** What we say of a format: the keys of a telephone (RFC 4733 §7.1.1), and Opus with a copy of the last frame (RFC 7587 §6.1). */
const parameters: Readonly<Record<string, string>> = {
  'telephone-event': '0-16',
  opus: 'minptime=10;useinbandfec=1',
};

/** Our offer: all codecs of `local` in order, telephone-event with events 0 to 16, comfort noise, `sendrecv`. */
export function buildPbxOffer(local: PbxLocal): string {
  const coded = local.codecs.map((codec) => pbxFormats[codec]);
  const silence = coded.some(hasNoise) ? [comfortNoise] : [];
  const formats = [...coded, ...ourEvents(local), ...silence];
  const media = audioSection(local, formats, local.ptimeMs ?? defaultPtimeMs, 'sendrecv');
  const protocol = local.srtp?.protocol ?? 'RTP/AVP';
  return writeSdp(sessionOf(local, [{ ...media, protocol, ...offeredCrypto(local.srtp) }]));
}

/** Comfort noise stands in the clock of the audio that it interrupts (RFC 3389 §4). */
function hasNoise({ clockRate }: AudioFormat): boolean {
  return clockRate === comfortNoise.clockRate;
}

function ourEvents({ telephoneEvents, codecs }: PbxLocal): readonly AudioFormat[] {
  if (telephoneEvents === false) return [];
  return codecs.includes('opus') ? [ourTelephoneEvent, fastTelephoneEvent] : [ourTelephoneEvent];
}

/**
 * Reads a PBX's answer to `buildPbxOffer(local)`.
 * @throws SdpError `no_codec` if it refused or chose what was not offered, `not_allowed` for a media address that RTP is
 * never sent to, `bad_request` if it is no answer to one audio section.
 */
export function readPbxAnswer(answer: string, local: PbxLocal): PbxMedia {
  const document = readSdp(answer);
  const [section] = document.sections;
  if (!section || section.media.type !== 'audio') throw new SdpError('bad_request', 'SDP answer has no audio section');
  const { media } = section;
  if (media.port === 0) throw new SdpError('no_codec', 'the PBX refused the audio section');
  const srtp = agreedInAnswer(section, local.srtp);
  // RFC 3264 §6.1: the answerer lists what it will use, the preferred one first.
  const formats = audioFormats(media);
  for (const format of formats) {
    const codec = local.codecs.find((name) => isSameEncoding(pbxFormats[name], format));
    if (codec) return { ...mediaOf(document, media, { codec, format, formats }, local), srtp };
  }
  throw new SdpError('no_codec', 'SDP answer has none of the offered codecs');
}

/**
 * Answers a PBX's offer: the first audio section with a codec of ours over RTP, or SRTP as the trunk has it, is taken, with
 * the codec that stands first in our order; one with SRTP goes before one without. Every other section is refused with port 0
 * (RFC 3264 §6).
 * @throws SdpError `no_codec` if no section is usable, `not_allowed`, `bad_request`.
 */
export function answerPbxOffer(offer: string, local: PbxLocal): { sdp: string; media: PbxMedia } {
  const document = readSdp(offer);
  const choices = document.sections.flatMap((section) => choose(section, local) ?? []);
  const choice = choices.find(({ security }) => security.agreement) ?? choices[0];
  if (!choice) throw new SdpError('no_codec', unusable(document, local));
  const accepted = choice.section;
  const { agreement, crypto } = choice.security;
  const media = { ...mediaOf(document, accepted.media, choice, local), srtp: agreement };
  const event = choice.formats.find((format) => format.payloadType === media.telephoneEventPayloadType);
  const silence = choice.formats.find((format) => isSameEncoding(format, comfortNoise));
  const formats = [choice.format, ...(event ? [event] : []), ...(silence && hasNoise(choice.format) ? [silence] : [])];
  const answer = audioSection(local, formats, media.ptimeMs, media.direction);
  const sections = document.sections.map((section) =>
    section === accepted
      ? { ...answer, ...crypto, protocol: accepted.media.protocol, ...midOf(section.media) }
      : refused(section.media),
  );
  return { sdp: writeSdp(sessionOf(local, sections)), media };
}

interface CodecChoice {
  readonly codec: PbxCodec;
  readonly format: AudioFormat;
  readonly formats: readonly AudioFormat[];
}

interface Choice extends CodecChoice {
  readonly section: SdpSection;
  readonly security: SectionSecurity;
}

function choose(section: SdpSection, local: PbxLocal): Choice | undefined {
  const { media } = section;
  if (media.type !== 'audio' || media.port === 0) return undefined;
  const security = securityOf(section, local.srtp);
  if (!security) return undefined;
  const formats = audioFormats(media);
  for (const codec of local.codecs) {
    const format = formats.find((offered) => isSameEncoding(offered, pbxFormats[codec]));
    if (format) return { section, security, codec, format, formats };
  }
  return undefined;
}

function unusable({ sections }: SdpDocument, { srtp }: PbxLocal): string {
  const audio = sections.filter(({ media }) => media.type === 'audio' && media.port !== 0);
  if (audio.length === 0) return 'SDP offer has no audio section';
  return unusableProtocol(audio, srtp) ?? 'SDP offer has no codec that the trunk allows';
}

function mediaOf(
  { session }: SdpDocument,
  media: MediaDescription,
  { codec, format, formats }: CodecChoice,
  local: PbxLocal,
): Omit<PbxMedia, 'srtp'> {
  const target = mediaTarget(session, media, isIP(local.address));
  if (target.address === canonicalIp(local.address) && target.port === local.port) {
    throw new SdpError('not_allowed', 'media address is our own');
  }
  const event = local.telephoneEvents === false ? undefined : eventOf(formats, format);
  return {
    address: target.address,
    port: target.port,
    codec,
    payloadType: format.payloadType,
    clockRate: format.clockRate,
    ptimeMs: ptimeOf(media, local),
    telephoneEventPayloadType: event?.payloadType,
    telephoneEventClockRate: event?.clockRate,
    direction: mirrored(media.direction ?? session.direction ?? 'sendrecv', target.onHold),
    rtcpPort: target.rtcpPort,
  };
}

function eventOf(formats: readonly AudioFormat[], audio: AudioFormat): AudioFormat | undefined {
  return telephoneEvent(formats, audio.clockRate) ?? telephoneEvent(formats, ourTelephoneEvent.clockRate);
}

function mirrored(theirs: MediaDirection, onHold: boolean): MediaDirection {
  const ours = { sendrecv: 'sendrecv', sendonly: 'recvonly', recvonly: 'sendonly', inactive: 'inactive' } as const;
  const direction = ours[theirs];
  if (!onHold) return direction;
  return direction === 'sendrecv' || direction === 'recvonly' ? 'recvonly' : 'inactive';
}

/** What the PBX asks for if it is a length we can send; never above its maxptime (RFC 8866 §6.4, §6.5). */
function ptimeOf(media: MediaDescription, local: PbxLocal): number {
  const wanted = numberOf(media.ptime);
  const ptimeMs = ptimesMs.includes(wanted) ? wanted : (local.ptimeMs ?? defaultPtimeMs);
  const most = numberOf(media.maxptime ?? ptimeMs);
  return ptimesMs.findLast((length) => length <= ptimeMs && !(length > most)) ?? ptimeMs;
}

function sessionOf(local: PbxLocal, media: MediaDescription[]): SessionDescription {
  const ipVer = isIP(local.address);
  return {
    version: 0,
    origin: {
      username: '-',
      sessionId: local.sessionId,
      sessionVersion: local.sessionVersion,
      netType: 'IN',
      ipVer,
      address: local.address,
    },
    name: '-',
    connection: { version: ipVer, ip: local.address },
    timing: { start: 0, stop: 0 },
    media,
  };
}

function audioSection(
  local: PbxLocal,
  formats: readonly AudioFormat[],
  ptimeMs: number,
  direction: MediaDirection,
): MediaDescription {
  return {
    type: 'audio',
    port: local.port,
    protocol: 'RTP/AVP',
    payloads: formats.map((format) => format.payloadType).join(' '),
    rtp: formats.map(({ payloadType, name, clockRate, channels }) => ({
      payload: payloadType,
      codec: name,
      rate: clockRate,
      ...(channels > 1 ? { encoding: channels } : {}),
    })),
    fmtp: formats.flatMap(({ payloadType, name }) => {
      const config = parameters[name.toLowerCase()];
      return config === undefined ? [] : [{ payload: payloadType, config }];
    }),
    ptime: ptimeMs,
    direction,
  };
}

/** RFC 5888 §9.1: an answer repeats the mid of its section. */
function midOf(media: MediaDescription): { mid?: string } {
  const mid = textOf(media.mid);
  return /^[\w.+-]{1,32}$/.test(mid) ? { mid } : {};
}

/** Type, protocol and formats must be those of the offer; what is no SDP token is not echoed. */
function refused(media: MediaDescription): MediaDescription {
  const formats = formatsOf(media).filter((format) => /^[\w.+*-]{1,32}$/.test(format));
  return {
    type: media.type,
    port: 0,
    protocol: media.protocol,
    payloads: formats.length > 0 ? formats.join(' ') : '0',
    rtp: [],
    fmtp: [],
  };
}
