import { blockProcess, DatagramBatches, type Rest } from '../../lib/datagram-batches.js';

/** Where datagrams wait for others, so that many are worked on together. */
export type Arrivals = Pick<DatagramBatches, 'arrived'>;

/**
 * Worth it from some 300 calls a second on. What the application answers in its own turn waits for one such beat at the most, since that
 * turn comes before the rest: nothing to T1, and to the ear.
 */
const rest: Rest = { block: blockProcess, busyPerMs: 1, beatMs: 8, afterNextTurn: true };

/** Lets datagrams through in batches that grow with the load, since a busy process rests between them (decisions 0388, 0410). */
export function restingArrivals(nowMs: () => number): Arrivals {
  return new DatagramBatches({ defer: setImmediate, nowMs, rest });
}
