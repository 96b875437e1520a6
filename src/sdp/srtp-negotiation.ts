import type { MediaDescription } from 'sdp-transform';
import type { SrtpSuite } from '../routing/types.js';
import { cryptoLines, type SrtpKey } from './sdes.js';
import { SdpError } from './sdp-error.js';
import type { SdpSection } from './sdp-text.js';

/** What a trunk wants of SRTP; without one it is off. */
export interface SrtpPolicy {
  /** `optional`: offered, and taken when offered; `required`: nothing else will do. */
  readonly mode: 'optional' | 'required';
  /** In order of preference. */
  readonly suites: readonly SrtpSuite[];
}

/** Our end of SRTP for one description. */
export interface SrtpLocal extends SrtpPolicy {
  /** Profile that our offers name. */
  readonly protocol: RtpProtocol;
  /** Our own key of a suite: the same one at every call. */
  keyOf(suite: SrtpSuite): SrtpKey;
}

/** Keys that offer and answer agreed on. */
export interface SrtpAgreement {
  /** What we send with. */
  readonly local: SrtpKey;
  /** What the far end sends with. */
  readonly remote: SrtpKey;
  /** Profile of the section. */
  readonly protocol: RtpProtocol;
}

export type RtpProtocol = 'RTP/AVP' | 'RTP/SAVP';

/** How an offered section can be taken: plain, or with one of its `a=crypto` lines. */
export interface SectionSecurity {
  readonly agreement: SrtpAgreement | undefined;
  /** Our `a=crypto` lines. */
  readonly crypto: CryptoAttributes;
}

type CryptoAttributes = Pick<MediaDescription, 'crypto'>;

/** Our offer's lines: one a suite, numbered from 1 (RFC 4568 §5.1.1). */
export function offeredCrypto(srtp: SrtpLocal | undefined): CryptoAttributes {
  if (!srtp) return {};
  return { crypto: srtp.suites.map((suite, index) => cryptoAttribute(index + 1, srtp.keyOf(suite))) };
}

/**
 * How a section of an offer can be taken; undefined if it cannot. RTP/AVP with `a=crypto`, which many PBXs send for "if you
 * can", is taken with SRTP, and answered the same way.
 */
export function securityOf({ media, lines }: SdpSection, srtp: SrtpLocal | undefined): SectionSecurity | undefined {
  const protocol = rtpProtocol(media);
  if (!protocol) return undefined;
  const offered = srtp ? cryptoLines(lines) : [];
  for (const suite of srtp?.suites ?? []) {
    const line = offered.find(({ key }) => key.suite === suite);
    if (!srtp || !line) continue;
    const local = srtp.keyOf(suite);
    // RFC 4568 §5.1.2: the answer repeats the tag, with the answerer's own key.
    const crypto = { crypto: [cryptoAttribute(line.tag, local)] };
    return { agreement: { local, remote: line.key, protocol }, crypto };
  }
  return protocol === 'RTP/AVP' && srtp?.mode !== 'required' ? { agreement: undefined, crypto: {} } : undefined;
}

/**
 * What an answer to our offer agreed on; undefined for plain RTP.
 * @throws SdpError `no_codec` if it is not one that our offer allows
 */
export function agreedInAnswer({ media, lines }: SdpSection, srtp: SrtpLocal | undefined): SrtpAgreement | undefined {
  const protocol = rtpProtocol(media);
  if (!protocol) throw new SdpError('no_codec', 'SDP answer is not of RTP/AVP or RTP/SAVP');
  if (srtp) {
    // RFC 4568 §5.1.3: tag and suite must be those of one offered line.
    const line = cryptoLines(lines).find(({ tag, key }) => srtp.suites[tag - 1] === key.suite);
    if (line) return { local: srtp.keyOf(line.key.suite), remote: line.key, protocol };
  }
  if (protocol === 'RTP/SAVP') throw new SdpError('no_codec', 'SDP answer of RTP/SAVP has no usable key');
  if (srtp?.mode === 'required') throw new SdpError('no_codec', 'SDP answer is without SRTP, which the trunk requires');
  return undefined;
}

/** Why none of these audio sections can be taken, if it is for want of SRTP or the lack of it. */
export function unusableProtocol(audio: readonly SdpSection[], srtp: SrtpLocal | undefined): string | undefined {
  if (audio.some((section) => securityOf(section, srtp))) return undefined;
  if (!srtp) return 'SDP offer has no audio over plain RTP/AVP';
  if (srtp.mode === 'required' && audio.some(({ media }) => media.protocol === 'RTP/AVP')) {
    return 'SDP offer has no usable SRTP key, and the trunk requires one';
  }
  return 'SDP offer has no audio over RTP with a key that can be used';
}

/** RTP/SAVPF and the profiles of DTLS are none of ours. */
function rtpProtocol({ protocol }: MediaDescription): RtpProtocol | undefined {
  return protocol === 'RTP/AVP' || protocol === 'RTP/SAVP' ? protocol : undefined;
}

function cryptoAttribute(id: number, key: SrtpKey): NonNullable<MediaDescription['crypto']>[number] {
  return { id, suite: key.suite, config: key.inline };
}
