import type { Clock } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import { probeLocalAddress } from '../lib/local-address.js';

/** Finds the local address from which a remote address is reached; undefined when there is no way to it. */
export type LocalAddressFinder = (remoteAddress: string) => Promise<string | undefined>;

/** The kernel's word, unless that takes longer than `deadlineMs`. */
export function systemLocalAddress(clock: Clock, deadlineMs: number): LocalAddressFinder {
  return (remoteAddress) =>
    withDeadline(probeLocalAddress(remoteAddress), deadlineMs, 'local address', clock).catch(() => undefined);
}
