import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { writeRtpHeader } from '../../../src/media/rtp-packet.js';
import { RtpSourceLock } from '../../../src/media/rtp-source-lock.js';
import { SourceGuard } from '../../../src/media/source-guard.js';
import { ReplayWindow } from '../../../src/media/srtp/replay-window.js';
import { SrtpReceiver } from '../../../src/media/srtp/srtp-receiver.js';
import { ReplayFilter } from '../../../src/media/webrtc-replay.js';
import { Attacker, type Shoot } from '../../support/media/attacker.js';
import { CallFleet, type FleetCounts } from '../../support/media/call-fleet.js';
import { pbxSsrc, peerSsrc, type FleetCall } from '../../support/media/fleet-call.js';
import {
  clientHellos,
  forgedSrtcpBye,
  plaintextAlerts,
  rtcpBye,
  stunCheck,
} from '../../support/media/hostile-datagrams.js';
import { runsOf } from '../../support/runs.js';

/** In full: 20 calls, a minute of each attack (SIP2WA_RUNS=60). */
const { runs: seconds, timeoutMs } = runsOf(1, 20_000);
const isFull = seconds >= 60;
const callCount = isFull ? 20 : 4;
const packetsPerSecond = 1000;

/** Index and tag of SHA1_80 (RFC 3711 §3.4). */
const srtcpTrailerBytes = 14;

/** One datagram against a call, sent by a stranger or with the forged address of the call's own peer. */
interface Attack {
  readonly shot: (call: FleetCall, shot: number, sender: Sender) => void;
  /** Takes away what defends against it. */
  readonly unguard: () => void;
}

interface Sender {
  readonly stranger: (datagram: Buffer, port: number) => void;
}

const pick = <T>(all: readonly T[], shot: number): T => all[shot % all.length]!;
const noGuard = (): void => {
  vi.spyOn(SourceGuard.prototype, 'admits').mockReturnValue(true);
  vi.spyOn(SourceGuard.prototype, 'maySendTo').mockReturnValue(true);
};
const noReplayList = (): void => {
  noGuard();
  vi.spyOn(ReplayFilter.prototype, 'accepts').mockReturnValue(true);
  vi.spyOn(ReplayWindow.prototype, 'isNew').mockReturnValue(true);
};
const noSourceLock = (): void => {
  vi.spyOn(RtpSourceLock.prototype, 'admitsRtp').mockReturnValue(true);
  vi.spyOn(RtpSourceLock.prototype, 'admitsRtcp').mockReturnValue(true);
};
/** RTCP is believed on the WhatsApp side for nothing but its SRTCP tag. */
const noSrtcpTag = (): void => {
  noGuard();
  const withoutTag = (datagram: Buffer): Buffer => datagram.subarray(0, -srtcpTrailerBytes);
  vi.spyOn(SrtpReceiver.prototype, 'openRtcp').mockImplementation(withoutTag);
};

const userOf = ({ peer: { credentials } }: FleetCall): string => `${credentials.remote}:${credentials.local}`;
/** Good speech in the PBX's own stream, a little ahead of it. */
function injectedRtp(call: FleetCall, shot: number): Buffer {
  const datagram = Buffer.alloc(172, 0x2a);
  writeRtpHeader(datagram, call.codec === 'opus' ? 111 : 8, false, call.nextNumber + (shot % 8), shot * 160, pbxSsrc);
  return datagram;
}

