import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { csvFormat } from '../../../src/observability/cdr/csv-format.js';
import { jsonlFormat } from '../../../src/observability/cdr/jsonl-format.js';
import type { OpenedFile, RecordDisk } from '../../../src/observability/cdr/record-disk.js';
import { callsOf, type RecordFormat } from '../../../src/observability/cdr/record-format.js';
import { RecordFile } from '../../../src/observability/cdr/record-file.js';
import { recordOf } from '../../support/call-records.js';
import { settled } from '../../support/eventually.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { runsOf } from '../../support/runs.js';

/** How an append ends: well, with some of it on the disk that cannot be taken back, or with the process. */
interface Append {
  readonly end: 'well' | 'fails' | 'dies';
  /** As much of it gets onto the disk, in parts of the whole, less some characters. */
  readonly part: number;
  readonly less: number;
}

/** A file that outlives processes, on a disk that keeps what it began (as one whose `ftruncate` fails too). */
class StubbornDisk implements RecordDisk {
  text = '';
  isDead = false;
  appends: Append[] = [];

  open(_path: string, format: RecordFormat): Promise<OpenedFile> {
    return Promise.resolve({ calls: new Set(callsOf(this.text, format)) });
  }

  append(_path: string, lines: string, format: RecordFormat): Promise<void> {
    const { end, part, less } = this.appends.shift() ?? { end: 'well', part: 1, less: 0 };
    const cut = this.text.slice(this.text.lastIndexOf('\n') + 1);
    const before = this.text === '' ? format.header : cut === '' ? '' : format.mend(cut);
    const all = before + lines;
    // A header is not cut here: the file would be set aside for it.
    const least = this.text === '' ? before.length : 0;
    this.text += end === 'well' ? all : all.slice(0, Math.max(least, Math.round(all.length * part) - less));
    if (end === 'well') return Promise.resolve();
    this.isDead = end === 'dies';
    return this.isDead ? new Promise(() => undefined) : Promise.reject(new Error('input/output error'));
  }

  /** As a reader of the file sees them. */
  rows(format: RecordFormat): string[] {
    return this.text
      .split('\n')
      .slice(0, -1)
      .flatMap((line) => format.callOf(line) ?? []);
  }
}

const append: fc.Arbitrary<Append> = fc.record({
  end: fc.constantFrom('well', 'fails', 'fails', 'dies'),
  part: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
  less: fc.nat({ max: 3 }),
});
const life = fc.record({ records: fc.nat({ max: 5 }), appends: fc.array(append, { maxLength: 4 }) });

describe.each([
  ['cdr.jsonl', jsonlFormat],
  ['cdr.csv', csvFormat],
])('%s on a disk that keeps what it failed to write', (path, format) => {
  const { runs, timeoutMs } = runsOf(200, 20_000);

  it(
    'has exactly one whole row of each call, whatever fails or dies when',
    async () => {
      let failures = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(life, { maxLength: 4 }), async (lives) => {
          const disk = new StubbornDisk();
          const all: string[] = [];
          let unsafe: string[] = [];
          for (const { records, appends } of [...lives, { records: 1, appends: [] }]) {
            const clock = new FakeClock();
            const sink = new RecordFile({ path, format, clock, logger: new RecordingLogger(), disk });
            disk.isDead = false;
            disk.appends = [...appends];
            const fresh = Array.from({ length: records }, (_, index) => `C${all.length + index}`);
            all.push(...fresh);
            // As the journal does: what was not said to be safe is written again at the next start.
            unsafe.push(...fresh);
            for (const call of [...unsafe])
              void sink.write(recordOf(call)).then(() => (unsafe = unsafe.filter((one) => one !== call)));
            for (let turn = 0; turn < 20 && unsafe.length > 0 && !disk.isDead; turn++) {
              await settled();
              clock.advance(5_000);
            }
            failures += appends.filter(({ end }) => end === 'fails').length;
          }
          expect(disk.rows(format).sort()).toEqual([...all].sort());
        }),
        { numRuns: runs },
      );
      expect(failures).toBeGreaterThan(runs / 2);
    },
    timeoutMs,
  );
});
