import { afterEach, beforeEach, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import { runsOf } from '../../support/runs.js';
import { SipPhone } from '../../support/sip-phone.js';
import { until } from '../../support/until.js';
import { Dice } from '../../support/dice.js';
import { UNANSWERED, type HostileScene } from './hostile-scene.js';

const SEED = 487;
/** Each direction; SIP2WA_RUNS=10 makes 500. */
const { runs, timeoutMs } = runsOf(50, 40_000);
const GONE_WITHIN_MS = 1000;
const HANGUP = endReason('hangup');

/** A few turns of the event loop, or up to 3 ms: so that now one, now the other is first, or both are on the wire. */
async function moment(dice: Dice): Promise<void> {
  if (dice.next() < 0.2) return new Promise((resolve) => setTimeout(resolve, dice.int(4)));
  for (let turns = dice.int(8); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
}

/** Tests: CANCEL and 200 cross, each way, before a scene of this kind. */
export function crossings(start: () => Promise<HostileScene>): void {
  let scene: HostileScene;
  let phone: SipPhone;
  beforeEach(async () => {
    scene = await start();
    phone = await SipPhone.open({ t1Ms: 500, t2Ms: 4000 });
  });
  afterEach(async () => {
    phone.close();
    await scene.stop();
  });

  /** No dialog, no request and no leg on our side; on theirs nothing up and nothing repeated: each 200 was acknowledged. */
  const isOver = (): boolean => {
    const { dialogs, pending } = scene.server.counts();
    return dialogs + pending + scene.agent.legs + phone.live + phone.waiting === 0;
  };

  it(
    'when the caller gives up while we answer: no ghost on either side',
    async () => {
      const dice = new Dice(SEED);
      const outcomes = { answered: 0, cancelled: 0 };
      for (let n = 0; n < runs; n++) {
        const call = phone.call(scene.uri(UNANSWERED), scene.at);
        await until(() => call.ringing && scene.legs.length === n + 1, 'ringing');
        const answer = moment(dice).then(() => scene.legs[n]?.answer?.());
        const giveUp = moment(dice).then(() => phone.cancel(call));
        await Promise.all([answer, giveUp]);
        await until(isOver, `end of crossing ${n}`, GONE_WITHIN_MS);
        outcomes[call.finalStatus === 200 ? 'answered' : 'cancelled']++;
        expect([200, 487]).toContain(call.finalStatus);
      }
      // It has to have gone both ways to be a test of the crossing.
      expect(Math.min(outcomes.answered, outcomes.cancelled), JSON.stringify(outcomes)).toBeGreaterThan(runs / 20);
      for (const { log } of scene.legs) expect(log.types.filter((type) => type === 'terminated')).toHaveLength(1);
      await scene.quiet();
      expect(scene.faults).toEqual([]);
    },
    timeoutMs,
  );

  it(
    'when we give up while the telephone answers: no ghost on either side',
    async () => {
      const dice = new Dice(SEED);
      const outcomes = { answered: 0, cancelled: 0 };
      phone.onCall = () => undefined;
      for (let n = 0; n < runs; n++) {
        const { leg, log } = scene.dial({ transport: 'udp', host: '127.0.0.1', port: phone.port });
        await log.saw('progress');
        const call = [...phone.calls.values()].at(-1);
        if (!call) throw new Error('no call');
        const answer = moment(dice).then(() => phone.answer(call));
        const giveUp = moment(dice).then(() => leg.hangup(HANGUP));
        await Promise.all([answer, giveUp]);
        await until(isOver, `end of crossing ${n}`, GONE_WITHIN_MS);
        // A 200 that was sent was acknowledged and hung up; an INVITE that was cancelled got its ACK too.
        expect([call.state, call.acknowledged]).toEqual([call.answered ? 'ended' : 'refused', true]);
        outcomes[call.answered ? 'answered' : 'cancelled']++;
      }
      expect(Math.min(outcomes.answered, outcomes.cancelled), JSON.stringify(outcomes)).toBeGreaterThan(runs / 20);
      for (const { log } of scene.legs) expect(log.types.filter((type) => type === 'terminated')).toHaveLength(1);
      await scene.quiet();
      expect(scene.faults).toEqual([]);
    },
    timeoutMs,
  );
}
