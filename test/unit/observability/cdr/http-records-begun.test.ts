import { describe, expect, it } from 'vitest';
import { recordOf } from '../../../support/call-records.js';
import { settled } from '../../../support/eventually.js';
import { asleepScene, SPOOL, type Answer } from '../../../support/record-receiver.js';
import type { DiskOfProcess, SpoolDisk } from '../../../support/spool-disk.js';

const never = (): Answer[] => Array<Answer>(500).fill(500);
const LEFT = `${SPOOL}/00000000000000001-01A.json`;
const placesOn = ({ files }: SpoolDisk): string[] =>
  [...files.keys()].map((path) => path.replace(/\/\d{17}-(\w+)\.json$/, '/$1')).sort();
const posted = (requests: readonly { readonly call: string }[]): string[] => requests.map(({ call }) => call);
const mend = (files: DiskOfProcess): void => {
  files.broken.clear();
  files.fault = undefined;
};

/** What the next start would send if the process were killed now. */
async function nextStart(disk: SpoolDisk): Promise<string[]> {
  const next = asleepScene({}, disk);
  next.sink.wake();
  await settled();
  return posted(next.receiver.requests);
}

describe('a record whose file was begun', () => {
  it('and that is refused is put aside once, and not sent again, when the disk is well', async () => {
    const { sink, disk, files, receiver, clock } = asleepScene();
    sink.wake();
    await settled();
    receiver.answers = [400];
    files.broken.add('syncDirectory');
    await sink.write(recordOf('01A'));
    for (const step of ['rename', 'remove'] as const) files.broken.add(step);
    await settled();
    expect([posted(receiver.requests), placesOn(disk)]).toEqual([['01A'], ['/spool/01A']]);
    mend(files);
    clock.advance(5_000);
    await settled();
    expect([placesOn(disk), sink.backlog]).toMatchObject([['/spool/rejected/01A'], { records: 0, bytes: 4096 }]);
    expect([await nextStart(disk), placesOn(disk), clock.armed]).toEqual([[], ['/spool/rejected/01A'], 0]);
  });

  it('is not called dropped: there is room for it on the disk, where the next start finds it', async () => {
    const { sink, disk, files, receiver, counted, logger } = asleepScene({ limitBytes: 3 * 4096 });
    receiver.answers = never();
    await sink.write(recordOf('01A'));
    files.broken.add('syncDirectory');
    await sink.write(recordOf('01B'));
    await sink.write(recordOf('01C'));
    files.broken.add('remove');
    for (const call of ['01D', '01E', '01F', '01G']) await sink.write(recordOf(call));
    const dropped = logger.lines.flatMap(({ fields }) => (fields['calls'] as string[] | undefined) ?? []);
    expect([counted['dropped'], dropped]).toEqual([1, ['01D']]);
    expect(await nextStart(disk)).toEqual(['01A', '01B', '01C']);
  });

  it('is sent from its file when memory is needed for others', async () => {
    const { sink, files, receiver } = asleepScene({ limitBytes: 3 * 4096 });
    await sink.write(recordOf('01A'));
    files.broken.add('syncDirectory');
    await sink.write(recordOf('01B'));
    await sink.write(recordOf('01C'));
    files.broken.add('remove');
    for (const call of ['01D', '01E']) await sink.write(recordOf(call));
    sink.wake();
    await settled();
    expect(posted(receiver.requests)).toEqual(['01A', '01B', '01C', '01D', '01E']);
  });
});

describe('a record that is done with', () => {
  it('and whose file cannot be removed goes as soon as it can, and is not sent again', async () => {
    const { sink, disk, files, receiver, clock } = asleepScene();
    await sink.write(recordOf('01A'));
    files.broken.add('remove');
    sink.wake();
    await settled();
    expect([posted(receiver.requests), placesOn(disk)]).toEqual([['01A'], ['/spool/01A']]);
    clock.advance(5_000);
    await settled();
    mend(files);
    clock.advance(5_000);
    await settled();
    expect([placesOn(disk), await nextStart(disk), clock.armed]).toEqual([[], [], 0]);
  });

  it('and cannot be put aside is as soon as it can, and is not refused twice', async () => {
    const { sink, disk, files, receiver, clock, counted } = asleepScene();
    await sink.write(recordOf('01A'));
    receiver.answers = [400];
    files.broken.add('rename');
    sink.wake();
    await settled();
    expect(placesOn(disk)).toEqual(['/spool/01A']);
    mend(files);
    clock.advance(5_000);
    await settled();
    expect([placesOn(disk), await nextStart(disk), clock.armed]).toEqual([['/spool/rejected/01A'], [], 0]);
    expect([counted, sink.backlog.bytes]).toEqual([{ rejected: 1 }, 4096]);
  });

  it('is what lies in both folders: the power went as it was put aside', async () => {
    const { disk } = asleepScene();
    disk.files.set(LEFT, JSON.stringify(recordOf('01A')));
    disk.files.set(LEFT.replace(SPOOL, `${SPOOL}/rejected`), JSON.stringify(recordOf('01A')));
    expect([await nextStart(disk), placesOn(disk)]).toEqual([[], ['/spool/rejected/01A']]);
  });
});

describe('a record that an earlier run left in a folder that could not be read', () => {
  /** The journal gives the same call again, and it is posted from memory. */
  async function unreadScene(answers: Answer[]) {
    const scene = asleepScene();
    scene.disk.files.set(LEFT, JSON.stringify(recordOf('01A')));
    scene.files.broken.add('list');
    scene.receiver.answers = answers;
    await scene.sink.write(recordOf('01A'));
    scene.sink.wake();
    await settled();
    return scene;
  }

  it.each<[string, Answer[], string[]]>([
    ['taken', [200], []],
    ['refused', [400], ['/spool/rejected/01A']],
    ['taken only after it could be read', [500, 200], []],
    ['refused only after it could be read', [500, 400], ['/spool/rejected/01A']],
  ])('is not sent beside the one in memory that was %s', async (_, answers, places) => {
    const { sink, disk, files, receiver, clock } = await unreadScene([...answers]);
    mend(files);
    for (let second = 0; second < 15; second++) {
      clock.advance(1_000);
      await settled();
    }
    expect(receiver.requests.map(({ answer }) => answer)).toEqual(answers);
    expect([placesOn(disk), sink.backlog]).toMatchObject([places, { records: 0, bytes: places.length * 4096 }]);
    expect(await nextStart(disk)).toEqual([]);
  });

  it('is still there when the process dies before the one in memory was taken', async () => {
    const { disk, files, clock } = await unreadScene(never());
    mend(files);
    clock.advance(5_000);
    await settled();
    expect([placesOn(disk), await nextStart(disk)]).toEqual([['/spool/01A'], ['01A']]);
  });
});
