import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RecordFile } from '../../../src/sip-server/recovery/record-file.js';
import { decodeLine, encodeLine } from '../../../src/sip-server/recovery/record-line.js';
import { replay } from '../../../src/sip-server/recovery/replay.js';
import type { SipRequest } from '../../../src/sip-server/sip/message.js';
import { header } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import type { Flow } from '../../../src/sip-server/transport/flow.js';
import { RecordingLogger } from '../../support/recording-logger.js';

let dir: string;
let path: string;
let logger: RecordingLogger;
const open = (rewriteAtBytes?: number): ReturnType<typeof RecordFile.open> =>
  RecordFile.open({ path, logger, ...(rewriteAtBytes === undefined ? {} : { rewriteAtBytes }) });

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sip2wa-record-'));
  path = join(dir, 'deep', 'open.rec');
  logger = new RecordingLogger();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const INVITE = parseMessage(
  Buffer.from(
    [
      'INVITE sip:us@192.0.2.1 SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx',
      'From: "Jos\u00e9" <sip:a@192.0.2.9>;tag=theirs',
      'To: <sip:us@192.0.2.1>',
      'Call-ID: c1',
      'CSeq: 7 INVITE',
      'Authorization: Digest username="a"',
      'User-Agent: peer',
      '\r\nv=0',
    ].join('\r\n'),
    'utf8',
  ),
)!.message as SipRequest;
const FLOW = { protocol: 'tcp', remote: { host: '192.0.2.9', port: 40_000 } } as Flow;

it('gives back what is open, headers byte for byte, and neither bodies nor credentials', () => {
  const { record, left } = open();
  expect(left).toEqual([]);
  record.arrived('one', INVITE, FLOW);
  record.arrived('two', INVITE, FLOW);
  record.tagged('one', 'ours');
  record.ended('two');
  record.acknowledged('never begun');
  record.close();
  const [call, ...others] = open().left;
  expect(others).toEqual([]);
  expect(call).toMatchObject({ id: 'one', stage: 'pending', localTag: 'ours', uri: INVITE.uri });
  expect(call?.hop).toEqual({ protocol: 'tcp', host: '192.0.2.9', port: 40_000 });
  const kept = INVITE.headers.filter(({ key }) => !['authorization', 'user-agent'].includes(key));
  expect(call?.headers).toEqual(kept);
  expect(readFileSync(path, 'utf8')).not.toContain('v=0');
});

it('is readable by its owner alone, also when it is written anew', () => {
  const { record } = open(2_000);
  record.arrived('kept', INVITE, FLOW);
  for (let count = 0; count < 50; count++) {
    record.arrived(`c${count}`, INVITE, FLOW);
    record.ended(`c${count}`);
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(path).size).toBeLessThan(2_500);
  record.answered('kept', 'ours');
  record.close();
  expect(open().left.map(({ id, stage }) => `${id} ${stage}`)).toEqual(['kept answered']);
});

it('is empty once no call is open and it has grown', () => {
  const { record } = open(1_000);
  for (let count = 0; count < 10; count++) {
    record.arrived('c', INVITE, FLOW);
    record.ended('c');
  }
  expect(statSync(path).size).toBeLessThan(1_000);
});

it('leaves damaged lines out, says how many, and is whole again after that', () => {
  const { record } = open();
  record.arrived('one', INVITE, FLOW);
  record.arrived('two', INVITE, FLOW);
  record.close();
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, `${text.replace('"two"', '"tw0"')}${text.slice(0, 40)}`);
  expect(open().left.map(({ id }) => id)).toEqual(['one']);
  expect(logger.lines.map(({ fields }) => fields['damaged'])).toEqual([2]);
  open();
  expect(logger.lines).toHaveLength(1);
});