const attacks: Record<string, Attack> = {
  'STUN without MESSAGE-INTEGRITY': {
    shot: (call, _, { stranger }) => stranger(stunCheck(userOf(call)), call.webrtcPort),
    unguard: noGuard,
  },
  'STUN with a wrong MESSAGE-INTEGRITY': {
    shot: (call, _, { stranger }) => stranger(stunCheck(userOf(call), 'guessed-and-wrong'), call.webrtcPort),
    unguard: noGuard,
  },
  'STUN signed with the password of the SDP, from elsewhere': {
    shot: (call, _, { stranger }) =>
      stranger(stunCheck(userOf(call), call.peer.credentials.remotePassword), call.webrtcPort),
    unguard: noGuard,
  },
  'DTLS ClientHello': {
    shot: (call, shot, { stranger }) => stranger(pick(clientHellos, shot)(), call.webrtcPort),
    unguard: noGuard,
  },
  'DTLS ClientHello with the address of the peer': {
    shot: (call, shot) => call.peer.sendDatagram(pick(clientHellos, shot)()),
    unguard: noGuard,
  },
  'plaintext alerts': {
    shot: (call, shot, { stranger }) => stranger(pick(plaintextAlerts, shot), call.webrtcPort),
    unguard: noGuard,
  },
  'plaintext alerts with the address of the peer': {
    shot: (call, shot) => call.peer.sendDatagram(pick(plaintextAlerts, shot)),
    unguard: noGuard,
  },
  'SRTP replay': {
    shot: (call, shot, { stranger }) => {
      if (call.lately.length > 0) stranger(pick(call.lately, shot), call.webrtcPort);
    },
    unguard: noReplayList,
  },
  'SRTP replay with the address of the peer': {
    shot: (call, shot) => {
      if (call.lately.length > 0) call.peer.sendDatagram(pick(call.lately, shot));
    },
    unguard: noReplayList,
  },
  'RTP injection on the side of the PBX': {
    shot: (call, shot, { stranger }) => stranger(injectedRtp(call, shot), call.rtpPort),
    unguard: noSourceLock,
  },
  'RTCP BYE forged on the side of the PBX': {
    shot: (call, shot, { stranger }) => stranger(rtcpBye(pbxSsrc), call.rtpPort + (shot % 2)),
    unguard: noSourceLock,
  },
  'RTCP BYE forged on the side of WhatsApp': {
    shot: (call, shot, { stranger }) => stranger(pick([rtcpBye, forgedSrtcpBye], shot)(peerSsrc), call.webrtcPort),
    unguard: noSrtcpTag,
  },
  'RTCP BYE forged on the side of WhatsApp, with the address of the peer': {
    shot: (call, shot) => call.peer.sendDatagram(pick([rtcpBye, forgedSrtcpBye], shot)(peerSsrc)),
    unguard: noSrtcpTag,
  },
};

/** What an attack did. */
interface Outcome extends FleetCounts {
  readonly shots: number;
  /** Packets that the attacker got. */
  readonly leaked: number;
  /** Calls whose DTLS a stranger closed. */
  readonly dtlsClosed: number;
}

async function underAttack(fleet: CallFleet, attack: Attack, ms: number): Promise<Outcome> {
  let shot = 0;
  const shoot: Shoot = (_, stranger) => {
    attack.shot(pick(fleet.calls, shot), Math.floor(shot / fleet.calls.length), { stranger });
    shot++;
  };
  const attacker = await Attacker.open(shoot, packetsPerSecond);
  try {
    const counts = await fleet.talk(ms, attacker);
    return { ...counts, shots: attacker.shots, leaked: attacker.received, dtlsClosed: fleet.dtlsClosed };
  } finally {
    attacker.close();
  }
}

const shareLost = ({ said, lost, lostThrough, lostOut }: FleetCounts): number => (lost + lostThrough + lostOut) / said;

describe(`${callCount} calls, ${packetsPerSecond} packets a second for ${seconds} s`, () => {
  let fleet: CallFleet;
  let quiet: FleetCounts;
  beforeAll(async () => {
    fleet = await CallFleet.open({ calls: callCount });
    quiet = await fleet.talk(seconds * 1000);
  }, timeoutMs * 2);
  afterAll(() => fleet.close());

  it.each(Object.keys(attacks))(
    '%s: no call lost, no packet lost, injected or reflected',
    async (name) => {
      const outcome = await underAttack(fleet, attacks[name]!, seconds * 1000);
      const told = JSON.stringify({ name, ...outcome, quiet });
      if (isFull) process.stdout.write(`${told}\n`);
      const { dropped, deaf, leaked, injected, dtlsClosed } = outcome;
      expect({ dropped, deaf, leaked, injected, dtlsClosed }, told).toEqual({
        ...{ dropped: [], deaf: 0, leaked: 0, injected: 0, dtlsClosed: 0 },
      });
      // Two packets are more than a thousandth in a run as short as the usual one.
      expect(shareLost(outcome) - shareLost(quiet), told).toBeLessThanOrEqual(Math.max(0.001, 2 / outcome.said));
      expect(outcome.shots).toBeGreaterThan(seconds * packetsPerSecond * 0.9);
    },
    timeoutMs,
  );
});

describe('the same attacks with the guard taken away, which prove that they are any', () => {
  let fleet: CallFleet;
  afterEach(async () => {
    vi.restoreAllMocks();
    await fleet.close();
  });

  it.each(Object.keys(attacks))('%s: a call is lost or harmed, or a packet injected or reflected', async (name) => {
    fleet = await CallFleet.open({ calls: 4 });
    // Some packets that can be repeated.
    await fleet.talk(200);
    attacks[name]!.unguard();
    const outcome = await underAttack(fleet, attacks[name]!, 500);
    const { dropped, deaf, leaked, injected, dtlsClosed } = outcome;
    expect(dropped.length + deaf + leaked + injected + dtlsClosed, JSON.stringify(outcome)).toBeGreaterThan(0);
  });
});
