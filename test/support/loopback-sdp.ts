/**
 * Rewrites every address of an SDP to loopback, so that an ICE agent given one of Meta's samples sends nothing to Meta.
 * `a=rtcp` and the unspecified address stay as they are.
 */
export function loopbackSdp(sdp: string): string {
  return sdp
    .replace(/^(a=candidate:\S+ \d+ \S+ \d+ )(\S+)/gm, (_, head: string, address: string) =>
      address.includes(':') ? `${head}::1` : `${head}127.0.0.1`,
    )
    .replace(/^(c=IN IP4 )(?!0\.0\.0\.0)\S+/gm, '$1127.0.0.1')
    .replace(/^(c=IN IP6 )\S+/gm, '$1::1');
}
