import { callsPerWorker, portShares, type PortRange } from '../media/workers/port-shares.js';
import { parsePortRange } from './formats.js';
import type { Findings } from './issue.js';
import type { Scalars } from './scalars.js';

/** A worker with ports for fewer calls refuses some while others have room. */
const FEW_CALLS = 20;
/** Shares that are written out. */
const SHOWN = 8;

/** Each worker has ports of its own: says which, when they are too few. With `auto` there are only as many workers as the ports are good for. */
export function checkMediaWorkers(scalars: Scalars, findings: Findings): void {
  const workers = scalars['media.workers'];
  const rtpPorts = parsePortRange(scalars['media.rtp_ports']);
  const webrtcPorts = parsePortRange(scalars['media.webrtc_ports']);
  if (workers === 'auto' || !rtpPorts || !webrtcPorts) return;
  const count = Number(workers);
  const calls = callsPerWorker({ rtpPorts, webrtcPorts }, count);
  if (calls >= FEW_CALLS || !Number.isInteger(count)) return;
  const cure = 'widen the ranges, or write workers: auto, which takes no more workers than they are good for';
  if (calls < 1) {
    findings.error(['media', 'workers'], { message: 'are more than rtp_ports and webrtc_ports have ports for', cure });
    return;
  }
  const shares = `rtp_ports ${shown(portShares(rtpPorts, count))}; webrtc_ports ${shown(portShares(webrtcPorts, count))}`;
  const message = `leave each worker ports for ${calls} calls at a time: ${shares}`;
  findings.warn(['media', 'workers'], { message, cure });
}

function shown(shares: readonly PortRange[]): string {
  const texts = shares.slice(0, SHOWN).map(([first, last]) => `${first}-${last}`);
  return [...texts, ...(shares.length > SHOWN ? ['…'] : [])].join(', ');
}
