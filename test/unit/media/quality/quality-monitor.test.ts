import { beforeEach, describe, expect, it } from 'vitest';
import type { LegQuality, QualityReport } from '../../../../src/call/media-quality.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import { PeerReports } from '../../../../src/media/peer-reports.js';
import { LevelMeter } from '../../../../src/media/quality/level-meter.js';
import { QualityMonitor } from '../../../../src/media/quality/quality-monitor.js';
import { ReceiveStatistics } from '../../../../src/media/receive-statistics.js';
import { buildRtcp, ntpTime } from '../../../../src/media/rtcp-packet.js';

const ourSsrc = 77;
let clock: FakeClock;
let received: ReceiveStatistics;
let peer: PeerReports;
let sent: { packets: number };
let audio: { codec: string; clockRate: number } | undefined;
let reports: { report: QualityReport; total: LegQuality }[];
let level: LevelMeter;
let monitor: QualityMonitor;
let sequence: number;

beforeEach(() => {
  clock = new FakeClock();
  received = new ReceiveStatistics(8000);
  peer = new PeerReports(clock, ourSsrc);
  sent = { packets: 0 };
  audio = { codec: 'PCMA', clockRate: 8000 };
  level = new LevelMeter();
  reports = [];
  sequence = 0;
  monitor = new QualityMonitor({
    ...{ clock, received, peer, sent, level },
    audio: () => audio,
    onReport: (report, total) => reports.push({ report, total }),
  });
});

/** A second of audio each way; every `lossEvery`th packet to us is lost. */
function second(lossEvery = 0): void {
  for (let i = 0; i < 50; i++) {
    clock.advance(20);
    sent.packets++;
    sequence++;
    if (lossEvery > 0 && i % lossEvery === 1) continue;
    received.receive(9, sequence & 0xffff, sequence * 160, clock.monotonicMs(), true);
  }
}

const seconds = (count: number, lossEvery = 0): void => {
  for (let i = 0; i < count; i++) second(lossEvery);
};

/** The far end reports on what we sent, `roundTripMs` after a sender report of ours to which it took `heldMs`. */
function reported(
  block: { cumulativeLost: number; highestSequence: number; jitter: number },
  roundTripMs: number,
): void {
  const heldMs = 250;
  const time = ntpTime(clock.now());
  peer.sent(time);
  const lastSenderReport = ((time.seconds << 16) | (time.fraction >>> 16)) >>> 0;
  clock.advance(roundTripMs + heldMs);
  const delaySinceLastReport = Math.round(heldMs * 65.536);
  const about = { ssrc: ourSsrc, fractionLost: 0, ...block, lastSenderReport, delaySinceLastReport };
  peer.receive(buildRtcp({ ssrc: 9, cname: 'p', sender: undefined, block: about, bye: false }));
}

