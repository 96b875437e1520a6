import { describe, expect, it } from 'vitest';
import { emptyRtpFields } from '../../../src/media/rtp-packet.js';
import { RtpSourceLock } from '../../../src/media/rtp-source-lock.js';

const pbx = { address: '10.0.0.5', port: 4000, rtcpPort: 4001 };
const nat = { address: '10.9.9.9', port: 5000 };

/** A lock of a trunk in 10.0.0.0/8, and packets 20 ms apart unless said otherwise. */
class Scene {
  nowMs = 0;
  readonly lock: RtpSourceLock;

  constructor(latch: boolean) {
    this.lock = new RtpSourceLock({ latch, mayLearn: (address) => address.startsWith('10.') });
  }

  /** Whether a packet is admitted, and the numbers of those that have just been learnt. */
  receive(
    from: { address: string; port: number },
    sequence: number,
    { ssrc = 1, plausible = true, afterMs = 20 } = {},
  ): boolean | number[] {
    this.nowMs += afterMs;
    const fields = plausible ? { ...emptyRtpFields(), ssrc, sequence } : undefined;
    const datagram = Buffer.from([sequence & 0xff]);
    const admitted = this.lock.admitsRtp(datagram, from.address, from.port, fields, this.nowMs);
    const learnt = this.lock.takeLearnt().map((one) => one[0] ?? -1);
    return learnt.length > 0 ? learnt : admitted;
  }
}

describe('the source of a stream, held to its SDP', () => {
  it('is nobody before a description names it', () => {
    const scene = new Scene(true);
    expect([scene.receive(pbx, 1), scene.lock.admitsRtcp('10.0.0.5', 4001)]).toEqual([false, false]);
    expect([scene.lock.source, scene.lock.foreign]).toEqual([undefined, 2]);
  });

  it('is the address and port of the description alone', () => {
    const scene = new Scene(false);
    scene.lock.expect(pbx);
    expect(scene.receive(pbx, 1)).toBe(true);
    for (let i = 0; i < 20; i++) {
      expect(scene.receive({ ...pbx, port: 4002 }, i)).toBe(false);
      expect(scene.receive({ ...pbx, address: '10.0.0.6' }, i)).toBe(false);
    }
    expect([4001, 4000, 4002].map((port) => scene.lock.admitsRtcp('10.0.0.5', port))).toEqual([true, true, false]);
    expect([scene.lock.foreign, scene.lock.source]).toEqual([41, pbx]);
  });

  it('stays the same for any SSRC it uses', () => {
    const scene = new Scene(true);
    scene.lock.expect(pbx);
    for (let ssrc = 0; ssrc < 10; ssrc++) expect(scene.receive(pbx, 7000 * ssrc, { ssrc })).toBe(true);
  });
});

