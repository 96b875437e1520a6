import { MediaError } from '../media/media-error.js';
import type { RtpEndpointOptions } from '../media/media-engine.js';
import type { Trunk } from '../routing/types.js';
import { srtpSuites } from '../sdp/sdes.js';

/**
 * What a leg of this trunk does about SRTP, its signalling having this transport. The keys stand in the SDP, so that without
 * TLS they are neither sent nor taken (RFC 4568 §8.3), unless the trunk says otherwise: `optional` is then as good as `off`.
 * @throws MediaError `no_codec`, which is 488 for a PBX, where the trunk requires SRTP and keys may not be sent
 */
export function srtpOf(trunk: Trunk, transport: string): Pick<RtpEndpointOptions, 'srtp'> {
  const { srtp: mode, srtpSuites: suites = srtpSuites, srtpWithoutTls = false } = trunk;
  if (mode === 'off') return {};
  if (srtpWithoutTls || transport.toLowerCase() === 'tls') return { srtp: { mode, suites } };
  if (mode === 'optional') return {};
  throw new MediaError('no_codec', 'the trunk requires SRTP, and its keys are sent over TLS only');
}
