import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../lib/clock.js';
import { probeLocalAddress } from '../../lib/local-address.js';

const MAX_REMEMBERED = 1000;
/** Routes and addresses of a machine change while it runs. */
const REMEMBERED_MS = 30_000;

export const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** Is it an address of this machine? All of 127.0.0.0/8 is. */
export function isOwnAddress(host: string): boolean {
  if (host.startsWith('127.') || host === '::1') return true;
  return Object.values(networkInterfaces()).some((list) => list?.some((entry) => entry.address === host));
}

/** Asks the kernel for the address it would use; undefined when there is no way to the peer. */
export type AddressProbe = (peerHost: string) => Promise<string | undefined>;

interface Known {
  readonly address: Promise<string>;
  readonly untilMs: number;
  /** Once it is known. */
  found: string | undefined;
}

/**
 * Which local address the kernel uses towards a peer: the one a connected datagram socket gets. Nothing is sent.
 * Needed when a listener is bound to all addresses and none is advertised. Answers are remembered for half a minute;
 * that there was no way is not, since there may be one for the next message.
 */
export class LocalAddresses {
  readonly #known = new Map<string, Known>();

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly probe: AddressProbe = probeLocalAddress,
  ) {}

  /** Never rejects. Without a way to the peer it is the loopback address: what it is written into will not leave. */
  towards(peerHost: string): Promise<string> {
    const nowMs = this.clock.monotonicMs();
    const known = this.#known.get(peerHost);
    if (known && nowMs < known.untilMs) return known.address;
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    const address = this.#ask(peerHost);
    const entry: Known = { address, untilMs: nowMs + REMEMBERED_MS, found: known?.found };
    void address.then((found) => (entry.found = found));
    this.#known.set(peerHost, entry);
    return address;
  }

  /**
   * What the kernel said last, however long ago. Undefined before its first answer, once it knew no way, and for peers that
   * were forgotten since a thousand others came.
   */
  latest(peerHost: string): string | undefined {
    return this.#known.get(peerHost)?.found;
  }

  async #ask(peerHost: string): Promise<string> {
    const address = await this.probe(peerHost);
    if (address !== undefined && !isWildcard(address)) return address;
    this.#known.delete(peerHost);
    return isIPv6(peerHost) ? '::1' : '127.0.0.1';
  }
}
