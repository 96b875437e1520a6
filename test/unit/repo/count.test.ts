import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { top } from './repository.js';

const folder = mkdtempSync(join(tmpdir(), 'sip2wa-count-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Report {
  readonly passed?: number;
  readonly failed?: number;
  readonly skipped?: number;
  readonly todo?: number;
  readonly unloaded?: number;
}

/** What `.ci/count.mjs` makes of a report. */
function count(report: Report, exitStatus: number): string {
  const path = join(folder, 'report.json');
  const testResults = Array.from({ length: report.unloaded ?? 0 }, () => ({ status: 'failed', assertionResults: [] }));
  writeFileSync(
    path,
    JSON.stringify({
      numPassedTests: report.passed ?? 0,
      numFailedTests: report.failed ?? 0,
      numPendingTests: report.skipped ?? 0,
      numTodoTests: report.todo ?? 0,
      testResults,
    }),
  );
  return spawnSync('node', ['.ci/count.mjs', path, String(exitStatus)], { cwd: top, encoding: 'utf8' }).stdout.trim();
}

// Each starts a Node of its own.
describe('the counting of tests in CI', { timeout: 30_000 }, () => {
  it.each<[string, Report, number, string]>([
    ['all passed', { passed: 12 }, 0, '12 0'],
    ['one failed', { passed: 11, failed: 1 }, 1, '11 1'],
    ['skipped ones count as failed', { passed: 10, skipped: 2 }, 0, '10 2'],
    ['unwritten ones count as failed', { passed: 10, todo: 1 }, 0, '10 1'],
    ['a file that could not be loaded counts as failed', { passed: 10, unloaded: 1 }, 1, '10 1'],
    ['an unhandled error without a failed test counts as failed', { passed: 10 }, 1, '10 1'],
    ['a run without a test counts as failed', {}, 0, '0 1'],
  ])('%s', (_what, report, exitStatus, expected) => {
    expect(count(report, exitStatus)).toBe(expected);
  });
});
