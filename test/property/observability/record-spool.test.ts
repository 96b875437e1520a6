import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordOf } from '../../support/call-records.js';
import { settled } from '../../support/eventually.js';
import { asleepScene, ReceiverDouble, runDown, type Answer, type Request } from '../../support/record-receiver.js';
import { runsOf } from '../../support/runs.js';
import { SpoolDisk, type DiskOfProcess } from '../../support/spool-disk.js';

/** A process that writes some records and dies at one of its steps: between append and post, between post and removal, anywhere. */
interface Life {
  readonly records: number;
  readonly steps: number;
  readonly diesAfterEffect: boolean;
  /** Not only the process went, and of what was not safe on the disk only so many changes stayed. */
  readonly powerKept: number | undefined;
  readonly answers: readonly Answer[];
  /** What of the disk fails, until it is mended after so many turns. */
  readonly broken: readonly Breakable[];
  readonly turns: number;
}

const breakable = ['write', 'make', 'list', 'rename', 'remove', 'syncDirectory'] as const;
type Breakable = (typeof breakable)[number];

function breakDisk(files: DiskOfProcess, broken: readonly Breakable[]): void {
  files.broken.clear();
  files.fault = broken.includes('write') ? new Error('no space') : undefined;
  for (const one of broken) if (one !== 'write') files.broken.add(one);
}

const life: fc.Arbitrary<Life> = fc.record({
  records: fc.nat({ max: 4 }),
  steps: fc.nat({ max: 40 }),
  diesAfterEffect: fc.boolean(),
  powerKept: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
  answers: fc.array(fc.constantFrom<Answer>(200, 200, 'silent', 500, 429, 'unreachable', 401, 400), { maxLength: 8 }),
  broken: fc.oneof(fc.constant([]), fc.subarray([...breakable])),
  turns: fc.nat({ max: 12 }),
});

const isFinal = ({ answer }: Request): boolean => answer === 200 || answer === 400;
/** Calls whose record lies in a folder of the disk. */
const callsOn = ({ files }: SpoolDisk, folder: string): string[] =>
  [...files.keys()].flatMap((path) => new RegExp(`^${folder}/\\d{17}-(\\w+)\\.json$`).exec(path)?.[1] ?? []).sort();
const calls = (requests: readonly Request[]): string[] => requests.map(({ call }) => call);

const peace: Life = {
  ...{ records: 1, steps: Infinity, diesAfterEffect: false, powerKept: undefined, answers: [] },
  ...{ broken: [], turns: 0 },
};
/** Killed before its files were safe; the next one finds them, says that they are safe, and loses them with the power. */
const trustedTooSoon: Life[] = [
  { ...peace, records: 2, steps: 0 },
  { ...peace, records: 4, steps: 15 },
  { ...peace, records: 0, steps: 3, powerKept: 0 },
];

/** Lives one after the other on one disk, then one that is left in peace; what each receiver request was. */
async function live(lives: readonly Life[]) {
  const disk = new SpoolDisk();
  const receiver = new ReceiverDouble();
  const all: string[] = [];
  let unsafe: string[] = [];
  const faults: string[] = [];
  const lost: string[] = [];
  const atRisk = new Set<string>();
  for (const { records, steps, diesAfterEffect, powerKept, answers, broken, turns } of [...lives, peace]) {
    const files = disk.process(steps, diesAfterEffect);
    const { start, clock } = asleepScene({}, disk, files);
    const [aside, before] = [callsOn(disk, '/spool/rejected'), receiver.requests.length];
    breakDisk(files, broken);
    receiver.answers = [...answers];
    const sink = start(receiver, files);
    const fresh = Array.from({ length: records }, (_, index) => `C${String(all.length + index).padStart(3, '0')}`);
    all.push(...fresh);
    // As the journal does: what was not said to be safe is written again at the next start.
    const written = [...unsafe, ...fresh];
    unsafe = [...written];
    sink.wake();
    for (const call of written)
      void sink.write(recordOf(call)).then(() => (unsafe = unsafe.filter((one) => one !== call)));
    let turn = 0;
    const isOver = (): boolean => {
      if (turn++ === turns) breakDisk(files, []);
      const isDone = turn > turns && unsafe.length === 0 && sink.backlog.records === 0 && clock.armed === 0;
      return files.isDead || isDone;
    };
    await runDown(sink, clock, isOver);
    const sent = receiver.requests.slice(before);
    const final = calls(sent.filter(isFinal));
    if (new Set(final).size < final.length) faults.push(`twice in one life: ${final.join(' ')}`);
    if (aside.some((call) => calls(sent).includes(call)))
      faults.push(`put aside, and sent again: ${calls(sent).join(' ')}`);
    // What a process that lives has an answer for is settled on the disk by now.
    const left = files.isDead ? [] : callsOn(disk, '/spool').filter((call) => final.includes(call));
    if (left.length > 0) faults.push(`done with, and left: ${left.join(' ')}`);
    if (powerKept !== undefined) disk.losePower(powerKept);
    // What was in memory alone, since the disk did not take it, goes with its process, or with the power before a file of it is safe.
    if (files.isDead && broken.length > 0) for (const call of written) atRisk.add(call);
    const kept = [...unsafe, ...receiver.taken, ...callsOn(disk, '/spool'), ...callsOn(disk, '/spool/rejected')];
    lost.push(...[...atRisk].filter((call) => !kept.includes(call)));
  }
  return { receiver, all, disk, faults, lost };
}

