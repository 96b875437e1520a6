import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordOf } from '../../support/call-records.js';
import { settled } from '../../support/eventually.js';
import { asleepScene, ReceiverDouble, runDown, type Answer } from '../../support/record-receiver.js';
import { runsOf } from '../../support/runs.js';
import { SpoolDisk } from '../../support/spool-disk.js';

/** A process that writes some records and dies at one of its steps: between append and post, between post and removal, anywhere. */
interface Life {
  readonly records: number;
  readonly steps: number;
  readonly diesAfterEffect: boolean;
  /** Not only the process went, and of what was not safe on the disk only so many changes stayed. */
  readonly powerKept: number | undefined;
  readonly answers: readonly Answer[];
}

const life: fc.Arbitrary<Life> = fc.record({
  records: fc.nat({ max: 4 }),
  steps: fc.nat({ max: 40 }),
  diesAfterEffect: fc.boolean(),
  powerKept: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
  answers: fc.array(fc.constantFrom<Answer>(200, 200, 'silent', 500, 429, 'unreachable', 401), { maxLength: 8 }),
});

const peace: Life = { records: 1, steps: Infinity, diesAfterEffect: false, powerKept: undefined, answers: [] };
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
  for (const { records, steps, diesAfterEffect, powerKept, answers } of [...lives, peace]) {
    const files = disk.process(steps, diesAfterEffect);
    const { start, clock } = asleepScene({}, disk, files);
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
    const isDone = (): boolean => unsafe.length === 0 && sink.backlog.records === 0;
    await runDown(sink, clock, () => files.isDead || isDone());
    if (powerKept !== undefined) disk.losePower(powerKept);
  }
  return { receiver, all, disk };
}

describe('records over HTTP under crashes', () => {
  const { runs, timeoutMs } = runsOf(300, 20_000);

  it(
    'come at least once each, whenever the process dies, always with the id of the call as key, and leave nothing behind',
    async () => {
      const seen = { twice: 0, crashes: 0 };
      await fc.assert(
        fc.asyncProperty(fc.array(life, { maxLength: 4 }), async (lives) => {
          const { receiver, all, disk } = await live(lives);
          expect([...receiver.taken].sort()).toEqual([...all].sort());
          expect(receiver.requests.filter(({ call, key }) => call !== key)).toEqual([]);
          expect([...disk.files.keys()]).toEqual([]);
          const taken = receiver.requests.filter(({ answer }) => answer === 200 || answer === 'silent').length;
          seen.twice += taken - all.length;
          seen.crashes += lives.length;
        }),
        { numRuns: runs, examples: [[trustedTooSoon]] },
      );
      // Crashes between the post and the removal were among them: nothing less than a repetition is possible there.
      expect(seen.twice).toBeGreaterThan(runs / 50);
    },
    timeoutMs,
  );

  it(
    'come in the order of their calls as long as nobody dies',
    async () => {
      const answers = life.map(({ answers: each }) => each);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 6 }), answers, async (records, each) => {
          const [steps, diesAfterEffect, powerKept] = [Infinity, false, undefined];
          const { receiver, all } = await live([{ records, answers: each, steps, diesAfterEffect, powerKept }]);
          expect(receiver.taken).toEqual(all);
        }),
        { numRuns: Math.ceil(runs / 5) },
      );
    },
    timeoutMs,
  );
});

/** What happens to a process that lives on while its disk does not: a record comes, the disk breaks somewhere or is mended, time passes. */
type Happening = 'record' | 'mend' | 'pass' | 'write' | 'make' | 'list' | 'rename' | 'syncDirectory';

const happenings = fc.array(
  fc.constantFrom<Happening>(
    'record',
    'record',
    'mend',
    'pass',
    'pass',
    'write',
    'make',
    'list',
    'rename',
    'syncDirectory',
  ),
  { maxLength: 25 },
);

async function befall(what: readonly Happening[], answers: readonly Answer[]) {
  const scene = asleepScene();
  const { sink, files, clock, receiver } = scene;
  receiver.answers = [...answers];
  sink.wake();
  const calls: string[] = [];
  const mend = (): void => {
    files.fault = undefined;
    files.broken.clear();
  };
  for (const one of what) {
    if (one === 'record') {
      const call = `C${String(calls.length).padStart(3, '0')}`;
      calls.push(call);
      void sink.write(recordOf(call));
    } else if (one === 'mend') mend();
    else if (one === 'pass') clock.advance(3_000);
    else if (one === 'write') files.fault = new Error('no space');
    else files.broken.add(one);
    if (one === 'pass') await settled();
  }
  await settled();
  mend();
  return { ...scene, calls };
}

describe('records over HTTP while the disk fails and recovers', () => {
  const { runs, timeoutMs } = runsOf(300, 20_000);
  const refusals = fc.array(fc.constantFrom<Answer>(200, 200, 500, 429, 'unreachable'), { maxLength: 12 });

  it(
    'are taken once each and in order, and leave nothing behind',
    async () => {
      await fc.assert(
        fc.asyncProperty(happenings, refusals, async (what, answers) => {
          const { sink, disk, clock, receiver, calls, logger } = await befall(what, answers);
          await runDown(sink, clock, () => sink.backlog.records === 0);
          const taken = receiver.requests.filter(({ answer }) => answer === 200).map(({ call }) => call);
          expect(taken).toEqual(calls);
          await settled();
          const left = logger.lines.filter(({ message }) => message.includes('cannot be removed')).length;
          expect(disk.files.size).toBe(left);
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
          const { disk, clock, calls, counted } = await befall(what, nobody);
          inMemory += counted['unspooled'] ?? 0;
          clock.advance(5_000);
          await settled();
          // The process is killed here: whoever comes next has nothing but the disk.
          const next = asleepScene({}, disk);
          next.sink.wake();
          await runDown(next.sink, next.clock, () => next.receiver.taken.length >= calls.length);
          await settled();
          expect(next.receiver.requests.map(({ call }) => call)).toEqual(calls);
          expect(disk.files.size).toBe(0);
        }),
        { numRuns: runs },
      );
      expect(inMemory).toBeGreaterThan(runs / 5);
    },
    timeoutMs,
  );
});
