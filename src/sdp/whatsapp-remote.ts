import { isIP } from 'node:net';
import type { MediaDescription } from 'sdp-transform';
import { canonicalIp } from '../lib/canonical-ip.js';
import type { PbxCodec } from '../routing/types.js';
import { audioFormats, isSameEncoding, pbxFormats, telephoneEvent } from './audio-formats.js';
import { isNeverTarget } from './media-address.js';
import { SdpError } from './sdp-error.js';
import { numberOf, readSdp, textOf, type SdpDocument, type SdpSection } from './sdp-text.js';

/** An address of Meta's media server that ICE may check. */
export interface RemoteCandidate {
  readonly foundation: string;
  readonly priority: number;
  readonly address: string;
  readonly port: number;
}

/** What Meta's SDP may code audio with: Opus always, G.711 where the number's `audio.additional_codecs` has it. */
export type WhatsAppCodec = Exclude<PbxCodec, 'G722'>;

/** A codec under the payload type that an SDP gives it. */
export interface WhatsAppFormat {
  readonly codec: WhatsAppCodec;
  readonly payloadType: number;
  /** RTP clock in Hz. */
  readonly clockRate: number;
}

/** What Meta's description says, reduced to what is obeyed. */
export interface WhatsAppRemote {
  /** Meta is always ICE-lite: never checks us, always controlled. */
  readonly iceLite: boolean;
  readonly ice: { readonly usernameFragment: string; readonly password: string };
  /** UDP, component 1, of either family; one at least, eight at most. */
  readonly candidates: readonly RemoteCandidate[];
  /** SHA-256 of the certificate, upper-case hex pairs with colons. */
  readonly fingerprint: string;
  readonly setup: 'actpass' | 'active' | 'passive';
  readonly mid: string;
  /** Of the codecs that we take, those in the SDP, as it likes them; one at least. */
  readonly formats: readonly [WhatsAppFormat, ...WhatsAppFormat[]];
  readonly telephoneEventPayloadType: number | undefined;
}

const maxCandidates = 8;
const secureProtocols = ['UDP/TLS/RTP/SAVPF', 'UDP/TLS/RTP/SAVP', 'RTP/SAVPF'];

/**
 * Reads Meta's offer or answer: the first audio section and nothing else. Legacy codecs, header extensions, RTCP feedback, a
 * missing `a=ssrc` and a short `a=rtcp` do no harm.
 * @param codecs what we take
 * @throws SdpError `no_codec` with none of them, `bad_request` if ICE, DTLS or the audio section cannot be used.
 */
export function readWhatsAppRemote(sdp: string, codecs: readonly WhatsAppCodec[] = ['opus']): WhatsAppRemote {
  const document = readSdp(sdp);
  const section = document.sections.find(({ media }) => media.type === 'audio');
  if (!section || section.media.port === 0) throw new SdpError('bad_request', 'SDP has no audio section');
  const { media } = section;
  if (!secureProtocols.includes(media.protocol)) throw new SdpError('bad_request', 'SDP audio is not DTLS-SRTP');
  return {
    iceLite: document.session.icelite !== undefined || section.lines.includes('a=ice-lite'),
    ice: credentials(document, media),
    candidates: candidates(media),
    fingerprint: fingerprint(document, section),
    setup: setupOf(textOf(media.setup ?? document.session.setup)),
    mid: midOf(media),
    ...payloadTypes(media, codecs),
  };
}

/** Meta's offer with the one format that it is answered with: of those it has, what stands first in `codecs` (RFC 3264 §6.1). */
export function withChosenFormat(offer: WhatsAppRemote, codecs: readonly WhatsAppCodec[]): WhatsAppRemote {
  const rank = ({ codec }: WhatsAppFormat): number => codecs.indexOf(codec);
  return { ...offer, formats: [offer.formats.reduce((best, each) => (rank(each) < rank(best) ? each : best))] };
}

