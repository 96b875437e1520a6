import { afterEach, describe, expect, it } from 'vitest';
import type { PbxCodec } from '../../src/routing/types.js';
import { tonesIn, type ToneStretch } from '../support/peers/sound.js';
import { listenFor } from '../support/peers/until.js';
import { PbxVoice, type PbxVoiceOptions } from '../support/pbx-voice.js';
import { ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

const userHz = 440;
const pbxHz = 1000;
/** Of the PBX's tone. */
const pbxDb = -9;
/** 10,000 of 32,768, RMS. */
const userDb = 20 * Math.log10(10_000 / 32_768 / Math.SQRT2);
const talkMs = 1_500;
const opusFrameMs = 20;

interface LiveCall {
  readonly user: WrtcPeer;
  readonly pbx: PbxVoice;
  /** What was agreed on, and how long the PBX's packets are to be. */
  readonly ptimeMs: number;
  readonly lengthMs: number;
}

let bridge: ScriptedBridge;
const live: LiveCall[] = [];
afterEach(async () => {
  for (const { user, pbx } of live.splice(0)) {
    user.close();
    pbx.close();
  }
  await bridge.stop();
});

const start = async (codec: PbxCodec): Promise<void> => {
  bridge = await ScriptedBridge.start({ trunk: `codecs: [${codec}]` });
};

const portOf = (sdp: string): number => Number(/m=audio (\d+)/.exec(sdp)?.[1]);
const lengthIn = (sdp: string): number => Number(/a=ptime:(\d+)/.exec(sdp)?.[1]);

/** Both speak from now on. */
function talk(user: WrtcPeer, pbx: PbxVoice, port: number, ptimeMs: number): void {
  live.push({ user, pbx, ptimeMs, lengthMs: pbx.codec === 'opus' ? opusFrameMs : ptimeMs });
  user.play();
  pbx.speak(port, pbxHz);
}

/** The PBX answers with packets of its own length. */
async function userCalls(id: string, options: PbxVoiceOptions, agreedMs = options.ptimeMs): Promise<void> {
  const [user, pbx] = [new WrtcPeer(userHz), await PbxVoice.open(options)];
  const before = bridge.graph.seen.length;
  expect(await bridge.deliver(bridge.userConnect(id, await user.offer()))).toBe(200);
  const invite = await bridge.pbx.request('INVITE');
  bridge.pbx.reply(invite, 200, 'OK', { toTag: id, body: pbx.sdp });
  await bridge.pbx.request('ACK');
  await until(() => bridge.graph.seen.length >= before + 2, 'accept', 10_000);
  const { sdp } = bridge.session(before);
  await user.accept(sdp);
  await user.reaches('connected');
  talk(user, pbx, portOf(invite.body), agreedMs);
}

/** The PBX offers packets of its own length. */
async function pbxCalls(options: PbxVoiceOptions, agreedMs = options.ptimeMs): Promise<void> {
  const [user, pbx] = [new WrtcPeer(userHz), await PbxVoice.open(options)];
  const before = bridge.graph.seen.length;
  // Each call is to another user.
  const invite = bridge.pbxCalls({ user: `+${BigInt(USER) + BigInt(live.length)}`, body: pbx.sdp });
  await until(() => bridge.graph.seen.length > before, 'connect', 10_000);
  const { sdp } = bridge.session(before);
  // The double numbers its calls.
  const id = `wacid.double-${live.length + 1}`;
  await bridge.deliver(bridge.status(id, 'RINGING'));
  await bridge.deliver(bridge.businessConnect(id, await user.answer(sdp)));
  await user.reaches('connected');
  await bridge.deliver(bridge.status(id, 'ACCEPTED'));
  const answer = await bridge.pbx.response(200, 'INVITE');
  bridge.pbx.send(bridge.pbx.inDialog('ACK', invite, answer, { cseq: 1 }), bridge.sip);
  expect(lengthIn(answer.body)).toBe(agreedMs);
  talk(user, pbx, portOf(answer.body), agreedMs);
}

/** All calls that are up are judged at both ends: tone, level, length of packets. */
async function expectAllHeard(withinDb: (ptimeMs: number) => number): Promise<void> {
  // The first second of a stream is stretched by libwebrtc until its buffer is as it wants it.
  const isHeard = ({ user, pbx }: LiveCall): boolean =>
    tonesIn(soundAt(user), [pbxHz]).length > 0 && tonesIn(pbx.heard(), [userHz]).length > 0;
  for (let looks = 0; looks < 10; looks++) {
    await listenFor(1_000);
    if (live.every(isHeard)) break;
  }
  for (const { user, pbx } of live) {
    user.forget();
    pbx.forget();
  }
  await listenFor(talkMs);
  const heard = live.map(({ user, pbx, ptimeMs, lengthMs }) => ({
    ptimeMs,
    lengthMs,
    atUser: tonesIn(soundAt(user), [pbxHz])[0],
    atPbx: tonesIn(pbx.heard(), [userHz])[0],
    lengths: [...new Set(pbx.packetLengthsMs)],
    packets: pbx.audio.length,
  }));
  const told = JSON.stringify(heard);
  for (const { ptimeMs, lengthMs, atUser, atPbx, lengths, packets } of heard) {
    expectTone(atUser, pbxDb, withinDb(ptimeMs), told);
    expectTone(atPbx, userDb, withinDb(ptimeMs), told);
    expect(lengths, told).toEqual([lengthMs]);
    expect(Math.abs(packets * lengthMs - talkMs), told).toBeLessThan(300);
  }
}

function expectTone(tone: ToneStretch | undefined, levelDb: number, withinDb: number, told: string): void {
  expect(Math.abs((tone?.levelDb ?? -Infinity) - levelDb), told).toBeLessThan(withinDb);
  // Holes are the machine's: it has all ends of all calls.
  expect(tone?.durationMs, told).toBeGreaterThan(talkMs * 0.6);
}

function soundAt({ heard: { samples, sampleRate } }: WrtcPeer) {
  return { rateHz: sampleRate, samples: Float64Array.from(samples, (value) => value / 32_768) };
}

/** Level may change by so many dB: what is transcoded by 3, Opus frames as long as Meta's, which are handed on as they are, by 1. */
const withinDbOf = (codec: PbxCodec) => (ptimeMs: number) => (codec === 'opus' && ptimeMs === opusFrameMs ? 1 : 3);

// A few calls at a time. Opus has no frames of 30 ms; whatever the PBX sends, it gets frames as long as Meta's.
describe('packets of another length than 20 ms, libwebrtc on the other side, are what the PBX says and gets', () => {
  it.each<[PbxCodec, number[]]>([
    ['PCMA', [10, 20, 30]],
    ['PCMA', [40, 60]],
    ['PCMU', [10, 60]],
    ['G722', [10, 30, 60]],
    ['opus', [10, 20, 60]],
  ])('in calls of users: %s, %j ms', async (codec, ptimes) => {
    await start(codec);
    for (const ptimeMs of ptimes) await userCalls(`wacid.${ptimeMs}`, { codec, ptimeMs });
    await expectAllHeard(withinDbOf(codec));
  });

  it.each<[PbxCodec, number[]]>([
    ['PCMA', [10, 20, 30]],
    ['PCMA', [40, 60]],
    ['PCMU', [30, 40]],
    ['G722', [20, 40]],
    ['opus', [20, 40]],
  ])('in calls of the PBX: %s, %j ms', async (codec, ptimes) => {
    await start(codec);
    for (const ptimeMs of ptimes) await pbxCalls({ codec, ptimeMs });
    await expectAllHeard(withinDbOf(codec));
  });
});

describe('a longest packet that the PBX takes', () => {
  it('bounds what it gets, whatever it sends', async () => {
    await start('PCMA');
    await userCalls('wacid.a', { codec: 'PCMA', ptimeMs: 60, lines: ['a=maxptime:40'] }, 40);
    await userCalls('wacid.b', { codec: 'PCMA', ptimeMs: 30, lines: ['a=maxptime:10'] }, 10);
    await userCalls('wacid.c', { codec: 'PCMA', ptimeMs: 20, lines: ['a=maxptime:150'] });
    await expectAllHeard(withinDbOf('PCMA'));
  });
});
