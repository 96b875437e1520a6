import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

const MAX_REMEMBERED = 1000;
const PROBE_PORT = 9;

export const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** Is it an address of this machine? All of 127.0.0.0/8 is. */
export function isOwnAddress(host: string): boolean {
  if (host.startsWith('127.') || host === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === host));
}

/**
 * Which local address the kernel uses towards a peer: the one a connected datagram socket gets. Nothing is sent.
 * Needed when a listener is bound to all addresses and none is advertised.
 */
export class LocalAddresses {
  readonly #known = new Map<string, Promise<string>>();

  towards(peerHost: string): Promise<string> {
    const known = this.#known.get(peerHost);
    if (known) return known;
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    const probe = probeLocalAddress(peerHost);
    this.#known.set(peerHost, probe);
    return probe;
  }
}

function probeLocalAddress(peerHost: string): Promise<string> {
  return new Promise((resolve) => {
    const v6 = isIPv6(peerHost);
    const socket = createSocket(v6 ? 'udp6' : 'udp4');
    const finish = (address: string): void => {
      resolve(address);
      socket.close();
    };
    socket.once('error', () => finish(v6 ? '::1' : '127.0.0.1'));
    socket.connect(PROBE_PORT, peerHost, () => finish(socket.address().address));
  });
}
