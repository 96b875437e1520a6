import { once } from 'node:events';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/call/journal.js';
import { FileJournal, type FileJournalOptions } from '../../../src/journal/file-journal.js';
import { encodeLine } from '../../../src/journal/line-codec.js';
import { segmentName, systemSegmentFiles, type SegmentFiles } from '../../../src/journal/segment-files.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { settled } from '../../support/eventually.js';
import { RecordingLogger } from '../../support/recording-logger.js';

let folder: string;
let dir: string;
let logger: RecordingLogger;
const left: FileJournal[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sip2wa-journal-'));
  dir = join(folder, 'journal');
  logger = new RecordingLogger();
});
afterEach(async () => {
  for (const journal of left.splice(0)) await journal.close();
  rmSync(folder, { recursive: true });
});

async function open(options: Partial<FileJournalOptions> = {}): Promise<FileJournal> {
  const journal = await FileJournal.open({ dir, logger, ...options });
  left.push(journal);
  return journal;
}
/** What another process finds on the disk if the one that writes is killed now. */
async function openAfterCrash(): Promise<FileJournal> {
  const copy = `${dir}+`;
  cpSync(dir, copy, { recursive: true, filter: (path) => !basename(path).startsWith('lock') });
  dir = copy;
  return open();
}
const began = (n: number): JournalEntry => ({
  call: `CALL${n}` as CallId,
  event: 'began',
  data: { direction: 'user_initiated', startMs: '5', number: 'sales' },
});
const ended = (n: number): JournalEntry => ({ call: `CALL${n}` as CallId, event: 'ended', data: {} });
const callsOf = (journal: FileJournal): (string | undefined)[] => journal.open.calls().map(({ call }) => call);
const segments = (): string[] => readdirSync(dir).filter((name) => name.startsWith('journal-'));
const said = (message: string) => logger.lines.filter((line) => line.message === message);

/** The real file system, with faults on demand and a count of what was made safe. */
class MoodyFiles implements SegmentFiles {
  fault: 'none' | 'full' | 'sync' | 'create' = 'none';
  syncs = 0;
  /** Paths that were written before they were removed or renamed. */
  readonly steps: string[] = [];

  async create(path: string) {
    if (this.fault === 'create') throw new Error('EMFILE: no descriptors');
    const file = await systemSegmentFiles.create(path);
    return {
      append: async (text: string): Promise<void> => {
        // A full disk takes what fits.
        if (this.fault === 'full') await file.append(text.slice(0, text.length / 2));
        if (this.fault === 'full') throw Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' });
        await file.append(text);
      },
      sync: async (): Promise<void> => {
        if (this.fault === 'sync') throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
        this.syncs++;
        this.steps.push('sync');
        await file.sync();
      },
      close: () => file.close(),
    };
  }
  rename(from: string, to: string): Promise<void> {
    this.steps.push('rename');
    return systemSegmentFiles.rename(from, to);
  }
  remove(path: string): Promise<void> {
    this.steps.push('remove');
    return systemSegmentFiles.remove(path);
  }
  syncDirectory(path: string): Promise<void> {
    this.steps.push('sync directory');
    return systemSegmentFiles.syncDirectory(path);
  }
}

