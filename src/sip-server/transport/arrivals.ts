import { blockProcess, DatagramBatches, type Rest } from '../../lib/datagram-batches.js';

/** Where datagrams wait for others, so that many are worked on together. */
export type Arrivals = Pick<DatagramBatches, 'arrived'>;

/**
 * Worth it from some 300 calls a second on. A request waits for one such beat at the most, since what it sets going is done
 * before the rest: nothing to T1, and to the ear.
 */
const rest: Rest = { block: blockProcess, busyPerMs: 1, beatMs: 8, afterNextTurn: true };

/** Lets datagrams through in batches that grow with the load, since a busy process rests between them (decision 0388). */
export function restingArrivals(nowMs: () => number): Arrivals {
  return new DatagramBatches({ defer: setImmediate, nowMs, rest });
}
