import type { RemoteInfo } from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { blockProcess, DatagramBatches, type DatagramListener, type Rest } from '../lib/datagram-batches.js';
import { Departures, type SendNow } from './departures.js';

const departures = new Departures();
let batches: DatagramBatches | undefined;

/** Worth it from twenty calls on; by no more may audio be late. */
const rest: Rest = { block: blockProcess, busyPerMs: 2, beatMs: 0.5 };

/**
 * From now on the datagrams of all media sockets of this process go through in batches. With `rests` the process, which has
 * nothing else to do, blocks for up to half a millisecond while it is busy, so that batches grow. Once a process.
 */
export function batchDatagrams(rests: boolean): void {
  if (batches) return;
  batches = new DatagramBatches(
    {
      ...{ defer: setImmediate, nowMs: () => performance.now(), idleMs: () => performance.nodeTiming.idleTime },
      ...(rests && { rest }),
    },
    sendDepartures,
  );
}

/** How long the datagram that is worked on may have waited for this process, which had other things to do, in ms. */
export function heldUpMs(): number {
  return batches?.isUnderWay === true ? batches.heldUpMs : 0;
}

/** Hands a datagram to `listener`, which must not throw, together with others that have arrived. */
export function arrived(listener: DatagramListener, datagram: Buffer, source: RemoteInfo): void {
  if (batches) batches.arrived(listener, datagram, source);
  else listener(datagram, source);
}

/** Sends by `send`: at once, or with the others of the batch that is worked on. The bytes may be overwritten afterwards. */
export function depart(send: SendNow, datagram: Buffer, port: number, address: string): void {
  departures.add(send, datagram, port, address);
  if (batches?.isUnderWay !== true) departures.sendAll();
}

/** Sends what waits for the end of the batch: before a socket is closed. */
export function sendDepartures(): void {
  departures.sendAll();
}
