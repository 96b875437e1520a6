import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCapacity } from './capacity.mjs';
import { Child } from './child.mjs';
import { echoLoad } from './echo-load.mjs';
import { Subject } from './subject-process.mjs';

/** The load at which costs are taken stays this far below what the machine bears. */
const SHARE_OF_CAPACITY = 0.85;
const WARM_UP_SHARES = [0.3, 0.6, 0.8, 1];

/**
 * The whole run: capacity, then pairs of loads on the server without and with the record of open calls, with the echo
 * between them, and memory after each. `say` is told of each step.
 */
export async function measure({ plan, rate, profileDir }, cores, say) {
  const folder = mkdtempSync(join(tmpdir(), 'sip2wa-bench-'));
  const common = { plan, core: cores.measured, profileDir };
  const bare = await Subject.start(common);
  const recording = await Subject.start({ ...common, recordFile: join(folder, 'open-calls.record') });
  try {
    say(`warming up: ${plan.warmUpSeconds} s each at ${rate} calls/s`);
    for (const subject of [bare, recording]) await warmUp(subject, rate, plan.warmUpSeconds);
    say('looking for the highest rate');
    const capacity = await findCapacity(bare, plan, rate);
    const least = Math.min(...capacity.tried.map((it) => it.wanted));
    const perSecond = Math.min(rate, Math.round(SHARE_OF_CAPACITY * (capacity.borne?.wanted ?? least)));
    await bare.quiet();
    await recording.quiet();
    const memory = { bare: [await bare.memory()], recording: [await recording.memory()] };
    const pairs = [];
    let longestMs = 0;
    // A machine where everything takes longer gets fewer pairs.
    const fits = () => performance.now() + longestMs < plan.pairsUntilSeconds * 1000;
    for (let n = 1; n <= plan.pairs && (n === 1 || fits()); n++) {
      const startMs = performance.now();
      say(`pair ${n} of ${plan.pairs}: ${plan.loadSeconds} s each at ${perSecond} calls/s`);
      const load = { perSecond, seconds: plan.loadSeconds };
      const alone = await bare.measure(load);
      memory.bare.push(await bare.memory());
      const echo = await measureEcho({ ...common, perSecond, sizes: bare.answerSizes });
      const recorded = await recording.measure(load);
      memory.recording.push(await recording.memory());
      pairs.push({ alone, echo, recorded });
      longestMs = Math.max(longestMs, performance.now() - startMs);
    }
    return { perSecond, capacity, pairs, memory, totals: [bare, recording].map(summary) };
  } finally {
    await bare.stop();
    await recording.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A process that has just started is several times slower: it is led to the rate by steps. */
async function warmUp(subject, rate, seconds) {
  for (const share of WARM_UP_SHARES) {
    const perSecond = Math.ceil(share * rate);
    await subject.load({ perSecond, seconds: seconds / WARM_UP_SHARES.length, isTrial: true });
  }
}

const summary = ({ total, peakRss, left }) => ({ ...total, peakRss, left });

/** CPU time of a bare datagram process for the datagrams of one call. */
async function measureEcho({ plan, core, perSecond, sizes }) {
  const answersPerCall = Object.values(sizes).flat().length;
  const { child, hello } = await Child.start('echo.mjs', { words: [JSON.stringify(sizes)], core });
  const load = { port: hello.port, answersPerCall, perSecond };
  await echoLoad({ ...load, seconds: plan.warmUpSeconds / 2 });
  const before = await child.ask('report');
  const { calls, lost } = await echoLoad({ ...load, seconds: plan.echoSeconds });
  const after = await child.ask('report');
  await child.stop();
  return { calls, lost, cpuMsPerCall: (after.cpuMs - before.cpuMs) / calls };
}
