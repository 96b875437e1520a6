import * as sdpTransform from 'sdp-transform';
import type { AdditionalCodecs } from '../meta-sdp.js';
import { invalidParameter } from './graph-error.js';

type Media = sdpTransform.SessionDescription['media'][number];

/** Meta's subcode for a fingerprint that is not SHA-256. */
const FINGERPRINT_SUBCODE = 2494010;

/** Algorithms of all fingerprints; read off the text, since a parser keeps only the last one of a section. */
function fingerprints(sdp: string): string[] {
  return [...sdp.matchAll(/^a=fingerprint:(\S+)/gm)].map(([, algorithm]) => algorithm ?? '');
}

function checkFingerprint(sdp: string): void {
  const found = fingerprints(sdp);
  if (found.length === 0) throw invalidParameter('SDP: no fingerprint found');
  if (found.some((algorithm) => algorithm.toLowerCase() !== 'sha-256') || found.length > 1) {
    throw invalidParameter('SDP: Fingerprint algo is not SHA256, or there is more than one', FINGERPRINT_SUBCODE);
  }
}

function checkCodecs(type: 'offer' | 'answer', media: Media, additional: AdditionalCodecs): void {
  const payloads = sdpTransform.parsePayloads(media.payloads ?? '');
  const listed = media.rtp.filter(({ payload }) => payloads.includes(payload));
  const isOpus = ({ codec, rate, encoding }: Media['rtp'][number]): boolean =>
    codec.toLowerCase() === 'opus' && rate === 48_000 && encoding === 2;
  const isAdditional = ({ codec, rate }: Media['rtp'][number]): boolean => additional.includes(codec) && rate === 8000;
  // RFC 3264: an answer takes what it likes of the offer's; Opus is always in ours.
  const isEnough = listed.some((each) => isOpus(each) || (type === 'answer' && isAdditional(each)));
  if (!isEnough) throw invalidParameter('SDP: opus/48000/2 is required');
  if (media.ptime !== undefined && media.ptime !== 20) throw invalidParameter('SDP: ptime must be 20');
}

/** Field reports: an SDP with more than Opus, keys, and what the number's settings add is refused. */
function checkNoMore(media: Media, additional: AdditionalCodecs): void {
  const known = ['opus', 'telephone-event', ...additional.map((codec) => codec.toLowerCase())];
  const [stranger] = media.rtp.filter(({ codec }) => !known.includes(codec.toLowerCase()));
  if (stranger) throw invalidParameter(`SDP Validation error: ${stranger.codec} is not a codec of this number`);
}

function checkTransport(media: Media): void {
  if (media.protocol !== 'UDP/TLS/RTP/SAVPF') throw invalidParameter('SDP: UDP/TLS/RTP/SAVPF is required');
  if (!media.rtcpMux) throw invalidParameter('SDP: rtcp-mux is required');
  if ((media.direction ?? 'sendrecv') !== 'sendrecv') throw invalidParameter('SDP: direction must be sendrecv');
  const sources = new Set((media.ssrcs ?? []).map(({ id }) => id));
  if (sources.size > 1) throw invalidParameter('SDP: only one SSRC is supported');
}

function checkSetup(type: 'offer' | 'answer', setup: string | undefined): void {
  const allowed = type === 'offer' ? ['actpass', 'active'] : ['active'];
  if (!allowed.includes(setup ?? '')) throw invalidParameter(`SDP: setup must be ${allowed.join(' or ')}`);
}

function parse(sdp: string): sdpTransform.SessionDescription {
  if (!sdp.startsWith('v=0\r\n') || !sdp.endsWith('\r\n')) throw invalidParameter('SDP: must have CRLF line ends');
  if (/[^\r]\n/.test(sdp)) throw invalidParameter('SDP: must have CRLF line ends');
  return sdpTransform.parse(sdp);
}

/**
 * Meta's rules for the business's SDP (codec, DTLS and ICE sections of its integration guide). Its own samples list more codecs
 * than a number may have: without `additional` that is not looked at.
 * @throws GraphRefusal 100 naming the fault
 */
export function checkBusinessSdp(type: 'offer' | 'answer', sdp: string, additional?: AdditionalCodecs): void {
  const session = parse(sdp);
  const [media, second] = session.media;
  if (!media || second || media.type !== 'audio') throw invalidParameter('SDP: exactly one m=audio is required');
  if (session.icelite) throw invalidParameter('SDP: the business must be a full ICE agent');
  if (!(media.iceUfrag ?? session.iceUfrag) || !(media.icePwd ?? session.icePwd)) {
    throw invalidParameter('SDP: ice-ufrag and ice-pwd are required');
  }
  checkFingerprint(sdp);
  checkSetup(type, media.setup ?? session.setup);
  checkTransport(media);
  checkCodecs(type, media, additional ?? []);
  if (additional) checkNoMore(media, additional);
}

/** The `session` of a request. @throws GraphRefusal 100 if it is missing, of the other type, or its SDP is at fault */
export function readSession(value: unknown, type: 'offer' | 'answer', additional?: AdditionalCodecs): string {
  const session = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const sdp = session['sdp'];
  if (typeof sdp !== 'string' || sdp === '') throw invalidParameter('session.sdp is required');
  if (session['sdp_type'] !== type) throw invalidParameter(`session.sdp_type must be ${type}`);
  checkBusinessSdp(type, sdp, additional);
  return sdp;
}