it('says where a peer is once, however often it answers or moves', () => {
  const { record } = open();
  record.calling('one', INVITE, FLOW);
  const answer = (status: number, tag: string): void =>
    record.heard(
      'one',
      { ...INVITE, kind: 'response', status, reason: '', headers: [header('To', `<a@b>;tag=${tag}`)] },
      FLOW,
    );
  for (let count = 0; count < 50; count++) answer(180, `fork${count}`);
  record.moved('one', 'sip:early@192.0.2.9', FLOW);
  answer(200, 'last');
  for (let count = 0; count < 50; count++) record.moved('one', `sip:at${count}@192.0.2.9`, FLOW);
  record.close();
  const before = open();
  before.record.close();
  expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(4);
  const { left } = open();
  expect(left).toEqual(before.left);
  expect(left[0]?.heard?.headers.map(({ value }) => value)).toEqual(['<a@b>;tag=last', '<sip:at49@192.0.2.9>']);
  expect(left[0]?.hop.port).toBe(FLOW.remote.port);
});

/** Time that stands, or that a write takes. */
class WriteClock {
  nowMs = 0;
  stepMs = 0;
  monotonicMs(): number {
    this.nowMs += this.stepMs;
    return this.nowMs;
  }
}

it('on a full disk costs no call, is told of once, and is whole once there is room', () => {
  const clock = new WriteClock();
  const file = join(dir, 'record');
  // Linux's own full disk takes the place of the file: it can be opened, and refuses every byte.
  symlinkSync('/dev/full', `${file}.new`);
  const { record } = RecordFile.open({ path: file, logger, clock });
  record.arrived('one', INVITE, FLOW);
  record.arrived('two', INVITE, FLOW);
  const ended: string[] = [];
  record.onEnded((id) => ended.push(id));
  record.ended('two');
  expect(ended).toEqual(['two']);
  clock.nowMs += 10_000;
  record.tagged('one', 'ours');
  expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
  rmSync(`${file}.new`);
  record.answered('one', 'ours');
  expect(existsSync(`${file}.new`)).toBe(false);
  clock.nowMs += 10_000;
  record.acknowledged('one');
  record.close();
  expect(replay(readFileSync(file, 'utf8')).calls).toMatchObject([{ id: 'one', stage: 'acknowledged' }]);
  expect(logger.lines).toHaveLength(1);
});

it('that cannot be written still says what was left open', () => {
  const { record } = open();
  record.arrived('one', INVITE, FLOW);
  record.close();
  mkdirSync(`${path}.new`);
  expect(open().left.map(({ id }) => id)).toEqual(['one']);
  expect(logger.lines.map(({ level }) => level)).toEqual(['error']);
});

it('a disk that is slow holds up one step in 10 s, and misses none in the end', () => {
  const clock = new WriteClock();
  const { record } = RecordFile.open({ path, logger, clock });
  clock.stepMs = 500;
  record.arrived('one', INVITE, FLOW);
  clock.stepMs = 0;
  const size = statSync(path).size;
  record.arrived('two', INVITE, FLOW);
  expect(statSync(path).size).toBe(size);
  expect(logger.lines.map(({ fields }) => fields)).toEqual([{ path, tookMs: 500 }]);
  clock.nowMs += 10_000;
  record.tagged('one', 'ours');
  record.close();
  expect(open().left.map(({ id, localTag }) => [id, localTag])).toEqual([
    ['one', 'ours'],
    ['two', undefined],
  ]);
});

it('of another kind in its place is an error to open', () => {
  mkdirSync(path, { recursive: true });
  expect(() => open()).toThrow();
  expect(existsSync(path)).toBe(true);
});

it.each([
  ['no line', ''],
  ['no checksum', '["ended","x"]'],
  ['a checksum of another line', encodeLine(['ended', 'x']).replace('"x"', '"y"').trimEnd()],
  ['an unknown event', sealed('["born","x"]')],
  ['an inherited name', sealed('["constructor","x"]')],
  ['too few parts', sealed('["ended"]')],
  ['a part of another kind', sealed('["tagged","x",5]')],
  ['headers that are no pairs', sealed('["arrived","x",["udp","h",1],"sip:a@b",[["via"]]]')],
  ['no array', sealed('{"0":"ended"}')],
  ['broken JSON', sealed('["ended","x"')],
])('a line with %s is not taken', (_what, text) => {
  expect(decodeLine(text)).toBeUndefined();
});

/** With a checksum that fits. */
function sealed(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}`;
}