describe('quality of a leg', () => {
  it('is reported every 5 s: what came and what was lost since, with its MOS', () => {
    monitor.start();
    monitor.start();
    seconds(5);
    seconds(5, 10);
    expect(reports.map(({ report }) => [report.received.packets, report.received.lost])).toEqual([
      // The packet of the very moment is the next report's.
      [249, 0],
      [225, 25],
    ]);
    const [clean, lossy] = reports.map(({ report }) => report.received.mos ?? 0);
    expect(clean).toBeGreaterThan(4.3);
    expect(lossy).toBeCloseTo(3.39, 1);
    expect(reports[0]?.report).toMatchObject({ codec: 'PCMA', intervalMs: 5000, sent: { packets: 249 } });
    expect(reports[0]?.report.sent).not.toHaveProperty('mos');
  });

  it("tells the far end's side by the difference of its reports, and the round trip by LSR and DLSR", () => {
    monitor.start();
    seconds(4);
    reported({ cumulativeLost: 10, highestSequence: 1000, jitter: 80 }, 60);
    seconds(5);
    reported({ cumulativeLost: 35, highestSequence: 1250, jitter: 160 }, 100);
    seconds(1);
    expect(reports.map(({ report }) => report.sent)).toMatchObject([
      { lost: 10, jitterMs: 10 },
      { lost: 25, jitterMs: 20 },
    ]);
    expect(reports.map(({ report }) => Math.round(report.roundTripMs ?? 0))).toEqual([60, 100]);
    expect(reports[1]?.report.sent.mos).toBeLessThan(3.5);
  });

  it('sums up the call: lost, mean and extremes, also of an end between two reports', () => {
    monitor.start();
    seconds(4);
    reported({ cumulativeLost: 0, highestSequence: 200, jitter: 80 }, 40);
    seconds(1);
    seconds(4, 10);
    reported({ cumulativeLost: 10, highestSequence: 400, jitter: 240 }, 80);
    monitor.stop();
    monitor.stop();
    expect(reports).toHaveLength(2);
    const { total } = reports[1]!;
    expect(total).toEqual(monitor.total);
    expect(total).toMatchObject({
      codec: 'PCMA',
      received: { packets: 430, lost: 20 },
      sent: { packets: 450, lost: 10 },
    });
    expect([total.sent.jitterAvgMs, total.sent.jitterMaxMs]).toEqual([20, 30]);
    expect([total.roundTripAvgMs, total.roundTripMaxMs].map((ms) => Math.round(ms ?? 0))).toEqual([60, 80]);
    const { mosMin = 0, mosAvg = 0 } = total.received;
    expect(mosMin).toBeLessThan(mosAvg);
    expect(mosAvg).toBeLessThan(4.4);
    expect(clock.armed).toBe(0);
  });

  it('says nothing of a leg without media, or before anything is agreed on', () => {
    monitor.start();
    clock.advance(20_000);
    audio = undefined;
    seconds(6);
    expect(reports).toEqual([]);
    monitor.stop();
    expect(monitor.total).toMatchObject({ codec: '', received: { packets: 300, lost: 0 } });
  });

  it('is not fooled by a far end that counts anew', () => {
    monitor.start();
    seconds(4);
    reported({ cumulativeLost: 50, highestSequence: 60_000, jitter: 0 }, 0);
    seconds(5);
    reported({ cumulativeLost: 2, highestSequence: 100, jitter: 0 }, 0);
    seconds(5);
    for (const { report } of reports) expect(report.sent.lost ?? 0).toBeLessThanOrEqual(50);
    expect(reports[1]?.report.sent).toMatchObject({ lost: 2 });
  });

  it('tells how loud it was, and of the call the mean and the loudest; nothing where nothing was decoded', () => {
    monitor.start();
    const frame = (amplitude: number) =>
      Int16Array.from({ length: 160 }, (_, i) => amplitude * Math.sin(i * 0.1 * Math.PI));
    for (const amplitude of [16_384, 1638.4, 0]) {
      if (amplitude > 0) level.add(frame(amplitude), 160);
      seconds(5);
    }
    const [loud, soft, none] = reports.map(({ report }) => report.received.levelDbfs);
    expect(loud).toBeCloseTo(-6, 0);
    expect(soft).toBeCloseTo(-26, 0);
    expect(none).toBeUndefined();
    expect(reports[2]?.report.received).not.toHaveProperty('levelDbfs');
    expect(monitor.total.received.levelAvgDbfs).toBeCloseTo(-16, 0);
    expect(monitor.total.received.levelMaxDbfs).toBeCloseTo(-6, 0);
    expect(monitor.total.sent).not.toHaveProperty('levelAvgDbfs');
  });

  it('plain data: it crosses a process boundary', () => {
    monitor.start();
    seconds(5);
    expect(JSON.parse(JSON.stringify(reports[0]))).toEqual(reports[0]);
  });
});

describe('reports of the far end', () => {
  it('measure no round trip by a reference that is not ours, however it looks', () => {
    for (const lastSenderReport of [0, 1, 0xffff_ffff]) {
      const about = { ssrc: ourSsrc, fractionLost: 64, cumulativeLost: 1, highestSequence: 4, jitter: 0 };
      const block = { ...about, lastSenderReport, delaySinceLastReport: 0 };
      peer.sent(ntpTime(clock.now()));
      clock.advance(500);
      expect(peer.receive(buildRtcp({ ssrc: 9, cname: 'p', sender: undefined, block, bye: false }))).toBe(true);
      expect([peer.roundTripMs, peer.fractionLost]).toEqual([undefined, 0.25]);
    }
    expect(peer.receive(Uint8Array.of(1, 2, 3))).toBe(false);
  });

  it('are only those about our stream, and a goodbye is heard', () => {
    const block = { ssrc: ourSsrc + 1, fractionLost: 64, cumulativeLost: 1, highestSequence: 4, jitter: 0 };
    const other = { ...block, lastSenderReport: 0, delaySinceLastReport: 0 };
    peer.receive(buildRtcp({ ssrc: 9, cname: 'p', sender: undefined, block: other, bye: true }));
    expect([peer.blocks, peer.fractionLost, peer.takeBye(), peer.takeBye()]).toEqual([0, undefined, true, false]);
  });
});
