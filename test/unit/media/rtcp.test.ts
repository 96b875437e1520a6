import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { ReceiveStatistics } from '../../../src/media/receive-statistics.js';
import { buildRtcp, ntpTime, parseRtcp, type ReportBlock } from '../../../src/media/rtcp-packet.js';
import { RtcpSession } from '../../../src/media/rtcp-session.js';
import { RtpSender } from '../../../src/media/rtp-sender.js';

const block: ReportBlock = {
  ssrc: 0xcafe,
  fractionLost: 12,
  cumulativeLost: -3,
  highestSequence: 0x1_0010,
  jitter: 44,
  lastSenderReport: 0xabcd_0123,
  delaySinceLastReport: 65_536,
};
const sender = { ntpSeconds: 0x1111_2222, ntpFraction: 0x3333_4444, rtpTimestamp: 160, packets: 5, octets: 800 };

describe('RTCP packets', () => {
  it('writes sender report, CNAME and BYE as one compound packet', () => {
    const packet = buildRtcp({ ssrc: 0x01020304, cname: 'abcd', sender, block, bye: true });
    expect(packet.length % 4).toBe(0);
    // Types and lengths in words, head to tail: SR with one block (RFC 3550 §6.4.1), SDES (§6.5), BYE (§6.6).
    expect([packet[0], packet[1], packet.readUInt16BE(2)]).toEqual([0x81, 200, 12]);
    expect([packet[52], packet[53], packet.readUInt16BE(54)]).toEqual([0x81, 202, 3]);
    expect(packet.toString('latin1', 62, 66)).toBe('abcd');
    expect([...packet.subarray(66, 68)]).toEqual([0, 0]);
    expect([packet[68], packet[69], packet.readUInt16BE(70), packet.readUInt32BE(72)]).toEqual([
      0x81, 203, 1, 0x01020304,
    ]);
  });

  it('reads back sender time, blocks and goodbyes', () => {
    const content = parseRtcp(buildRtcp({ ssrc: 7, cname: 'x', sender, block, bye: true }));
    expect(content).toEqual({ sender: { ssrc: 7, ntpMiddle: 0x2222_3333 }, blocks: [block], byes: [7] });
    const receiverOnly = parseRtcp(buildRtcp({ ssrc: 7, cname: 'x', sender: undefined, block, bye: false }));
    expect(receiverOnly).toEqual({ sender: undefined, blocks: [block], byes: [] });
  });

  it.each([
    ['nothing', []],
    ['four bytes that claim a report', [0x81, 200, 0, 0]],
    ['a length beyond the end', [0x80, 201, 0, 9, 0, 0, 0, 1]],
    ['another version', [0x41, 201, 0, 1, 0, 0, 0, 1]],
    ['more blocks than there is room for', [0x9f, 201, 0, 1, 0, 0, 0, 1]],
    ['more goodbyes than there is room for', [0x9f, 203, 0, 1, 0, 0, 0, 1]],
    ['a sender report without its sender part', [0x80, 200, 0, 1, 0, 0, 0, 1]],
    ['trailing bytes', [0x80, 201, 0, 1, 0, 0, 0, 1, 0x80]],
  ])('refuses %s', (_name, bytes) => {
    expect(parseRtcp(Uint8Array.from(bytes))).toBeUndefined();
  });

  it('puts the Unix epoch where NTP has it', () => {
    expect(ntpTime(0)).toEqual({ seconds: 2_208_988_800, fraction: 0 });
    expect(ntpTime(1500)).toEqual({ seconds: 2_208_988_801, fraction: 0x8000_0000 });
  });
});

