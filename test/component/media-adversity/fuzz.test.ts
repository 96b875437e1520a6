import { setTimeout as after } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildRtcp } from '../../../src/media/rtcp-packet.js';
import { writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { attackersHome } from '../../support/media/attacker.js';
import { CallFleet } from '../../support/media/call-fleet.js';
import { pbxSsrc, peerSsrc, type FleetCall } from '../../support/media/fleet-call.js';
import { pbxFrames, userTone } from '../../support/media/fleet-tones.js';
import {
  clientHellos,
  lateRecords,
  plaintextAlerts,
  rtcpBye,
  stunCheck,
} from '../../support/media/hostile-datagrams.js';
import { mutatedPacket } from '../../support/media/packet-mutations.js';
import { runsOf } from '../../support/runs.js';
import { boundSocket } from '../../support/udp-relay.js';
import { Dice } from '../../support/dice.js';

/** In full: 13 kinds of 15,400 packets each, 200,200 in all (SIP2WA_RUNS=50). */
const { runs: packets, timeoutMs } = runsOf(308, 20_000);
const isFull = packets > 10_000;
/** So many at once fit into a socket's buffer. */
const burst = 32;
const talkMs = 400;

/** What is mutated, made for a call; and how it is sent. */
interface Fuzz {
  readonly samples: (call: FleetCall) => readonly Buffer[];
  readonly send: (call: FleetCall, packet: Buffer, stranger: Stranger) => unknown;
  /** What was understood of it changes what follows: digits take the place of audio, Opus in odd lengths is coded anew from then on. */
  readonly changesPath?: boolean;
}

/** A stream of its own: one that jumps to and fro in its numbers under one key cannot be followed by anybody (RFC 3711 §3.3.1). */
const fuzzSsrc = 4711;
const isOfTalk = (packet: Buffer, ssrc: number): boolean => packet.length >= 12 && packet.readUInt32BE(8) === ssrc;

type Stranger = (datagram: Buffer, port: number) => void;

function rtp(payloadType: number, payload: Uint8Array, ssrc: number, number = 500): Buffer {
  const packet = Buffer.alloc(12 + payload.length);
  writeRtpHeader(packet, payloadType, false, number, number * 960, ssrc);
  packet.set(payload, 12);
  return packet;
}
const reports = (ssrc: number): Buffer[] => {
  const sender = { ntpSeconds: 1, ntpFraction: 2, rtpTimestamp: 3, packets: 4, octets: 5 };
  const block = { ssrc: 7, fractionLost: 1, cumulativeLost: 2, highestSequence: 3, jitter: 4 };
  const times = { lastSenderReport: 5, delaySinceLastReport: 6 };
  return [
    buildRtcp({ ssrc, cname: 'peer', sender, block: { ...block, ...times }, bye: true }),
    buildRtcp({ ssrc, cname: 'peer', sender: undefined, block: { ...block, ...times }, bye: false }),
    rtcpBye(ssrc),
  ];
};
const withExtension = (packet: Buffer): Buffer => {
  const copy = Buffer.concat([
    packet.subarray(0, 12),
    Buffer.of(0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0),
    packet.subarray(12),
  ]);
  copy[0] = 0x90;
  return copy;
};
const events = (durations: readonly number[]): Buffer[] =>
  durations.map((ticks) => Buffer.of(5, ticks > 800 ? 0x8a : 0x0a, ticks >> 8, ticks & 0xff));
const dtmf = events([160, 320, 480, 960, 1920]);
const opusFrames = userTone.slice(0, 8).map((frame) => Buffer.from(frame));
const user = ({ peer: { credentials } }: FleetCall): string => `${credentials.remote}:${credentials.local}`;
const stun = (call: FleetCall): Buffer[] => [
  stunCheck(user(call)),
  stunCheck(user(call), call.peer.credentials.remotePassword),
  Buffer.concat([Buffer.of(1, 1), stunCheck(user(call), call.peer.credentials.localPassword).subarray(2)]),
];
const records = (): Buffer[] => [...clientHellos.map((make) => make()), ...plaintextAlerts, ...lateRecords];
const userRtp = [
  ...opusFrames.map((frame) => rtp(111, frame, fuzzSsrc)),
  ...dtmf.map((event) => rtp(126, event, fuzzSsrc)),
];
const pbxType = ({ codec }: FleetCall): number => (codec === 'opus' ? 111 : 8);
const pbxAudio = (call: FleetCall): readonly Buffer[] =>
  call.codec === 'opus' ? opusFrames : pbxFrames.slice(0, 4).map((frame) => Buffer.from(frame));

let count = 0;
const kinds: Record<string, Fuzz> = {
  'STUN of the peer': { samples: stun, send: ({ peer }, packet) => peer.sendDatagram(packet) },
  'DTLS records of the peer': { samples: records, send: ({ peer }, packet) => peer.sendDatagram(packet) },
  'SRTP damaged on the way': { samples: ({ lately }) => lately, send: ({ peer }, packet) => peer.sendDatagram(packet) },
  'SRTCP damaged on the way': {
    samples: ({ sealedReports }) => sealedReports,
    send: ({ peer }, packet) => peer.sendDatagram(packet),
  },
  'RTCP under the keys of the call': {
    samples: () => reports(peerSsrc),
    send: ({ peer }, packet) =>
      void peer.sendRtcp(packet.length < 8 ? Buffer.concat([packet, Buffer.alloc(8)]) : packet),
  },
  'Opus under the keys of the call': {
    samples: () => opusFrames,
    send: ({ peer }, packet) => peer.sendSealed(rtp(111, packet, 77, count++ & 0xffff)),
  },
  'RTCP of the PBX': {
    samples: () => reports(pbxSsrc),
    send: ({ pbx, rtpPort }, packet) => pbx.sendRtcp(rtpPort + (packet.length & 1), packet),
  },
  'anything of a stranger': {
    samples: (call) => [
      ...stun(call),
      ...records(),
      ...call.lately,
      ...call.sealedReports,
      ...userRtp,
      ...reports(pbxSsrc),
    ],
    send: ({ webrtcPort, rtpPort }, packet, stranger) => {
      stranger(packet, [webrtcPort, rtpPort, rtpPort + 1][count++ % 3] ?? 0);
    },
  },
  'audio of the PBX': {
    samples: pbxAudio,
    send: (call, packet) => call.pbx.sendRaw(call.rtpPort, rtp(pbxType(call), packet, 78, count++ & 0xffff)),
    changesPath: true,
  },
  'RTP under the keys of the call': {
    samples: () => [...userRtp, ...userRtp.map(withExtension)],
    send: ({ peer }, packet) => isOfTalk(packet, peerSsrc) || peer.sendSealed(packet),
    changesPath: true,
  },
  'RTP of the PBX': {
    samples: (call) =>
      pbxAudio(call).flatMap((frame) => [
        rtp(pbxType(call), frame, fuzzSsrc),
        withExtension(rtp(101, frame, fuzzSsrc)),
      ]),
    send: ({ pbx, rtpPort }, packet) => isOfTalk(packet, pbxSsrc) || pbx.sendRaw(rtpPort, packet),
    changesPath: true,
  },
  'digits under the keys of the call': {
    samples: () => dtmf,
    send: ({ peer }, packet) => peer.sendSealed(rtp(126, packet, 79, count++ & 0xffff)),
    changesPath: true,
  },
  'digits of the PBX': {
    samples: () => dtmf,
    send: ({ pbx, rtpPort }, packet) => pbx.sendRaw(rtpPort, rtp(101, packet, 79, count++ & 0xffff)),
    changesPath: true,
  },
};

describe(`four calls and ${packets} mutated packets of each kind`, () => {
  let fleet: CallFleet;
  beforeAll(async () => {
    fleet = await CallFleet.open({ calls: 4 });
    // What was said can be damaged.
    await fleet.talk(talkMs);
  }, timeoutMs);
  afterAll(() => fleet.close());

  it.each(Object.keys(kinds))(
    '%s: no exception, no call lost, and every call goes on',
    async (name) => {
      const { samples, send, changesPath } = kinds[name]!;
      const seed = Number(process.env['SIP2WA_SEED'] ?? 42);
      const dice = new Dice(seed);
      const attacker = await boundSocket(attackersHome);
      let leaked = 0;
      attacker.on('message', () => leaked++);
      const ofCall = fleet.calls.map((call) => samples(call).map((sample) => Buffer.from(sample)));
      for (let sent = 0; sent < packets; sent++) {
        const at = sent % fleet.calls.length;
        send(fleet.calls[at]!, mutatedPacket(ofCall[at]!, dice), (datagram, port) =>
          attacker.send(datagram, port, '127.0.0.1'),
        );
        if (sent % burst === burst - 1) await after(1);
      }
      // What the packets made anybody believe of the stream has to pass.
      await fleet.talk(talkMs);
      const counts = await fleet.talk(talkMs);
      attacker.close();
      // Mutated digits are as many as no finger presses, and that is said.
      const faults = fleet.logger.lines.filter(
        ({ level, message }) =>
          (level === 'error' || level === 'warn') && !message.includes('came faster than they can be played'),
      );
      const told = JSON.stringify({ name, seed, packets, leaked, ...counts, faults: faults.length });
      if (isFull) process.stdout.write(`${told}\n`);
      expect(
        faults.map(({ message, fields }) => [message, String(fields['err'])]),
        told,
      ).toEqual([]);
      const { dropped, deaf, lost, lostThrough } = counts;
      expect({ dropped, deaf, lost, leaked }, told).toEqual({ dropped: [], deaf: 0, lost: 0, leaked: 0 });
      if (!changesPath) expect(lostThrough, told).toBe(0);
      expect(fleet.dtlsClosed, told).toBe(0);
    },
    timeoutMs,
  );
});
