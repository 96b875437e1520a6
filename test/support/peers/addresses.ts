/** Every party has a loopback address of its own, so that all can use their usual ports and a trunk is told apart by address. */
export const address = {
  bridge: '127.0.0.2',
  stranger: '127.0.0.9',
  asterisk: '127.0.0.16',
  sipp: '127.0.0.30',
  // Its RTP sockets are bound to no address, so its packets carry the first one of loopback, whatever its SDP says;
  // the bridge takes audio from the address of the SDP alone.
  baresip: '127.0.0.1',
  meta: '127.0.0.50',
  rtpengine: '127.0.0.60',
  relay: '127.0.0.61',
  relayBehind: '127.0.0.62',
  /** The end of the trap in this network: packets from here can go into it, those from loopback cannot. */
  trap: '198.51.100.1',
} as const;
