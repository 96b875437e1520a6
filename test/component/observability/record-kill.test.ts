import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csvFormat } from '../../../src/observability/cdr/csv-format.js';
import { jsonlFormat } from '../../../src/observability/cdr/jsonl-format.js';
import { plainTree, type PlainTree } from '../../support/plain-node.js';
import { RecordEndpoint } from '../../support/record-endpoint.js';
import { runsOf } from '../../support/runs.js';

const PROGRAM = 'test/component/observability/record-process.ts';
const { runs: kills, timeoutMs } = runsOf(8, 60_000);
/** More than are done before any kill. */
const CALLS = 400;

let tree: PlainTree;
let billing: RecordEndpoint;
let dir: string;

beforeAll(async () => {
  const sources = ['src/lib', 'src/call', 'src/journal', 'src/observability/cdr', 'test/support/call-records.ts'];
  tree = plainTree([...sources, PROGRAM]);
  billing = await RecordEndpoint.start();
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-records-'));
});
afterAll(async () => {
  await billing.close();
  rmSync(dir, { recursive: true });
  tree.remove();
});

/** Starts the process; `heard` gets what it says. */
function start(calls: number, heard: (message: string) => void): ChildProcess {
  const child = fork(tree.path(PROGRAM), [dir, billing.url, String(calls)], { execArgv: [] });
  child.on('message', (message) => heard(message as string));
  return child;
}

const callsOf = (name: string, format: typeof jsonlFormat): string[] =>
  readFileSync(join(dir, name), 'utf8')
    .split('\n')
    .flatMap((line) => format.callOf(line.replace(/\r$/, '')) ?? []);

describe('kill -9 at any moment between the end of a call and its record', () => {
  it(
    'leaves exactly one row of every call in both files, and at least one post, all with its id as key',
    async () => {
      const begun = new Set<string>();
      for (let kill = 0; kill < kills; kill++) {
        let isRecovered = false;
        const afterCalls = 1 + Math.floor(Math.random() * 60);
        let made = 0;
        const child = start(CALLS, (message) => {
          if (message === 'recovered') isRecovered = true;
          else begun.add(message);
          if (isRecovered && made++ === afterCalls) child.kill('SIGKILL');
        });
        const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
        expect(signal).toBe('SIGKILL');
      }
      const last = start(5, (message) => {
        if (message !== 'recovered' && message !== 'done') begun.add(message);
      });
      const [code] = (await once(last, 'exit')) as [number | null];
      expect(code).toBe(0);
      const rows = callsOf('cdr.jsonl', jsonlFormat).sort();
      // What a killed process had said last may not have been heard: there may be calls that we do not know of.
      expect([...begun].filter((call) => !rows.includes(call))).toEqual([]);
      expect(new Set(rows).size).toBe(rows.length);
      expect(callsOf('cdr.csv', csvFormat).sort()).toEqual(rows);
      expect([...new Set(billing.posted.map(({ record }) => String(record.call)))].sort()).toEqual(rows);
      expect(billing.posted.filter(({ key, record }) => key !== record.call)).toEqual([]);
      expect(readdirSync(join(dir, 'spool'))).toEqual(['rejected']);
      // The kills did hit calls that had no record yet: recovery wrote theirs.
      expect(billing.posted.filter(({ record }) => record.code === 'internal').length).toBeGreaterThan(0);
    },
    timeoutMs,
  );
});
