/*
 * Calls per second and CPU per call of the embedded SIP server, on one core, with a drachtio-srf application in the same
 * process; see ../README.md. Needs the build in dist/ and nothing that `npm ci` does not bring.
 */
import { describeMachine, divideCores, loadBefore, stolenShareSince, stolenTime } from './machine.mjs';
import { measure } from './measurement.mjs';
import { readOptions } from './options.mjs';
import { figures, table } from './report.mjs';

try {
  const options = readOptions(process.argv.slice(2));
  const busy = loadBefore();
  const before = stolenTime();
  const cores = divideCores();
  const startMs = performance.now();
  const measured = await measure(options, cores, (text) => console.error(text));
  const seconds = Math.round((performance.now() - startMs) / 1000);
  const machine = describeMachine(cores);
  const result = {
    ...figures(measured),
    plan: options.plan.name,
    seconds,
    ...busy,
    stolen_share: stolenShareSince(before),
    machine,
  };
  console.log(options.json ? JSON.stringify(result) : table(result));
} catch (err) {
  console.error(err);
  process.exitCode = 1;
}
process.exit();