describe('file journal', () => {
  it('knows after a crash what was open', async () => {
    const crashed = await open();
    await Promise.all([crashed.append(began(1)), crashed.append(began(2))]);
    await crashed.append(ended(1));
    expect(callsOf(await openAfterCrash())).toEqual(['CALL2']);
  });

  it('is readable by its owner alone', async () => {
    const journal = await open();
    await journal.append(began(1));
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(segments().map((name) => statSync(join(dir, name)).mode & 0o777)).toEqual([0o600]);
  });

  it('makes all that waits safe at once, in the order in which it came', async () => {
    const files = new MoodyFiles();
    const journal = await open({ files });
    const order: number[] = [];
    await Promise.all(Array.from({ length: 500 }, (_, n) => journal.append(began(n)).then(() => void order.push(n))));
    expect(order).toEqual([...Array(500).keys()]);
    expect(files.syncs).toBeLessThanOrEqual(2);
    expect(callsOf(await openAfterCrash())).toEqual(order.map((n) => `CALL${n}`));
  });

  it('resolves only when the entry is on the disk', async () => {
    const files = new MoodyFiles();
    const journal = await open({ files });
    await journal.append(began(1));
    files.steps.length = 0;
    const stored = journal.append(began(2)).then(() => void files.steps.push('stored'));
    await stored;
    expect(files.steps).toEqual(['sync', 'stored']);
  });

  it('is bounded: a full segment gives way to one with the open calls alone, which is safe before the old one goes', async () => {
    const files = new MoodyFiles();
    const journal = await open({ files, segmentBytes: 2000 });
    await journal.append(began(0));
    for (let n = 1; n <= 200; n++) await Promise.all([journal.append(began(n)), journal.append(ended(n))]);
    expect(segments()).toHaveLength(1);
    expect(Number(segments()[0]?.slice(8, 16))).toBeGreaterThan(5);
    expect(statSync(join(dir, segments()[0]!)).size).toBeLessThan(2600);
    expect(files.steps.join(', ')).toContain('sync, rename, sync directory, remove');
    expect(files.steps.join(', ')).not.toContain('rename, remove');
    expect(callsOf(await openAfterCrash())).toEqual(['CALL0']);
  });

  it('begins anew on demand with what is open', async () => {
    const journal = await open();
    for (let n = 0; n < 10; n++) await journal.append(began(n));
    for (let n = 1; n < 10; n++) await journal.append(ended(n));
    await journal.compact();
    const text = readFileSync(join(dir, segments()[0]!), 'utf8');
    expect(text.match(/\n/g)).toHaveLength(1);
    expect(callsOf(journal)).toEqual(['CALL0']);
  });

  it('cut anywhere by a crash, and written to after that, has every entry that was whole', async () => {
    const whole = [1, 2, 3].map((n) => encodeLine(began(n), 5)).join('');
    const ends = whole.split('').flatMap((char, at) => (char === '\n' ? [at + 1] : []));
    mkdirSync(dir);
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(join(dir, segmentName(7)), whole.slice(0, cut));
      const known = ends.filter((end) => end <= cut).map((_, n) => `CALL${n + 1}`);
      const journal = await FileJournal.open({ dir, logger });
      expect(callsOf(journal), `cut at ${cut}`).toEqual(known);
      if (cut % 16 > 0) {
        await journal.close();
        continue;
      }
      await journal.append(began(9));
      await journal.close();
      const again = await FileJournal.open({ dir, logger });
      expect(callsOf(again), `cut at ${cut}`).toEqual([...known, 'CALL9']);
      await again.close();
      rmSync(join(dir, segmentName(8)));
    }
  });

  it('ignores a segment that a crash left half made', async () => {
    const crashed = await open();
    await crashed.append(began(1));
    writeFileSync(join(dir, `${segmentName(2)}.new`), encodeLine(ended(1), 5));
    const journal = await openAfterCrash();
    expect(callsOf(journal)).toEqual(['CALL1']);
    await journal.append(began(2));
    expect(callsOf(await openAfterCrash())).toEqual(['CALL1', 'CALL2']);
  });

  it('skips a damaged line with a warning', async () => {
    mkdirSync(dir);
    const lines = [1, 2, 3].map((n) => encodeLine(began(n), 5));
    writeFileSync(join(dir, segmentName(1)), [lines[0], lines[1]?.replace('sales', 'sbles'), lines[2]].join(''));
    expect(callsOf(await open())).toEqual(['CALL1', 'CALL3']);
    expect(said('damaged journal entries skipped')).toMatchObject([{ level: 'warn', fields: { badLines: 1 } }]);
  });

  it.each([
    ['is no file', () => mkdirSync(join(dir, segmentName(1)))],
    ['holds something else', () => writeFileSync(join(dir, segmentName(1)), 'once upon\na time\n')],
  ])('puts a segment that %s aside with an error, and the start goes on', async (_, make) => {
    mkdirSync(dir);
    make();
    writeFileSync(join(dir, segmentName(2)), encodeLine(began(2), 5));
    const journal = await open();
    expect(callsOf(journal)).toEqual(['CALL2']);
    expect(said('journal file cannot be read: calls that were up may stay up')).toMatchObject([{ level: 'error' }]);
    await journal.append(began(3));
    expect(segments().filter((name) => name.includes('.unreadable-'))).toHaveLength(1);
    expect(segments().filter((name) => name.endsWith('.log'))).toEqual([segmentName(3)]);
  });

  it('starts with an empty segment as with none', async () => {
    mkdirSync(dir);
    writeFileSync(join(dir, segmentName(1)), '');
    expect(callsOf(await open())).toEqual([]);
    expect(logger.lines).toEqual([]);
  });
});