describe('the source of a stream, learnt', () => {
  const learning = (): Scene => {
    const scene = new Scene(true);
    scene.lock.expect(pbx);
    return scene;
  };

  it('is whoever sends three packets in a row; they are handed over then, and nobody else is heard afterwards', () => {
    const scene = learning();
    expect([1, 2, 3, 4].map((n) => scene.receive(nat, n))).toEqual([false, false, [1, 2, 3], true]);
    expect(scene.lock.source).toEqual({ ...nat, rtcpPort: 5001 });
    for (let n = 5; n < 50; n++) {
      expect(scene.receive(pbx, n)).toBe(false);
      expect(scene.receive({ ...nat, port: 5002 }, n)).toBe(false);
    }
    expect([5001, 5000, 5002].map((port) => scene.lock.admitsRtcp(nat.address, port))).toEqual([true, true, false]);
    expect(scene.lock.admitsRtcp(pbx.address, pbx.rtcpPort)).toBe(false);
    expect(scene.lock.foreign).toBe(92);
  });

  it('keeps RTCP on the RTP port where that was agreed on', () => {
    const scene = new Scene(true);
    scene.lock.expect({ ...pbx, rtcpPort: pbx.port });
    for (const n of [1, 2, 3]) scene.receive(nat, n);
    expect(scene.lock.source).toEqual({ ...nat, rtcpPort: nat.port });
  });

  it.each([
    ['an address outside the networks', { address: '192.0.2.1', port: 5000 }, {}],
    ['packets of an unknown type', nat, { plausible: false }],
    ['a port below 1024', { ...nat, port: 53 }, {}],
    ['pauses in between', nat, { afterMs: 101 }],
  ] as const)('is not learnt from %s', (_what, from, how) => {
    const scene = learning();
    for (let n = 0; n < 20; n++) expect(scene.receive(from, n, how)).toBe(false);
    expect(scene.lock.source).toEqual(pbx);
  });

  it('is not learnt from packets of changing SSRC, or in no order', () => {
    const scene = learning();
    for (let n = 0; n < 20; n++) expect(scene.receive(nat, n, { ssrc: n })).toBe(false);
    for (let n = 0; n < 20; n++) expect(scene.receive({ ...nat, port: 6000 }, n * 1000)).toBe(false);
    expect(scene.lock.source).toEqual(pbx);
    expect(scene.lock.foreign).toBeGreaterThanOrEqual(38);
  });

  it('allows for one lost packet and the wrap of the numbers', () => {
    const scene = learning();
    expect([65_534, 0, 1].map((n) => scene.receive(nat, n))).toEqual([false, false, [254, 0, 1]]);
  });

  it('is not an address that strews packets, among which the right one comes through', () => {
    const scene = learning();
    const strewn = { address: '10.66.0.1', port: 6000 };
    const got: (boolean | number[])[] = [];
    for (let n = 0; n < 3; n++) {
      for (const port of [1, 2, 3]) scene.receive({ ...strewn, port: 6000 + port }, n * 50, { afterMs: 300 });
      got.push(scene.receive(nat, n, { afterMs: 1 }));
    }
    expect(got).toEqual([false, false, false]);
    for (let n = 10; n < 13; n++) got.push(scene.receive(nat, n));
    expect(got.at(-1)).toEqual([10, 11, 12]);
    expect(scene.lock.source?.address).toBe(nat.address);
  });

  it('holds five packets at most, however many come from wherever', () => {
    const scene = learning();
    for (let n = 0; n < 1000; n++) expect(scene.receive({ ...nat, port: 5000 + n }, n, { afterMs: 0 })).toBe(false);
    expect(scene.lock.foreign).toBe(995);
  });

  it('is the one of the description once three packets came from there', () => {
    const scene = learning();
    for (const n of [1, 2, 3]) expect(scene.receive(pbx, n)).toBe(true);
    for (let n = 0; n < 10; n++) expect(scene.receive(nat, n)).toBe(false);
    expect(scene.lock.source).toEqual(pbx);
  });

  it('is not asked for again by a refresh, but by another address', () => {
    const scene = learning();
    for (const n of [1, 2, 3]) scene.receive(nat, n);
    scene.lock.expect({ ...pbx });
    const other = { address: '10.9.9.8', port: 5000 };
    for (let n = 0; n < 10; n++) expect(scene.receive(other, n)).toBe(false);
    expect(scene.lock.source?.address).toBe(nat.address);
    scene.lock.expect({ ...pbx, port: 6000, rtcpPort: 6001 });
    expect(scene.lock.source?.port).toBe(6000);
    expect(scene.receive(nat, 4)).toBe(false);
    for (const n of [1, 2, 3]) scene.receive(other, n);
    expect(scene.lock.source).toEqual({ ...other, rtcpPort: 5001 });
  });

  it('is sent nothing before it is known when the SDP names an address of the other network', () => {
    const scene = new Scene(true);
    scene.lock.expect({ address: '192.168.1.2', port: 4000, rtcpPort: 4001 });
    expect(scene.lock.source).toBeUndefined();
    for (const n of [1, 2, 3]) scene.receive(nat, n);
    expect(scene.lock.source).toEqual({ ...nat, rtcpPort: 5001 });
  });
});
