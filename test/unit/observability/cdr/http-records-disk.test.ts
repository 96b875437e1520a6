import { describe, expect, it } from 'vitest';
import { recordOf } from '../../../support/call-records.js';
import { settled } from '../../../support/eventually.js';
import { httpScene, SPOOL, type Answer } from '../../../support/record-receiver.js';

const FIRST = '00000000000000001-01A.json';
const SECOND = '00000000000000002-01B.json';

/** Two records that an earlier run left. */
function sceneOfTwo() {
  const scene = httpScene();
  for (const [name, call] of [
    [FIRST, '01A'],
    [SECOND, '01B'],
  ] as const)
    scene.disk.files.set(`${SPOOL}/${name}`, JSON.stringify(recordOf(call)));
  return scene;
}

describe('records whose file cannot be read', () => {
  it.each(['EACCES', 'EPERM', 'EISDIR'])('are put aside at %s, and hold nothing up', async (code) => {
    const { receiver, disk, files, logger, counted } = sceneOfTwo();
    files.unreadable.set(`${SPOOL}/${FIRST}`, code);
    await settled();
    expect([receiver.taken, [...disk.files.keys()]]).toEqual([['01B'], [`${SPOOL}/rejected/${FIRST}`]]);
    expect(counted).toEqual({ rejected: 1, sent: 1 });
    expect(logger.lines).toMatchObject([
      { level: 'error', fields: { call: '01A', status: 0, said: `the spooled file cannot be read: ${code}` } },
    ]);
  });

  it('are given up when it is gone, and hold nothing up', async () => {
    const { sink, receiver, disk, files, logger, counted } = sceneOfTwo();
    const read = files.read.bind(files);
    files.read = (path) => {
      disk.files.delete(`${SPOOL}/${FIRST}`);
      return read(path);
    };
    await settled();
    expect([receiver.taken, [...disk.files.keys()]]).toEqual([['01B'], []]);
    expect([counted, sink.backlog.records, sink.backlog.bytes]).toEqual([{ rejected: 1, sent: 1 }, 0, 0]);
    expect(logger.lines).toMatchObject([
      { level: 'error', fields: { call: '01A', status: 0, said: 'the spooled file cannot be read: ENOENT' } },
    ]);
  });

  it('wait for a disk that is at fault itself', async () => {
    const { receiver, files, counted, clock } = sceneOfTwo();
    files.unreadable.set(`${SPOOL}/${FIRST}`, 'EIO');
    await settled();
    expect([receiver.taken, counted]).toEqual([[], {}]);
    files.unreadable.clear();
    clock.advance(1_000);
    await settled();
    expect(receiver.taken).toEqual(['01A', '01B']);
  });
});

describe('a disk that takes no records', () => {
  const noSpace = Object.assign(new Error('no space'), { code: 'ENOSPC' });

  it.each(['write', 'rename'])('is left without the file that a failed %s began', async (step) => {
    const { sink, disk, files } = httpScene();
    if (step === 'write') files.fault = noSpace;
    else files.rename = () => Promise.reject(noSpace);
    await sink.write(recordOf('01A'));
    expect([[...disk.files.keys()], sink.backlog.records]).toEqual([[], 1]);
  });

  it('is said to fail as it did, also when the begun file cannot be removed', async () => {
    const { sink, files, logger } = httpScene();
    files.fault = noSpace;
    files.remove = () => Promise.reject(new Error('not that either'));
    await sink.write(recordOf('01A'));
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { records: 1, err: noSpace } }]);
  });

  it('loses what it never took when the daemon stops: that is an error, and told apart from what waits', async () => {
    const { sink, receiver, files, logger } = httpScene();
    receiver.answers = Array<Answer>(9).fill(500);
    await sink.write(recordOf('01A'));
    files.fault = noSpace;
    await sink.write(recordOf('01B'));
    await sink.write(recordOf('01C'));
    logger.lines.length = 0;
    await sink.close();
    expect(logger.lines).toMatchObject([
      { level: 'error', message: 'call records are lost: the disk never took them', fields: { lost: 2 } },
      { level: 'info', message: 'call records wait for the next start', fields: { records: 1 } },
    ]);
  });

  it('makes no promise of a next start to those in memory alone', async () => {
    const { sink, receiver, files, logger } = httpScene();
    receiver.answers = [500];
    files.fault = noSpace;
    await sink.write(recordOf('01A'));
    logger.lines.length = 0;
    await sink.close();
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { lost: 1 } }]);
  });

  it('has no more waiting in memory than it may take up itself: the oldest go, but not the one being sent', async () => {
    const { sink, receiver, files, logger, counted, clock } = httpScene({ limitBytes: 3 * 4096 });
    receiver.answers = [500];
    files.make = () => Promise.reject(noSpace);
    for (const call of ['01A', '01B', '01C', '01D', '01E']) {
      await sink.write(recordOf(call));
      await settled();
    }
    expect(counted).toEqual({ unspooled: 5, dropped: 2 });
    expect(sink.backlog).toMatchObject({ records: 3, bytes: 3 * 4096 });
    const dropped = logger.lines.filter(({ message }) => message === 'call records dropped: the spool is full');
    expect(dropped.map(({ fields }) => fields)).toMatchObject([{ calls: ['01B'] }, { calls: ['01C'] }]);
    clock.advance(1_000);
    await settled();
    expect(receiver.taken).toEqual(['01A', '01D', '01E']);
  });
});
