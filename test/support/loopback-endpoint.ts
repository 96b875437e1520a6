import { systemClock } from '../../src/lib/clock.js';
import { systemIds } from '../../src/lib/ids.js';
import { silentLogger } from '../../src/lib/logger.js';
import { PortPool } from '../../src/media/port-pool.js';
import { remoteNetworks } from '../../src/media/remote-networks.js';
import { UdpRtpEndpoint, type UdpRtpEndpointOptions } from '../../src/media/rtp-endpoint.js';
import { RtpSockets } from '../../src/media/rtp-sockets.js';
import { rtpPorts } from './ports.js';

/** The ports of all endpoints of a test file. */
export const rtpPool = new PortPool({ range: rtpPorts, clock: systemClock, random: Math.random, quarantineMs: 0 });

/** The PBX side of a call on real sockets of loopback, for a PBX there, with A-law alone unless said otherwise. */
export async function loopbackEndpoint(
  options: Partial<UdpRtpEndpointOptions> = {},
): Promise<{ readonly endpoint: UdpRtpEndpoint; readonly rtpPort: number }> {
  const sockets = await RtpSockets.open(rtpPool, '127.0.0.1', systemClock);
  const endpoint = new UdpRtpEndpoint({
    id: systemIds.hex(8),
    sockets,
    address: '127.0.0.1',
    codecs: ['PCMA'],
    maySendTo: remoteNetworks(['127.0.0.0/8']),
    clock: systemClock,
    ids: systemIds,
    logger: silentLogger,
    ...options,
  });
  return { endpoint, rtpPort: sockets.rtpPort };
}
