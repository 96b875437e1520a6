import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import { runsOf } from '../../support/runs.js';
import { mutateSip } from '../../support/sip-mutations.js';
import { SipScriptPeer } from '../../support/sip-script-peer.js';
import { Dice } from '../../support/dice.js';
import { Attacker } from './attack.js';
import { Bystander, TwofoldMedia } from './bystanders.js';
import { HostileScene } from './hostile-scene.js';

/** Each names its messages for good. */
const SEEDS = [4475, 3261, 1, 20_261_122, 0xdead_beef];
/** Per seed; SIP2WA_RUNS=50 makes 40,000 in all. */
const { runs, timeoutMs } = runsOf(160, 60_000);
/** So many messages see the same live dialogs. */
const PER_DIALOG = 40;
const FAST = { t1Ms: 20, t2Ms: 80, t4Ms: 100, timerAExtraMs: 5 };
const MEGABYTE = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function heapMegabytes(): number {
  collect();
  return process.memoryUsage().heapUsed / MEGABYTE;
}

let scene: HostileScene;
afterEach(() => scene.stop());

/** Answered when all that was sent before has been dealt with: the server takes messages in order. */
async function caughtUp(): Promise<void> {
  const peer = await SipScriptPeer.udp();
  const text = peer.newRequest('OPTIONS', scene.uri());
  const again = setInterval(() => peer.send(text, scene.at), 500);
  peer.send(text, scene.at);
  await peer.response(200, 'OPTIONS', 10_000).finally(() => clearInterval(again));
  await peer.stop();
}

async function attack(seed: number, dialogs: number, bystanders: readonly Bystander[]): Promise<number> {
  const dice = new Dice(seed);
  let sent = 0;
  for (let dialog = 0; dialog < dialogs; dialog++) {
    const attacker = await Attacker.open(scene, dialog % 2 === 0 ? 'udp' : 'tcp');
    for (let count = 0; count < PER_DIALOG; count++, sent++) {
      // A stream that was cut is opened again, with new dialogs on it.
      if (!attacker.isOpen) await attacker.renew();
      attacker.send(mutateSip(attacker.say(dice), dice));
      if (count % 10 === 9) await caughtUp();
    }
    scene.hangUpAll(bystanders.flatMap(({ legs }) => legs));
    for (const bystander of bystanders) await bystander.isWell();
    await attacker.stop();
  }
  return sent;
}

it(
  `${SEEDS.length * runs} mutated messages in and around live dialogs harm no other call, and leave nothing behind`,
  async () => {
    const media = new TwofoldMedia();
    scene = await HostileScene.start({ timers: FAST, media });
    const bystanders = [await Bystander.up(scene, media, 'udp'), await Bystander.up(scene, media, 'tcp')];
    media.isReal = false;
    const heaps: number[] = [];
    let sent = 0;
    for (const seed of SEEDS) {
      sent += await attack(seed, Math.ceil(runs / PER_DIALOG), bystanders);
      expect(await scene.cleanCall(), `clean call after seed ${seed}`).toBeLessThan(1000);
      expect(scene.faults, `seed ${seed}`).toEqual([]);
      media.fake.endpoints.splice(0);
      heaps.push(heapMegabytes());
    }
    expect(sent).toBeGreaterThanOrEqual(SEEDS.length * runs);
    for (const bystander of bystanders) await bystander.end(scene);
    scene.hangUpAll();
    await scene.quiet();
    expect(scene.faults).toEqual([]);
    expect(heapMegabytes() - (heaps[0] ?? 0), `heap by seed: ${heaps.map(Math.round).join(', ')} MB`).toBeLessThan(12);
  },
  timeoutMs,
);
