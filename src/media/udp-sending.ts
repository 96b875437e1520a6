import { isIPv6 } from 'node:net';

/**
 * The `lookup` of a media socket: addresses only, and at once. A name must never be looked up on the packet path, and Node's
 * own lookup lets even an address wait for the next turn, so that a datagram's memory could not be used again.
 */
export function addressOnly(
  address: string,
  _options: unknown,
  callback: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
): void {
  callback(null, address, isIPv6(address) ? 6 : 4);
}
