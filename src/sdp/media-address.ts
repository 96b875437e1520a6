import { BlockList, isIP } from 'node:net';
import type { MediaDescription, SessionDescription } from 'sdp-transform';
import { canonicalIp } from '../lib/canonical-ip.js';
import { SdpError } from './sdp-error.js';
import { numberOf, textOf } from './sdp-text.js';

/** Where a PBX wants its RTP. */
export interface MediaTarget {
  /** As the operating system writes it, so that sources of packets can be compared with it. */
  readonly address: string;
  readonly port: number;
  readonly rtcpPort: number | undefined;
  /** `c=IN IP4 0.0.0.0` or `c=IN IP6 ::`: the hold of RFC 2543, still in use (RFC 3264 §8.4). Nothing may be sent. */
  readonly onHold: boolean;
}

const lowestPort = 1024;

/** Addresses that RTP is never sent to, whoever asks: unspecified, "this network", multicast, reserved and broadcast. */
const forbidden = new BlockList();
forbidden.addSubnet('0.0.0.0', 8, 'ipv4');
forbidden.addSubnet('224.0.0.0', 4, 'ipv4');
forbidden.addSubnet('240.0.0.0', 4, 'ipv4');
forbidden.addAddress('::', 'ipv6');
forbidden.addSubnet('ff00::', 8, 'ipv6');

/** True for an IP address that no packet is ever sent to. */
export function isNeverTarget(address: string): boolean {
  return forbidden.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** True for the address of a hold of the old kind, which names no place. */
export function isNullAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/**
 * Reads where a section's RTP goes (the section's `c=` line before the session's, RFC 8866 §5.7).
 * @throws SdpError `not_allowed` for an address or port that RTP is never sent to, `bad_request` without an address.
 */
export function mediaTarget(session: SessionDescription, media: MediaDescription, localFamily: number): MediaTarget {
  const address = canonicalIp(textOf((media.connection ?? session.connection)?.ip));
  if (isNullAddress(address)) return { address, port: media.port, rtcpPort: undefined, onHold: true };
  checkAddress(address, localFamily);
  if (media.port < lowestPort) throw new SdpError('not_allowed', `media port ${media.port} is below ${lowestPort}`);
  return { address, port: media.port, rtcpPort: rtcpPort(media, address), onHold: false };
}

function checkAddress(address: string, localFamily: number): void {
  const family = isIP(address);
  if (family === 0) throw new SdpError('bad_request', 'media address is not an IP address');
  if (isNeverTarget(address)) {
    throw new SdpError('not_allowed', 'media address is unspecified, multicast or reserved');
  }
  if (family !== localFamily) throw new SdpError('no_codec', `media address is of IPv${family}, ours is not`);
}

/** RFC 3605; an RTCP address other than the RTP one is not followed, that would be a second target nobody checked. */
function rtcpPort(media: MediaDescription, address: string): number | undefined {
  const { rtcp } = media;
  if (!rtcp || (rtcp.address !== undefined && canonicalIp(textOf(rtcp.address)) !== address)) return undefined;
  const port = numberOf(rtcp.port);
  return Number.isInteger(port) && port >= lowestPort && port <= 65_535 ? port : undefined;
}
