import type { MediaWatchdogLimits } from '../media-watchdog.js';
import type { RemoteNetworks } from '../remote-networks.js';

/** What a media engine is made with, as plain data that may cross a process boundary. */
export interface WorkerSettings {
  /** Address that media sockets bind. */
  readonly listenIp: string;
  /** Address that stands in the SDP for `listenIp`, behind 1:1 NAT; empty for none. */
  readonly advertisedIp: string;
  /** First and last UDP port of the PBX side. */
  readonly rtpPorts: readonly [number, number];
  /** First and last UDP port of the WhatsApp side. */
  readonly webrtcPorts: readonly [number, number];
  /** Where media of the WhatsApp side may go. */
  readonly remoteNetworks: RemoteNetworks;
  readonly watchdog?: MediaWatchdogLimits;
  /** RTP ports of pairs that calls of an earlier worker had a moment ago: they rest before they are used again. */
  readonly restingRtpPorts?: readonly number[];
}
