// Reads a vitest JSON report and prints `PASSED FAILED`.   node .ci/count.mjs REPORT EXIT-STATUS
// A skipped test, a suite that could not be loaded, an empty run and a failing exit status without a failed test all count as failures.
import { readFileSync } from 'node:fs';

const [path, status] = process.argv.slice(2);
const report = JSON.parse(readFileSync(path, 'utf8'));
const unloaded = report.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.length === 0,
).length;
let failed = report.numFailedTests + report.numPendingTests + (report.numTodoTests ?? 0) + unloaded;
if (failed === 0 && (Number(status) !== 0 || report.numPassedTests === 0)) failed = 1;
console.log(`${report.numPassedTests} ${failed}`);