describe('a disk that fails', () => {
  it.each(['full', 'sync', 'create'] as const)(
    '(%s) refuses entries, loses none that it took, and heals',
    async (fault) => {
      const files = new MoodyFiles();
      const journal = await open({ files, segmentBytes: 300 });
      await journal.append(began(1));
      files.fault = fault;
      if (fault === 'create') await expect(journal.compact()).rejects.toThrow('EMFILE');
      for (let n = 3; n < 6; n++) await expect(journal.append(began(n))).rejects.toThrow(/ENOSPC|EIO|EMFILE/);
      expect(said('journal cannot be written: new calls are refused')).toHaveLength(1);
      const known = callsOf(journal);
      expect(known).toEqual(['CALL1']);
      files.fault = 'none';
      await journal.append(began(6));
      expect(said('journal is written again')).toHaveLength(1);
      expect(callsOf(await openAfterCrash())).toEqual([...known, 'CALL6']);
    },
  );

  it('that crashes the daemon while it is full loses nothing that was safe', async () => {
    const files = new MoodyFiles();
    const crashed = await open({ files });
    for (let n = 1; n <= 3; n++) await crashed.append(began(n));
    files.fault = 'full';
    await expect(crashed.append(ended(1))).rejects.toThrow('ENOSPC');
    await expect(crashed.append(ended(2))).rejects.toThrow('ENOSPC');
    expect(callsOf(await openAfterCrash())).toEqual(expect.arrayContaining(['CALL2', 'CALL3']));
  });

  it('that cannot take the end of a call does not keep the call open for ever', async () => {
    const files = new MoodyFiles();
    const journal = await open({ files });
    for (let n = 1; n <= 2; n++) await journal.append(began(n));
    files.fault = 'full';
    await expect(journal.append(ended(1))).rejects.toThrow('ENOSPC');
    files.fault = 'none';
    await journal.append(began(3));
    expect(callsOf(await openAfterCrash())).toEqual(['CALL2', 'CALL3']);
  });
});

describe('a disk that hangs', () => {
  const hanging: SegmentFiles = {
    ...systemSegmentFiles,
    create: async (path) => {
      const file = await systemSegmentFiles.create(path);
      return {
        append: (text) => file.append(text),
        sync: () => new Promise(() => undefined),
        close: () => file.close(),
      };
    },
  };

  it('is waited for by a bounded number of entries, and not for ever when the daemon stops', async () => {
    const clock = new FakeClock();
    const journal = await FileJournal.open({ dir, logger, clock, files: hanging });
    let settledOnes = 0;
    const count = (): void => {
      settledOnes++;
    };
    void journal.append(began(0)).then(count, count);
    await settled();
    for (let n = 1; n <= 10_000; n++) void journal.append(began(n)).then(count, count);
    await expect(journal.append(began(10_001))).rejects.toMatchObject({ code: 'SIP2WA_JOURNAL_BUSY' });
    expect(settledOnes).toBe(0);
    const closed = journal.close();
    clock.advance(5000);
    await closed;
    expect(said('journal not closed in time')).toMatchObject([{ level: 'error' }]);
    expect(readdirSync(dir)).not.toContain('lock');
  });
});

describe('the directory', () => {
  it('is for one daemon, until that is killed', async () => {
    mkdirSync(dir);
    const holder = spawn(process.execPath, ['-e', holdLock, dir]);
    try {
      await once(holder.stdout, 'data');
      await expect(open()).rejects.toMatchObject({
        code: 'SIP2WA_JOURNAL_IN_USE',
        message: `journal directory ${dir} is in use by process ${holder.pid}`,
      });
      const gone = once(holder, 'exit');
      holder.kill('SIGKILL');
      await gone;
      const journal = await open();
      await journal.close();
      expect(readdirSync(dir)).toEqual([]);
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it('is not taken from a live daemon with the same process id, as the next container has it', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({
      code: 'SIP2WA_JOURNAL_IN_USE',
      message: `journal directory ${dir} is in use by process ${process.pid}`,
    });
    await first.append(began(1));
    await first.close();
    expect(callsOf(await open())).toEqual(['CALL1']);
  });

  it('is locked also where its path is longer than that of a socket may be', async () => {
    dir = join(folder, 'a-directory-of-a-long-name'.repeat(5), 'journal');
    const first = await open();
    await expect(open()).rejects.toMatchObject({ code: 'SIP2WA_JOURNAL_IN_USE' });
    await first.close();
    await open();
  });

  it('is let go when the journal is closed, which then takes nothing more', async () => {
    const journal = await open();
    await journal.append(began(1));
    await journal.close();
    await journal.close();
    expect(readdirSync(dir)).toEqual([segmentName(1)]);
    await expect(journal.append(began(2))).rejects.toMatchObject({ code: 'SIP2WA_JOURNAL_CLOSED' });
  });

  it('writes what waits before it is closed', async () => {
    const journal = await open();
    const stored = journal.append(began(1));
    await journal.close();
    await stored;
    expect(callsOf(await open())).toEqual(['CALL1']);
  });

  it('that cannot be had is a typed error', async () => {
    writeFileSync(dir, '');
    chmodSync(dir, 0o600);
    await expect(open()).rejects.toMatchObject({ code: 'SIP2WA_JOURNAL_DIR' });
  });
});

/** Takes the lock of the directory that it is given, as another process would. */
const holdLock = `
  const socket = 'lock.' + process.pid + '.0';
  require('node:net').createServer().listen(process.argv[1] + '/' + socket, () => {
    require('node:fs').symlinkSync(socket, process.argv[1] + '/lock');
    console.log('up');
  });
`;
