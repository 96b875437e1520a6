import { describe, expect, it } from 'vitest';
import { recordOf } from '../../../support/call-records.js';
import { settled } from '../../../support/eventually.js';
import { asleepScene, httpScene, SPOOL, type Answer } from '../../../support/record-receiver.js';
import type { SpoolDisk } from '../../../support/spool-disk.js';

const noSpace = Object.assign(new Error('no space'), { code: 'ENOSPC' });
const never = (): Answer[] => Array<Answer>(500).fill(500);
/** Calls on the disk in the order in which the next start would send them. */
const spooledOn = ({ files }: SpoolDisk): string[] =>
  [...files.keys()].sort().map((path) => /^\/spool\/(?:rejected\/)?\d{17}-(\w+)\.json$/.exec(path)?.[1] ?? path);

describe('what is said of a record that is not wanted, or cannot be removed', () => {
  const refused = 'call record refused by its receiver';

  it('in memory alone: it waits there to be put aside, and is once the disk is well', async () => {
    const { sink, disk, files, receiver, logger, clock } = httpScene();
    receiver.answers = [400];
    files.fault = noSpace;
    await sink.write(recordOf('01A'));
    await settled();
    expect(logger.lines.at(-1)).toMatchObject({
      level: 'error',
      message: `${refused}: waits in memory to be put aside`,
      fields: { call: '01A', status: 400, err: noSpace },
    });
    expect([sink.backlog, spooledOn(disk)]).toMatchObject([{ records: 0, bytes: 4096 }, []]);
    files.fault = undefined;
    clock.advance(5_000);
    await settled();
    expect([...disk.files.keys()]).toEqual([expect.stringMatching(/^\/spool\/rejected\/\d{17}-01A\.json$/)]);
    expect(receiver.requests).toHaveLength(1);
    await sink.close();
    expect(logger.lines.filter(({ message }) => /lost/.test(message))).toEqual([]);
  });

  it('in memory alone, and the disk is never well again: it is lost, and counted so', async () => {
    const { sink, files, receiver, logger } = httpScene();
    receiver.answers = [400];
    files.fault = noSpace;
    await sink.write(recordOf('01A'));
    await settled();
    logger.lines.length = 0;
    await sink.close();
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { lost: 1 } }]);
  });

  it('those in memory that nobody wants make room for newer ones first', async () => {
    const { sink, files, receiver, counted, clock } = httpScene({ limitBytes: 2 * 4096 });
    receiver.answers = [200, 400, 500];
    files.make = () => Promise.reject(noSpace);
    for (const call of ['01A', '01B', '01C', '01D']) {
      await sink.write(recordOf(call));
      await settled();
    }
    expect(counted).toEqual({ unspooled: 4, sent: 1, rejected: 1, dropped: 1 });
    clock.advance(1_000);
    await settled();
    expect(receiver.taken).toEqual(['01A', '01C', '01D']);
  });

  it('on the disk: it stays there to be put aside, and a start before that sends it again', async () => {
    const { sink, disk, files, receiver, logger } = httpScene();
    receiver.answers = [400];
    await sink.write(recordOf('01A'));
    files.broken.add('rename');
    await settled();
    expect(logger.lines).toMatchObject([
      {
        message: `${refused}: waits on the disk, where a start would send it again, to be put aside`,
        fields: { call: '01A' },
      },
    ]);
    const next = httpScene({}, disk);
    await settled();
    expect(next.receiver.taken).toEqual(['01A']);
  });

  it('whose file is gone: that it is', async () => {
    const { sink, files, disk, logger } = asleepScene();
    disk.files.set(`${SPOOL}/00000000000000001-01A.json`, JSON.stringify(recordOf('01A')));
    const read = files.read.bind(files);
    files.read = (path) => {
      disk.files.delete(path);
      return read(path);
    };
    sink.wake();
    await settled();
    expect(logger.lines.map(({ message }) => message)).toEqual(['call record cannot be read: it is gone']);
  });

  it('sent, and its file cannot be removed: a start before it can be sends it again; none is said of one that was never on the disk', async () => {
    const { sink, disk, files, receiver, logger } = httpScene();
    receiver.answers = [200, 200, ...never()];
    files.broken.add('remove');
    await sink.write(recordOf('01A'));
    await settled();
    const message = 'call record was sent, but its file cannot be removed yet: a start before that sends it again';
    expect(logger.lines).toMatchObject([{ level: 'error', message, fields: { call: '01A' } }]);
    expect([spooledOn(disk), sink.backlog.records]).toEqual([['01A'], 0]);
    logger.lines.length = 0;
    files.fault = noSpace;
    await sink.write(recordOf('01B'));
    await settled();
    expect(receiver.taken).toEqual(['01A', '01B']);
    expect(logger.lines.map((line) => line.message)).toEqual(['call records cannot be spooled: they wait in memory']);
  });
});
