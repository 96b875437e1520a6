import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/lib/logger.js';
import type { OpenCall } from '../../../src/sip-server/recovery/call-record.js';
import { RecordFile } from '../../../src/sip-server/recovery/record-file.js';
import { replay } from '../../../src/sip-server/recovery/replay.js';
import type { SipRequest, SipResponse } from '../../../src/sip-server/sip/message.js';
import { header, NO_BODY } from '../../../src/sip-server/sip/message.js';
import type { Flow } from '../../../src/sip-server/transport/flow.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-record-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const flow = { protocol: 'udp', remote: { host: '192.0.2.9', port: 5060 } } as Flow;
/** Header text is binary: any byte but line ends. */
const value = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 30,
});
const headers = (text: string) => [
  header('Via', text),
  header('From', text),
  header('To', text),
  header('Contact', '<sip:x@y>'),
];
const invite = (text: string): SipRequest => ({
  kind: 'request',
  method: 'INVITE',
  uri: 'sip:x@y',
  version: '2.0',
  headers: headers(text),
  body: NO_BODY,
});
const answer = (status: number, text: string): SipResponse => ({
  kind: 'response',
  status,
  reason: '',
  version: '2.0',
  headers: headers(text),
  body: NO_BODY,
});

type Step = (record: RecordFile) => void;
const id = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(id, value).map(
    ([it, text]): Step =>
      (record) =>
        record.arrived(it, invite(text), flow),
  ),
  fc.tuple(id, value).map(
    ([it, text]): Step =>
      (record) =>
        record.calling(it, invite(text), flow),
  ),
  fc.tuple(id, fc.constantFrom(180, 200), value).map(
    ([it, status, text]): Step =>
      (record) =>
        record.heard(it, answer(status, text), flow),
  ),
  id.map(
    (it): Step =>
      (record) =>
        record.tagged(it, 'tag'),
  ),
  id.map(
    (it): Step =>
      (record) =>
        record.answered(it, 'tag'),
  ),
  id.map(
    (it): Step =>
      (record) =>
        record.acknowledged(it),
  ),
  id.map(
    (it): Step =>
      (record) =>
        record.moved(it, 'sip:new@y', flow),
  ),
  id.map(
    (it): Step =>
      (record) =>
        record.ended(it),
  ),
);

const path = (): string => join(dir, 'open.rec');
function write(steps: readonly Step[], rewriteAtBytes: number): readonly OpenCall[][] {
  rmSync(path(), { force: true });
  const { record } = RecordFile.open({ path: path(), logger: silentLogger, rewriteAtBytes });
  const after = steps.map((take) => {
    take(record);
    return [...replay(readFileSync(path(), 'utf8')).calls];
  });
  record.close();
  return after;
}

describe('the record of open calls', () => {
  it('cut off at any byte says what it said after some step, and can be gone on with', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        const states = [[], ...write(steps, 1_000_000)].map((calls) => JSON.stringify(calls));
        const bytes = readFileSync(path());
        for (let end = 0; end <= bytes.length; end++) {
          const { calls, damaged } = replay(bytes.toString('utf8', 0, end));
          expect(states).toContain(JSON.stringify(calls));
          expect(damaged).toBeLessThanOrEqual(1);
        }
        writeFileSync(path(), bytes.subarray(0, bytes.length - 1));
        const { record, left } = RecordFile.open({ path: path(), logger: silentLogger });
        record.arrived('next', invite(''), flow);
        record.close();
        const ids = replay(readFileSync(path(), 'utf8')).calls.map((call) => call.id);
        expect(ids).toEqual([...left.map((call) => call.id), 'next']);
      }),
      { numRuns: 60 },
    );
  });

  it('says the same however often it is written anew', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const sorted = (calls: readonly OpenCall[] | undefined): OpenCall[] =>
          [...(calls ?? [])].sort((one, other) => one.id.localeCompare(other.id));
        expect(sorted(write(steps, 300).at(-1))).toEqual(sorted(write(steps, 1_000_000).at(-1)));
      }),
      { numRuns: 60 },
    );
  });
});
