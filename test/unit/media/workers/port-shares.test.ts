import { describe, expect, it } from 'vitest';
import { callsPerWorker, portShares, workerCount } from '../../../../src/media/workers/port-shares.js';

describe('shares of a range of ports', () => {
  it('are disjoint, begin at an even port and use the range up', () => {
    expect(portShares([20_001, 20_020], 3)).toEqual([
      [20_002, 20_007],
      [20_008, 20_013],
      [20_014, 20_019],
    ]);
    expect(portShares([20_000, 29_999], 1)).toEqual([[20_000, 29_999]]);
  });

  it('are any port where any port may be taken', () =>
    expect(portShares([0, 0], 2)).toEqual([
      [0, 0],
      [0, 0],
    ]));

  it('say how many calls each worker has ports for', () => {
    expect(callsPerWorker({ rtpPorts: [20_000, 20_099], webrtcPorts: [10_000, 10_999] }, 2)).toBe(25);
    expect(callsPerWorker({ rtpPorts: [20_000, 29_999], webrtcPorts: [10_000, 10_009] }, 2)).toBe(4);
    expect(callsPerWorker({ rtpPorts: [20_000, 20_002], webrtcPorts: [10_000, 10_999] }, 2)).toBe(0);
  });
});

describe('the number of workers', () => {
  const wide = { rtpPorts: [20_000, 29_999], webrtcPorts: [10_000, 19_999] } as const;

  it('is what was asked for', () => expect(workerCount(3, 1, wide)).toBe(3));

  it('is one per core by default, as far as the ports go', () => {
    expect(workerCount('auto', 8, wide)).toBe(8);
    expect(workerCount('auto', 500, wide)).toBe(64);
    expect(workerCount('auto', 8, { ...wide, rtpPorts: [20_000, 20_399] })).toBe(4);
    expect(workerCount('auto', 8, { ...wide, rtpPorts: [20_000, 20_003] })).toBe(1);
    expect(workerCount('auto', 0, wide)).toBe(1);
  });
});
