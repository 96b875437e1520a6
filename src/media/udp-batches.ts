import type { RemoteInfo } from 'node:dgram';
import { performance } from 'node:perf_hooks';
import { blockProcess, DatagramBatches, type DatagramListener, type Rest } from '../lib/datagram-batches.js';
import { Departures, type DepartureGate } from './departures.js';
import { datagramKind } from './source-guard.js';

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

/** The number of the batch that is worked on, from 1 on; 0 while none is. */
export function batchUnderWay(): number {
  return batches?.isUnderWay === true ? batches.begun : 0;
}

/** How long the datagram that is worked on may have waited for this process, which had other things to do, in ms. */
export function heldUpMs(): number {
  return batches?.isUnderWay === true ? batches.heldUpMs : 0;
}

/**
 * Hands a datagram to `listener`, which must not throw: a packet of RTP or RTCP together with others that have arrived, anything
 * else at once, since werift's steps of ICE and DTLS are promises, which must settle before the next datagram.
 */
export function arrived(listener: DatagramListener, datagram: Buffer, source: RemoteInfo): void {
  if (batches && datagramKind(datagram) === 'srtp') batches.arrived(listener, datagram, source);
  else listener(datagram, source);
}

/** Sends by `gate`: at once, or with the others of the batch that is worked on. The bytes may be overwritten afterwards. */
export function depart(gate: DepartureGate, datagram: Buffer, port: number, address: string): void {
  departures.add(gate, datagram, port, address);
  if (batches?.isUnderWay !== true) departures.sendAll();
}

/** Sends what waits for the end of the batch: before a socket is closed. */
export function sendDepartures(): void {
  departures.sendAll();
}