describe('receive statistics', () => {
  const receive = (statistics: ReceiveStatistics, sequences: number[], ssrc = 1): void =>
    sequences.forEach((sequence) => statistics.receive(ssrc, sequence & 0xffff, sequence * 160, sequence * 20, true));

  it('counts losses across the wrap of sequence numbers, and late packets as received', () => {
    const statistics = new ReceiveStatistics(8000);
    receive(statistics, [65_533, 65_534, 65_536, 65_537, 65_535, 65_540]);
    expect([statistics.packets, statistics.lost]).toEqual([6, 2]);
    expect(statistics.report(0, 0)).toMatchObject({ cumulativeLost: 2, highestSequence: 65_540, fractionLost: 64 });
    // The next interval begins anew: nothing was expected since.
    expect(statistics.report(0, 0)).toMatchObject({ fractionLost: 0, cumulativeLost: 2 });
  });

  it('keeps what was lost before when the sender changes', () => {
    const statistics = new ReceiveStatistics(8000);
    receive(statistics, [1, 2, 5]);
    receive(statistics, [30_000, 30_001, 30_003], 2);
    expect([statistics.ssrc, statistics.packets, statistics.lost]).toEqual([2, 6, 3]);
  });

  it('measures jitter as RFC 3550 A.8 does', () => {
    const statistics = new ReceiveStatistics(8000);
    expect(statistics.report(0, 0)).toBeUndefined();
    // Every second packet 8 ms late: the transit time changes by 64 ticks each time, which is what the mean tends to.
    for (let i = 0; i < 400; i++) statistics.receive(1, i, i * 160, i * 20 + (i % 2) * 8, true);
    expect(statistics.jitterMs).toBeCloseTo(8, 1);
    const still = new ReceiveStatistics(8000);
    for (let i = 0; i < 100; i++) still.receive(1, i, i * 160, i * 20, true);
    expect(still.jitterMs).toBe(0);
  });

  it('keeps its jitter when the codec, and with it the clock, changes in mid-stream', () => {
    const statistics = new ReceiveStatistics(48_000);
    const receiveAt = (i: number, timestamp: number): void =>
      statistics.receive(1, i, timestamp, i * 20 + (i % 2) * 8, true);
    for (let i = 0; i < 400; i++) receiveAt(i, i * 960);
    const before = statistics.jitterMs;
    statistics.clockRate = 8000;
    expect(statistics.jitterMs).toBeCloseTo(before, 9);
    // Late by as much as ever; the new codec's timestamps begin within a second of the old ones, as ticks of one clock.
    const origin = 400 * 960 - 400 * 160 + 5000;
    for (let i = 400; i < 410; i++) {
      receiveAt(i, origin + i * 160);
      expect(Math.abs(statistics.jitterMs - 8)).toBeLessThan(0.1);
    }
    expect(statistics.report(0, 0)?.jitter).toBeGreaterThanOrEqual(63);
  });

  it('makes nothing of being told its clock again', () => {
    const statistics = new ReceiveStatistics(8000);
    for (let i = 0; i < 400; i++) {
      statistics.clockRate = 8000;
      statistics.receive(1, i, i * 160, i * 20 + (i % 2) * 8, true);
    }
    expect(statistics.jitterMs).toBeCloseTo(8, 1);
  });
});

describe('RTCP session', () => {
  const session = () => {
    const clock = new FakeClock();
    const sent: Buffer[] = [];
    const stream = new RtpSender(0x99, 0, 0, () => undefined);
    const received = new ReceiveStatistics(8000);
    const rtcp = new RtcpSession({
      clock,
      random: () => 0.5,
      cname: 'c',
      sender: stream,
      received,
      send: (datagram) => sent.push(datagram),
    });
    return { clock, sent, stream, received, rtcp };
  };

  it('reports after 2.5 s and every 5 s from then on: RR, or SR when it sent since', () => {
    const { clock, sent, stream, rtcp } = session();
    rtcp.start();
    rtcp.start();
    clock.advance(2499);
    expect(sent).toHaveLength(0);
    clock.advance(1);
    stream.sendAudio(8, new Uint8Array(160), 160);
    clock.advance(5000);
    clock.advance(5000);
    expect(sent.map((packet) => packet[1])).toEqual([201, 200, 201]);
    expect(sent[1]?.readUInt32BE(20)).toBe(1);
    expect(sent[1]?.readUInt32BE(24)).toBe(160);
  });

  it('echoes the time of the last sender report and how long ago it came', () => {
    const { clock, sent, received, rtcp } = session();
    received.receive(0xcafe, 1, 160, 0, true);
    rtcp.start();
    clock.advance(1500);
    expect(rtcp.peer.receive(buildRtcp({ ssrc: 0xcafe, cname: 'p', sender, block: undefined, bye: false }))).toBe(true);
    clock.advance(1000);
    expect(parseRtcp(sent[0]!)?.blocks).toMatchObject([
      { ssrc: 0xcafe, lastSenderReport: 0x2222_3333, delaySinceLastReport: 65_536 },
    ]);
  });

  it('learns what the far end lost of ours, and says goodbye once', () => {
    const { clock, sent, rtcp } = session();
    rtcp.start();
    const about = { ...block, ssrc: 0x99, fractionLost: 64 };
    rtcp.peer.receive(buildRtcp({ ssrc: 1, cname: 'p', sender: undefined, block: about, bye: false }));
    expect(rtcp.peer.fractionLost).toBe(0.25);
    expect(rtcp.peer.receive(Uint8Array.of(1, 2, 3))).toBe(false);
    rtcp.close();
    rtcp.close();
    expect(sent.map((packet) => parseRtcp(packet)?.byes)).toEqual([[0x99]]);
    clock.advance(60_000);
    expect(sent).toHaveLength(1);
    expect(clock.armed).toBe(0);
  });

  it('says nothing to a far end it never knew', () => {
    const { sent, rtcp } = session();
    rtcp.close();
    rtcp.start();
    expect(sent).toHaveLength(0);
  });
});
