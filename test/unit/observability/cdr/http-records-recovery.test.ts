import { describe, expect, it } from 'vitest';
import { deferred } from '../../../../src/lib/deferred.js';
import { recordOf } from '../../../support/call-records.js';
import { settled } from '../../../support/eventually.js';
import { asleepScene, httpScene, SPOOL, type Answer } from '../../../support/record-receiver.js';
import type { SpoolDisk } from '../../../support/spool-disk.js';

const noSpace = Object.assign(new Error('no space'), { code: 'ENOSPC' });
const never = (): Answer[] => Array<Answer>(500).fill(500);
/** Calls on the disk in the order in which the next start would send them. */
const spooledOn = ({ files }: SpoolDisk): string[] =>
  [...files.keys()].sort().map((path) => /^\/spool\/(?:rejected\/)?\d{17}-(\w+)\.json$/.exec(path)?.[1] ?? path);

describe('records that waited in memory while the disk was broken', () => {
  async function brokenScene(calls: readonly string[], answers = never()) {
    const scene = httpScene();
    scene.receiver.answers = answers;
    scene.files.fault = noSpace;
    for (const call of calls) await scene.sink.write(recordOf(call));
    await settled();
    return scene;
  }

  it('are written within 5 s of its recovery, in order, without a newer one to come', async () => {
    const { disk, files, clock, logger, sink } = await brokenScene(['01C', '01A', '01B']);
    expect(spooledOn(disk)).toEqual([]);
    files.fault = undefined;
    clock.advance(5_000);
    await settled();
    expect(spooledOn(disk)).toEqual(['01C', '01A', '01B']);
    expect([...disk.files.values()].map((text) => JSON.parse(text) as unknown)).toEqual(
      ['01C', '01A', '01B'].map((call) => recordOf(call)),
    );
    expect(sink.backlog).toMatchObject({ records: 3, bytes: 3 * 4096 });
    expect(logger.lines.filter(({ message }) => message === 'call records are spooled again')).toHaveLength(1);
    // Whoever comes after a crash has them all.
    const next = httpScene({}, disk);
    await settled();
    expect([next.receiver.taken, spooledOn(disk)]).toEqual([['01C', '01A', '01B'], []]);
  });

  it('are tried again every 5 s as long as it is broken, and that is said once', async () => {
    const { disk, files, clock, logger } = await brokenScene(['01A']);
    const writes: number[] = [];
    const write = files.write.bind(files);
    files.write = (path, text) => {
      writes.push(clock.monotonicMs());
      return write(path, text);
    };
    for (let second = 0; second < 16; second++) {
      clock.advance(1_000);
      await settled();
    }
    expect(writes).toEqual([5_000, 10_000, 15_000]);
    expect(logger.lines.filter(({ message }) => /cannot be spooled/.test(message))).toHaveLength(1);
    files.fault = undefined;
    clock.advance(5_000);
    await settled();
    expect([spooledOn(disk), writes.length]).toEqual([['01A'], 4]);
    clock.advance(60_000);
    await settled();
    expect(writes).toHaveLength(4);
  });

  it('follow the next record that the disk takes, before its turn to be sent', async () => {
    const { sink, disk, files, receiver, clock } = await brokenScene(['01A', '01B'], [500]);
    files.fault = undefined;
    await sink.write(recordOf('01C'));
    await settled();
    expect([spooledOn(disk), receiver.taken]).toEqual([['01A', '01B', '01C'], []]);
    clock.advance(1_000);
    await settled();
    expect([spooledOn(disk), receiver.taken, receiver.requests.length]).toEqual([[], ['01A', '01B', '01C'], 4]);
  });

  it('are all written, however many they are, and a newer one does not wait for all of them', async () => {
    const calls = Array.from({ length: 200 }, (_, index) => `C${String(index).padStart(3, '0')}`);
    const { sink, disk, files, clock } = await brokenScene(calls);
    const written: string[] = [];
    const rename = files.rename.bind(files);
    files.rename = (from, to) => {
      written.push(/-(\w+)\.json$/.exec(to)?.[1] ?? to);
      if (written.length === 10) void sink.write(recordOf('D000'));
      return rename(from, to);
    };
    files.fault = undefined;
    clock.advance(5_000);
    await settled();
    expect(written.slice(0, 10)).toEqual(calls.slice(0, 10));
    expect(written.indexOf('D000')).toBeLessThan(100);
    expect(spooledOn(disk)).toEqual([...calls, 'D000']);
  });

  it('are not there again when the receiver takes one just while it is written', async () => {
    const { sink, disk, files, clock, receiver } = await brokenScene(['01A', '01B'], [500, 500, 500, 200, ...never()]);
    const renamed = deferred<undefined>();
    const rename = files.rename.bind(files);
    files.fault = undefined;
    files.rename = async (from, to) => {
      await renamed.promise;
      return rename(from, to);
    };
    // Sent at 0, 1, 3 and 7 s; written from 5 s on.
    for (const ms of [1_000, 2_000, 2_000, 2_000]) {
      clock.advance(ms);
      await settled();
    }
    expect([receiver.taken, spooledOn(disk)]).toEqual([['01A'], [expect.stringMatching(/-01A\.json\.new$/)]]);
    renamed.resolve(undefined);
    await settled();
    expect([spooledOn(disk), sink.backlog.records]).toEqual([['01B'], 1]);
    receiver.answers = [];
    clock.advance(300_000);
    await settled();
    expect(receiver.requests.filter(({ answer }) => answer === 200).map(({ call }) => call)).toEqual(['01A', '01B']);
    expect(spooledOn(disk)).toEqual([]);
  });

  it.each(['rename', 'syncDirectory'] as const)(
    'are written once each when %s was what failed, and leave nothing once they are sent',
    async (step) => {
      const { sink, disk, files, clock, receiver } = httpScene();
      receiver.answers = never();
      files.broken.add(step);
      await sink.write(recordOf('01A'));
      await sink.write(recordOf('01B'));
      clock.advance(5_000);
      await settled();
      files.broken.clear();
      clock.advance(5_000);
      await settled();
      expect(spooledOn(disk)).toEqual(['01A', '01B']);
      receiver.answers = [];
      clock.advance(300_000);
      await settled();
      expect(receiver.requests.filter(({ answer }) => answer === 200).map(({ call }) => call)).toEqual(['01A', '01B']);
      expect([spooledOn(disk), sink.backlog]).toEqual([[], { records: 0, bytes: 0, oldestMs: 0 }]);
    },
  );

  it('are not doubled by what an earlier run left of the same call', async () => {
    const first = asleepScene();
    first.disk.files.set(`${SPOOL}/00000000000000001-01A.json`, JSON.stringify(recordOf('01A')));
    const { sink, files, clock, disk } = first;
    files.broken.add('list');
    await sink.write(recordOf('01A'));
    await sink.write(recordOf('01B'));
    files.broken.clear();
    clock.advance(5_000);
    await settled();
    expect([spooledOn(disk), sink.backlog.records]).toEqual([['01A', '01B'], 2]);
    sink.wake();
    await settled();
    expect(first.receiver.requests.map(({ call }) => call)).toEqual(['01A', '01B']);
  });

  it('of an earlier run are sent as soon as its folder can be read, without a newer one to come', async () => {
    const { sink, disk, files, clock, receiver } = asleepScene();
    disk.files.set(`${SPOOL}/00000000000000001-01A.json`, JSON.stringify(recordOf('01A')));
    files.broken.add('list');
    sink.wake();
    await settled();
    expect(receiver.taken).toEqual([]);
    files.broken.clear();
    clock.advance(5_000);
    await settled();
    expect([receiver.taken, spooledOn(disk), clock.armed]).toEqual([['01A'], [], 0]);
  });

  it('come back to a folder that somebody took away', async () => {
    const { sink, disk, files, clock } = await brokenScene([]);
    files.fault = undefined;
    let isThere = false;
    const [make, write] = [files.make.bind(files), files.write.bind(files)];
    files.make = () => {
      isThere = true;
      return make();
    };
    files.write = (path, text) =>
      isThere ? write(path, text) : Promise.reject(Object.assign(new Error('gone'), { code: 'ENOENT' }));
    await sink.write(recordOf('01A'));
    expect(spooledOn(disk)).toEqual([]);
    clock.advance(5_000);
    await settled();
    expect(spooledOn(disk)).toEqual(['01A']);
  });

  it('come back to a disk that lost what it had written and could not make safe', async () => {
    const { sink, disk, files, clock } = await brokenScene([]);
    files.fault = undefined;
    files.broken.add('syncDirectory');
    await sink.write(recordOf('01A'));
    expect(spooledOn(disk)).toEqual(['01A']);
    disk.files.clear();
    files.broken.clear();
    clock.advance(5_000);
    await settled();
    expect(spooledOn(disk)).toEqual(['01A']);
  });

  it('are written at the stop, if the disk takes them by then, and are not called lost', async () => {
    const { sink, disk, files, logger, clock } = await brokenScene(['01A', '01B']);
    files.fault = undefined;
    logger.lines.length = 0;
    await sink.close();
    expect(spooledOn(disk)).toEqual(['01A', '01B']);
    expect(logger.lines.map(({ message, fields }) => [message, fields?.['records']])).toEqual([
      ['call records are spooled again', undefined],
      ['call records wait for the next start', 2],
    ]);
    expect(clock.armed).toBe(0);
  });

  it('let a daemon that stops go, also when the disk is still broken', async () => {
    const { sink, logger, clock } = await brokenScene(['01A', '01B']);
    logger.lines.length = 0;
    await sink.close();
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { lost: 2 } }]);
    expect(clock.armed).toBe(0);
  });

  it('take up no more of the disk than they may once they are on it: the oldest but one go', async () => {
    const scene = httpScene({ limitBytes: 3 * 4096 });
    const { sink, disk, files, clock, receiver, counted } = scene;
    receiver.answers = never();
    for (const call of ['01A', '01B', '01C']) await sink.write(recordOf(call));
    files.fault = noSpace;
    files.broken.add('remove');
    for (const call of ['01D', '01E']) await sink.write(recordOf(call));
    expect([spooledOn(disk).slice(0, 3), sink.backlog.records]).toEqual([['01A', '01B', '01C'], 5]);
    files.fault = undefined;
    files.broken.clear();
    clock.advance(5_000);
    await settled();
    expect([spooledOn(disk), sink.backlog]).toMatchObject([['01A', '01D', '01E'], { records: 3, bytes: 3 * 4096 }]);
    expect(counted).toEqual({ unspooled: 2, dropped: 2 });
  });
});