describe('records over HTTP under crashes', () => {
  const { runs, timeoutMs } = runsOf(300, 20_000);

  it(
    'come at least once each, whenever the process dies, always with the id of the call as key, and leave nothing behind',
    async () => {
      const seen = { twice: 0, aside: 0, crashes: 0 };
      await fc.assert(
        fc.asyncProperty(fc.array(life, { maxLength: 4 }), async (lives) => {
          const { receiver, all, disk, faults, lost } = await live(lives);
          expect(faults).toEqual([]);
          const refused = calls(receiver.requests.filter(({ answer }) => answer === 400));
          const aside = callsOn(disk, '/spool/rejected');
          expect([...new Set([...receiver.taken, ...aside, ...lost])].sort()).toEqual([...all].sort());
          expect(aside.filter((call) => !refused.includes(call))).toEqual([]);
          expect(receiver.requests.filter(({ call, key }) => call !== key)).toEqual([]);
          expect(disk.files.size).toBe(new Set(aside).size);
          const taken = receiver.requests.filter(({ answer }) => answer === 200 || answer === 'silent').length;
          seen.twice += taken - receiver.taken.length;
          seen.aside += aside.length;
          seen.crashes += lives.length;
        }),
        { numRuns: runs, examples: [[trustedTooSoon]] },
      );
      // Crashes between the post and the removal were among them: nothing less than a repetition is possible there.
      expect(seen.twice).toBeGreaterThan(runs / 50);
      expect(seen.aside).toBeGreaterThan(runs / 50);
    },
    timeoutMs,
  );

  it(
    'come in the order of their calls as long as nobody dies',
    async () => {
      const answers = life.map(({ answers: each }) => each.filter((answer) => answer !== 400));
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 6 }), answers, async (records, each) => {
          const { receiver, all } = await live([{ ...peace, records, answers: each }]);
          expect(receiver.taken).toEqual(all);
        }),
        { numRuns: Math.ceil(runs / 5) },
      );
    },
    timeoutMs,
  );
});

/** What happens to a process that lives on while its disk does not: a record comes, the disk breaks somewhere or is mended, time passes. */
type Happening = 'record' | 'mend' | 'pass' | Breakable;

const often = ['record', 'record', 'mend', 'pass', 'pass'] as const;
const happenings = fc.array(fc.constantFrom<Happening>(...often, ...breakable), { maxLength: 25 });

async function befall(what: readonly Happening[], answers: readonly Answer[]) {
  const scene = asleepScene();
  const { sink, files, clock, receiver } = scene;
  receiver.answers = [...answers];
  sink.wake();
  const given: string[] = [];
  const mend = (): void => breakDisk(files, []);
  for (const one of what) {
    if (one === 'record') {
      const call = `C${String(given.length).padStart(3, '0')}`;
      given.push(call);
      void sink.write(recordOf(call));
    } else if (one === 'mend') mend();
    else if (one === 'pass') clock.advance(3_000);
    else if (one === 'write') files.fault = new Error('no space');
    else files.broken.add(one);
    if (one === 'pass') await settled();
  }
  await settled();
  mend();
  return { ...scene, calls: given };
}

describe('records over HTTP while the disk fails and recovers', () => {
  const { runs, timeoutMs } = runsOf(300, 20_000);
  const refusals = fc.array(fc.constantFrom<Answer>(200, 200, 400, 500, 429, 'unreachable'), { maxLength: 12 });

  it(
    'are taken or put aside, once each and in order, and leave nothing else behind',
    async () => {
      await fc.assert(
        fc.asyncProperty(happenings, refusals, async (what, answers) => {
          const scene = await befall(what, answers);
          const { sink, disk, clock, receiver } = scene;
          await runDown(sink, clock, () => sink.backlog.records === 0 && clock.armed === 0);
          expect(calls(receiver.requests.filter(isFinal))).toEqual(scene.calls);
          await settled();
          const refused = calls(receiver.requests.filter(({ answer }) => answer === 400));
          expect([callsOn(disk, '/spool/rejected'), callsOn(disk, '/spool')]).toEqual([refused, []]);
          expect([disk.files.size, sink.backlog.bytes]).toEqual([refused.length, refused.length * 4096]);
        }),
        { numRuns: runs },
      );
    },
    timeoutMs,
  );

  it(
    'are all on it, in order, within 5 s of its recovery, when nobody takes them',
    async () => {
      let inMemory = 0;
      await fc.assert(
        fc.asyncProperty(happenings, async (what) => {
          const nobody = Array<Answer>(1_000).fill(500);
          const { disk, clock, calls: given, counted } = await befall(what, nobody);
          inMemory += counted['unspooled'] ?? 0;
          clock.advance(5_000);
          await settled();
          // The process is killed here: whoever comes next has nothing but the disk.
          const next = asleepScene({}, disk);
          next.sink.wake();
          await runDown(next.sink, next.clock, () => next.receiver.taken.length >= given.length);
          await settled();
          expect(calls(next.receiver.requests)).toEqual(given);
          expect(disk.files.size).toBe(0);
        }),
        { numRuns: runs },
      );
      expect(inMemory).toBeGreaterThan(runs / 5);
    },
    timeoutMs,
  );
});
