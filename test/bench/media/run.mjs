/*
 * What the media engine bears on one core, what a packet costs and how long a set-up takes, beside a bare dgram loop and
 * rtpengine; see ../README.md.
 */
import { divideCores, loadBefore, stolenShareSince, stolenTime } from '../sip/machine.mjs';
import { Load } from './load.mjs';
import { describeMachine } from './machine.mjs';
import { Measurement } from './measurement.mjs';
import { readOptions } from './options.mjs';
import { compileLoad, hasRtpengine, install, isInNamespace, isUrgencyAllowed, runInNamespace } from './prepare.mjs';
import { figures, table } from './report.mjs';

const say = (text) => console.error(`${String(Math.round(performance.now() / 1000)).padStart(4)} s ${text.trim()}`);

async function run() {
  const options = readOptions(process.argv.slice(2));
  process.once('disconnect', () => process.exit(1));
  if (!isInNamespace()) install(say);
  const elsewhere = await runInNamespace(say);
  if (elsewhere !== undefined) return elsewhere;
  const busy = loadBefore();
  const before = stolenTime();
  const binary = compileLoad(say);
  const cores = divideCores();
  const load = await Load.start(binary, cores.load, isUrgencyAllowed());
  const measurement = new Measurement({ options, cores, load, say, hasRtpengine: hasRtpengine() });
  const isComplete = await endsInTime(measurement.run(), options.plan.endSeconds);
  await load.stop();
  const seconds = Math.round(performance.now() / 1000);
  const result = {
    ...figures(measurement.results),
    plan: options.plan.name,
    complete: isComplete,
    seconds,
    ...busy,
    stolen_share: stolenShareSince(before),
    machine: describeMachine(cores),
  };
  console.log(options.json ? JSON.stringify(result) : table(result));
  return 0;
}

/** False if the work is not done by then; what is done stands. */
async function endsInTime(work, endSeconds) {
  let timer;
  const end = new Promise((resolve) => {
    timer = setTimeout(() => resolve(false), endSeconds * 1000 - performance.now());
  });
  const isDone = await Promise.race([work.then(() => true), end]);
  clearTimeout(timer);
  if (!isDone) say('time is up: what is not measured stays away');
  return isDone;
}

try {
  process.exitCode = await run();
} catch (err) {
  console.error(err);
  process.exitCode = 1;
}
process.exit();
