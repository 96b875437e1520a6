/** First and last UDP port, both included; 0 and 0: any the system gives. */
export type PortRange = readonly [number, number];

/** With `auto` no worker gets fewer calls than this, so that a small range of ports does not end in tiny shares. */
const leastCallsOfAuto = 50;
/** As many as the configuration takes. */
const mostWorkers = 64;

export interface WorkerRanges {
  readonly rtpPorts: PortRange;
  readonly webrtcPorts: PortRange;
}

/** Divides a range into `count` disjoint ones of whole pairs that begin at an even port. A share of nothing ends before it begins. */
export function portShares([first, last]: PortRange, count: number): PortRange[] {
  const even = first + (first % 2);
  const pairs = Math.max(0, Math.floor((last + 1 - even) / 2));
  const startOf = (index: number): number => even + 2 * Math.floor((pairs * index) / count);
  return Array.from({ length: count }, (_, index) =>
    isAny([first, last]) ? [0, 0] : [startOf(index), startOf(index + 1) - 1],
  );
}

/** How many calls at a time the smallest of `count` shares has ports for: a pair towards the PBX, one towards WhatsApp. */
export function callsPerWorker({ rtpPorts, webrtcPorts }: WorkerRanges, count: number): number {
  const pairs = portShares(rtpPorts, count).map((share) => (isAny(share) ? Infinity : sizeOf(share) / 2));
  const ports = portShares(webrtcPorts, count).map((share) => (isAny(share) ? Infinity : sizeOf(share)));
  return Math.min(...pairs, ...ports);
}

/** How many media workers there are to be: the number asked for, or one per core as far as the ports go. */
export function workerCount(asked: number | 'auto', cores: number, ranges: WorkerRanges): number {
  if (asked !== 'auto') return asked;
  let count = Math.max(1, Math.min(cores, mostWorkers));
  while (count > 1 && callsPerWorker(ranges, count) < leastCallsOfAuto) count--;
  return count;
}

const isAny = ([first, last]: PortRange): boolean => first === 0 && last === 0;
const sizeOf = ([first, last]: PortRange): number => Math.max(0, last - first + 1);
