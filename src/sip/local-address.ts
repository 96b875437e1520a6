import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';

/** Finds the local address from which a remote address is reached; undefined when there is no way to it. */
export type LocalAddressFinder = (remoteAddress: string) => Promise<string | undefined>;

/** Any port serves: nothing is sent. */
const anyPort = 9;

/** Asks the routing table by connecting a UDP socket, which sends no packet. */
export function systemLocalAddress(clock: Clock, deadlineMs: number): LocalAddressFinder {
  return async (remoteAddress) => {
    const socket = createSocket(isIPv6(remoteAddress) ? 'udp6' : 'udp4');
    const connected = new Promise<string>((resolve, reject) => {
      socket.on('error', reject);
      // Not the callback of `connect`: that is called for a failure, too.
      socket.on('connect', () => resolve(socket.address().address));
      socket.connect(anyPort, remoteAddress);
    });
    try {
      return await withDeadline(connected, deadlineMs, 'local address', clock);
    } catch {
      return undefined;
    } finally {
      socket.close();
    }
  };
}
