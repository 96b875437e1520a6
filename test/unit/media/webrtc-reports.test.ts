import { beforeEach, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { ReceiveStatistics } from '../../../src/media/receive-statistics.js';
import { buildRtcp, parseRtcp } from '../../../src/media/rtcp-packet.js';
import { WebRtcBeat } from '../../../src/media/webrtc-beat.js';
import { WebRtcReports } from '../../../src/media/webrtc-reports.js';

let clock: FakeClock;
let sent: Buffer[];
let beat: WebRtcBeat;
let received: ReceiveStatistics;
let reports: WebRtcReports;

const reportsBy = (send: (compound: Buffer) => void): WebRtcReports =>
  new WebRtcReports({ clock, ssrc: 77, cname: 'c0ffee', beat, received, send });

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  received = new ReceiveStatistics(48_000);
  beat = new WebRtcBeat(clock, () => undefined, { sequence: 0, timestamp: 5000 });
  reports = reportsBy((compound) => sent.push(compound));
});

it('reports at once and then every 5 s', () => {
  beat.start();
  reports.start();
  reports.start();
  expect(sent).toHaveLength(1);
  clock.advance(20_000);
  expect(sent).toHaveLength(5);
});

it('goes on when a report cannot be sent', () => {
  let broken = true;
  reports = reportsBy((compound) => {
    if (broken) throw new Error('cannot be sent');
    sent.push(compound);
  });
  expect(() => reports.start()).toThrow('cannot be sent');
  expect(() => clock.advance(5000)).toThrow('cannot be sent');
  broken = false;
  clock.advance(5000);
  expect(sent).toHaveLength(1);
});

it('says when, in both clocks, and how much was sent', () => {
  beat.start();
  clock.advance(1000);
  reports.start();
  const [report] = sent;
  expect(report!.readUInt32BE(4)).toBe(77);
  expect(report!.readUInt32BE(8)).toBe(Date.UTC(2026, 0, 1) / 1000 + 1 + 2_208_988_800);
  expect(report!.readUInt32BE(16)).toBe(5000 + 48_000 + 15 * 48);
  expect(report!.readUInt32BE(20)).toBe(52);
  expect(report!.readUInt32BE(24)).toBe(156);
  expect(report!.includes('c0ffee')).toBe(true);
});

it('tells the peer what came, and when its last report did', () => {
  for (const sequence of [1, 2, 4]) received.receive(9, sequence, sequence * 960, sequence * 20, true);
  clock.advance(3000);
  const times = { ntpSeconds: 0x1111_abcd, ntpFraction: 0x1234_2222, rtpTimestamp: 0, packets: 0, octets: 0 };
  reports.peer.receive(buildRtcp({ ssrc: 9, cname: 'p', sender: times, block: undefined, bye: false }));
  clock.advance(500);
  reports.start();
  expect(parseRtcp(sent[0]!)?.blocks).toEqual([
    expect.objectContaining({
      ssrc: 9,
      cumulativeLost: 1,
      fractionLost: 64,
      lastSenderReport: 0xabcd_1234,
      delaySinceLastReport: 32_768,
    }),
  ]);
});

it('says goodbye once to a peer that is there, and stops', () => {
  reports.start();
  reports.stop(true);
  reports.stop(true);
  clock.advance(60_000);
  expect(sent.map((compound) => parseRtcp(compound)?.byes)).toEqual([[], [77]]);
  expect(clock.armed).toBe(0);
});

it('says nothing to a peer that never heard of us, or is gone', () => {
  reports.stop(true);
  reports.start();
  reports.stop(false);
  expect(sent).toHaveLength(1);
});
