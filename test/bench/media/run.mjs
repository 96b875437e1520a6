/*
 * What the media engine bears on one core, what a packet costs and how long a set-up takes, beside a bare dgram loop and
 * rtpengine; see ../README.md.
 */
import { divideCores, loadBefore } from '../sip/machine.mjs';
import { Load } from './load.mjs';
import { describeMachine } from './machine.mjs';
import { Measurement } from './measurement.mjs';
import { readOptions } from './options.mjs';
import { compileLoad, hasRtpengine, install, isInNamespace, isUrgencyAllowed, runInNamespace } from './prepare.mjs';
import { figures, table } from './report.mjs';

const say = (text) => console.error(text);

async function run() {
  const options = readOptions(process.argv.slice(2));
  process.once('disconnect', () => process.exit(1));
  if (!isInNamespace()) install(say);
  const elsewhere = await runInNamespace(say);
  if (elsewhere !== undefined) return elsewhere;
  const busy = loadBefore();
  const binary = compileLoad(say);
  const cores = divideCores();
  const load = await Load.start(binary, cores.load, isUrgencyAllowed());
  const measurement = new Measurement({ options, cores, load, say, hasRtpengine: hasRtpengine() });
  const measured = await measurement.run();
  await load.stop();
  const seconds = Math.round(performance.now() / 1000);
  const result = { ...figures(measured), plan: options.plan.name, seconds, ...busy, machine: describeMachine(cores) };
  console.log(options.json ? JSON.stringify(result) : table(result));
  return 0;
}

try {
  process.exitCode = await run();
} catch (err) {
  console.error(err);
  process.exitCode = 1;
}
process.exit();