function payloadTypes(
  media: MediaDescription,
  codecs: readonly WhatsAppCodec[],
): Pick<WhatsAppRemote, 'formats' | 'telephoneEventPayloadType'> {
  const listed = audioFormats(media);
  // Names without regard to case; the fmtp is not compared: Meta's differs from one call to the next.
  const [first, ...others] = listed.flatMap((format) => {
    const codec = codecs.find((name) => isSameEncoding(format, pbxFormats[name]));
    return codec ? [{ codec, payloadType: format.payloadType, clockRate: format.clockRate }] : [];
  });
  if (!first) throw new SdpError('no_codec', `SDP has no ${codecs.map(encodingOf).join(' and no ')}`);
  return { formats: [first, ...others], telephoneEventPayloadType: telephoneEvent(listed, 8000)?.payloadType };
}

function encodingOf(codec: WhatsAppCodec): string {
  const { name, clockRate, channels } = pbxFormats[codec];
  return `${name}/${clockRate}${channels > 1 ? `/${channels}` : ''}`;
}

function credentials({ session }: SdpDocument, media: MediaDescription): WhatsAppRemote['ice'] {
  const usernameFragment = textOf(media.iceUfrag ?? session.iceUfrag);
  const password = textOf(media.icePwd ?? session.icePwd);
  // RFC 8839 §5.4: lengths 4 to 256 and 22 to 256.
  if (!/^[!-~]{4,256}$/.test(usernameFragment)) throw new SdpError('bad_request', 'SDP has no usable ice-ufrag');
  if (!/^[!-~]{22,256}$/.test(password)) throw new SdpError('bad_request', 'SDP has no usable ice-pwd');
  return { usernameFragment, password };
}

/**
 * Host names and `.local` names are never resolved: that would let an SDP send our checks to where nobody allowed them.
 */
function candidates(media: MediaDescription): RemoteCandidate[] {
  const all = media.candidates ?? [];
  if (all.length > maxCandidates) throw new SdpError('bad_request', `SDP has over ${maxCandidates} candidates`);
  const usable = all.flatMap((candidate) => {
    const address = canonicalIp(textOf(candidate.ip));
    const port = numberOf(candidate.port);
    const priority = numberOf(candidate.priority);
    const isUdp = textOf(candidate.transport).toLowerCase() === 'udp' && numberOf(candidate.component) === 1;
    const isTarget = isIP(address) !== 0 && !isNeverTarget(address) && port > 0 && port <= 65_535;
    if (!isUdp || !isTarget || !Number.isInteger(port) || !isUint32(priority)) return [];
    return [{ foundation: textOf(candidate.foundation), priority, address, port }];
  });
  if (usable.length === 0) throw new SdpError('bad_request', 'SDP has no usable candidate');
  return usable;
}

/**
 * sdp-transform keeps the last of several fingerprint lines, so they are counted on the text. A section's own lines replace
 * those of the session (RFC 8122 §5).
 */
function fingerprint(document: SdpDocument, section: SdpSection): string {
  const own = sha256Hashes(section.lines);
  const hashes = own.length > 0 ? own : sha256Hashes(document.sessionLines);
  const [hash] = hashes;
  if (hash === undefined) throw new SdpError('bad_request', 'SDP has no SHA-256 fingerprint');
  if (hashes.length > 1) throw new SdpError('bad_request', 'SDP has several SHA-256 fingerprints');
  if (!/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/.test(hash)) throw new SdpError('bad_request', 'SDP fingerprint is malformed');
  return hash;
}

function sha256Hashes(lines: readonly string[]): string[] {
  const hashes = lines.flatMap((line) => {
    const match = /^a=fingerprint:sha-256 +(\S*)/i.exec(line);
    return match ? [String(match[1]).toUpperCase()] : [];
  });
  return [...new Set(hashes)];
}

function setupOf(setup: string): WhatsAppRemote['setup'] {
  if (setup === '' || setup === 'actpass') return 'actpass';
  if (setup === 'active' || setup === 'passive') return setup;
  throw new SdpError('bad_request', 'SDP has an unusable a=setup');
}

function midOf(media: MediaDescription): string {
  const mid = textOf(media.mid);
  return /^[\w.+-]{1,32}$/.test(mid) ? mid : '0';
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}
