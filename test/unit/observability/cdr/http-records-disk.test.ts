import { describe, expect, it } from 'vitest';
import { recordOf } from '../../../support/call-records.js';
import { settled } from '../../../support/eventually.js';
import { httpScene, SPOOL } from '../../../support/record-receiver.js';

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
    const { sink, receiver, disk, files, logger, counted } = sceneOfTwo();
    files.unreadable.set(`${SPOOL}/${FIRST}`, code);
    sink.wake();
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
    sink.wake();
    await settled();
    expect([receiver.taken, [...disk.files.keys()]]).toEqual([['01B'], []]);
    expect([counted, sink.backlog.records, sink.backlog.bytes]).toEqual([{ rejected: 1, sent: 1 }, 0, 0]);
    expect(logger.lines).toMatchObject([
      { level: 'error', fields: { call: '01A', status: 0, said: 'the spooled file cannot be read: ENOENT' } },
    ]);
  });

  it('wait for a disk that is at fault itself', async () => {
    const { sink, receiver, files, counted, clock } = sceneOfTwo();
    files.unreadable.set(`${SPOOL}/${FIRST}`, 'EIO');
    sink.wake();
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
});
