import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { LegLog } from '../../support/leg-log.js';
import { runsOf } from '../../support/runs.js';
import { SipPhone, type PhoneCall } from '../../support/sip-phone.js';
import { UdpRelay, type RelayRule } from '../../support/udp-relay.js';
import { until } from '../../support/until.js';
import { Dice } from '../../support/dice.js';
import { HostileScene } from './hostile-scene.js';

const HANGUP = endReason('hangup');
/** With this one four of our first fifteen INVITEs are lost: also in a short run it shows whether they are repeated. */
const SEED = 3261;
const LOSS = 0.1;
const REPEATED = 0.05;
const DELAYED = 0.05;
/** Everything of RFC 3261 §17, ten times as fast. */
const TIMERS = { t1Ms: 50, t2Ms: 400, t4Ms: 500, timerAExtraMs: 5 };
const LIFE_MS = 64 * TIMERS.t1Ms;
/** Each direction; SIP2WA_RUNS=10 makes 300. */
const { runs, timeoutMs } = runsOf(30, 60_000);
const AT_ONCE = 15;

/** Each datagram, either way, may be lost, doubled, or overtaken by the next ones. */
function lossy(dice: Dice): RelayRule & { lost: number } {
  const rule = (): readonly number[] => {
    const fate = dice.next();
    if (fate < LOSS) {
      counted.lost++;
      return [];
    }
    if (fate < LOSS + REPEATED) return [0, dice.int(30)];
    return fate < LOSS + REPEATED + DELAYED ? [5 + dice.int(40)] : [0];
  };
  const counted = Object.assign(rule, { lost: 0 });
  return counted;
}

let scene: HostileScene;
let phones: SipPhone[];
let relays: UdpRelay[];
beforeEach(async () => {
  scene = await HostileScene.start({ timers: TIMERS });
  phones = [];
  relays = [];
});
afterEach(async () => {
  for (const phone of phones) phone.close();
  for (const relay of relays) relay.close();
  await scene.stop();
});

async function phone(): Promise<SipPhone> {
  const one = await SipPhone.open(TIMERS);
  phones.push(one);
  return one;
}

async function relay(to: number, rule: RelayRule): Promise<UdpRelay> {
  const one = await UdpRelay.to(to, rule);
  relays.push(one);
  return one;
}

/** Half of the calls are hung up by the telephone, half by us. */
async function end(handset: SipPhone, call: PhoneCall, log: LegLog, byUs: () => void, n: number): Promise<void> {
  if (n % 2 === 0) handset.hangUp(call);
  else byUs();
  await until(() => call.state === 'ended' && log.types.includes('terminated'), `end of call ${n}`, 2 * LIFE_MS);
}

async function inbound(n: number, rule: RelayRule): Promise<void> {
  const handset = await phone();
  const front = await relay(scene.at.port, rule);
  const user = `in${n}`;
  const before = new Set(scene.legs);
  const call = handset.call(scene.uri(user), { host: '127.0.0.1', port: front.port });
  await until(() => call.state !== 'calling', `answer to call ${n}`, 2 * LIFE_MS);
  expect(call.finalStatus).toBe(200);
  const ours = (): (typeof scene.legs)[number] | undefined =>
    scene.legs.find((it) => !before.has(it) && it.leg.facts['sipCallId'] === call.callId);
  await until(() => ours()?.log.types.includes('confirmed') === true, `ACK of call ${n}`, 2 * LIFE_MS);
  const arrived = ours();
  if (!arrived) throw new Error('no leg');
  await end(handset, call, arrived.log, () => arrived.leg.hangup(HANGUP), n);
}

async function outbound(n: number, rule: RelayRule): Promise<void> {
  const handset = await phone();
  const front = await relay(handset.port, rule);
  const dialled = scene.dial({ transport: 'udp', host: '127.0.0.1', port: front.port });
  await dialled.log.saw('answered', 2 * LIFE_MS);
  await until(() => handset.calls.size === 1, 'call at the telephone');
  const [call] = handset.calls.values();
  if (!call) throw new Error('no call');
  await until(() => call.acknowledged, `ACK of call ${n}`, 2 * LIFE_MS);
  await end(handset, call, dialled.log, () => dialled.leg.hangup(HANGUP), n);
}

async function series(one: (n: number, rule: RelayRule) => Promise<void>): Promise<number> {
  const rule = lossy(new Dice(SEED));
  const failed: unknown[] = [];
  for (let first = 0; first < runs; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, runs - first) }, (_, i) => first + i);
    await Promise.all(numbers.map((n) => one(n, rule).catch((err: unknown) => failed.push(err))));
  }
  expect(failed, `${failed.length} of ${runs} calls failed`).toEqual([]);
  return rule.lost;
}

describe(`on a path that loses one datagram in ten, doubles and delays one in twenty, ${runs} calls of ${runs}`, () => {
  it.each([
    ['from a telephone', inbound],
    ['to a telephone', outbound],
  ])(
    '%s are set up and ended, and leave nothing behind',
    async (_direction, one) => {
      const lost = await series(one);
      expect(lost).toBeGreaterThan(runs / 2);
      for (const handset of phones) expect(handset.live).toBe(0);
      for (const { log } of scene.legs) expect(log.types.filter((type) => type === 'terminated')).toHaveLength(1);
      expect(scene.legs).toHaveLength(runs);
      await scene.quiet(LIFE_MS);
      expect(scene.faults).toEqual([]);
    },
    timeoutMs,
  );
});
