import { describe, expect, it } from 'vitest';
import { recordOf } from '../../../support/call-records.js';
import { settled } from '../../../support/eventually.js';
import { asleepScene, httpScene, RECEIVER, SPOOL, type Answer } from '../../../support/record-receiver.js';

const callsOf = (requests: readonly { readonly call: string }[]): string[] => requests.map(({ call }) => call);

describe('records over HTTP', () => {
  it('are on the disk before they are tried, and gone from it when they are taken', async () => {
    const { sink, receiver, disk, counted } = httpScene();
    receiver.answers = ['silent'];
    await sink.write(recordOf('01A'));
    expect(disk.files.size).toBe(1);
    await settled();
    expect(receiver.requests).toMatchObject([
      { call: '01A', key: '01A', token: 'Bearer secret-token', url: RECEIVER, redirect: 'manual' },
    ]);
    const { sink: other, receiver: second, disk: free } = httpScene();
    await other.write(recordOf('01B'));
    await settled();
    expect([second.taken, [...free.files], other.backlog.records]).toEqual([['01B'], [], 0]);
    expect(counted).toEqual({});
  });

  it('go one at a time and in order, however the receiver answers', async () => {
    const { sink, receiver, clock } = httpScene();
    receiver.answers = [500, 503, 'unreachable', 200, 429, 200, 302];
    for (const call of ['01A', '01B', '01C', '01D']) void sink.write(recordOf(call));
    for (let turn = 0; turn < 12; turn++) {
      await settled();
      clock.fireNext(Number.POSITIVE_INFINITY);
    }
    expect(callsOf(receiver.requests)).toEqual(['01A', '01A', '01A', '01A', '01B', '01B', '01C', '01C', '01D']);
    expect(sink.backlog).toEqual({ records: 0, bytes: 0, oldestMs: 0 });
  });

  it('wait longer and longer for a receiver that fails, up to five minutes, and by chance up to half as long', async () => {
    const pausesOf = async (random: () => number): Promise<number[]> => {
      const { sink, receiver, clock } = httpScene({ random });
      receiver.answers = Array<Answer>(12).fill(500);
      void sink.write(recordOf('01A'));
      while (receiver.requests.length < 12) {
        await settled();
        clock.fireNext(Number.POSITIVE_INFINITY);
      }
      return receiver.requests.slice(1).map(({ atMs }, index) => atMs - (receiver.requests[index]?.atMs ?? 0));
    };
    const seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
    expect(await pausesOf(() => 0)).toEqual(seconds.map((s) => s * 1000));
    expect(await pausesOf(() => 1)).toEqual(seconds.map((s) => s * 500));
  });

  it.each([
    ['7', 7_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['999999', 600_000],
    ['soon', 1_000],
    ['-5', 1_000],
  ])('wait as long as Retry-After: %s says', async (retryAfter, pauseMs) => {
    const { sink, receiver, clock } = httpScene();
    receiver.answers = [503];
    receiver.headers = { 'retry-after': retryAfter };
    void sink.write(recordOf('01A'));
    await settled();
    clock.advance(pauseMs - 1);
    await settled();
    expect(receiver.requests).toHaveLength(1);
    clock.advance(1);
    await settled();
    expect(receiver.requests).toHaveLength(2);
  });

  it('are tried again when there is no answer within 10 s, with the same key', async () => {
    const { sink, receiver, clock } = httpScene();
    receiver.answers = ['silent', 200];
    void sink.write(recordOf('01A'));
    await settled();
    clock.advance(9_999);
    await settled();
    expect(clock.armed).toBe(1);
    clock.advance(1);
    await settled();
    clock.advance(1_000);
    await settled();
    expect(receiver.requests.map(({ key }) => key)).toEqual(['01A', '01A']);
    expect(sink.backlog.records).toBe(0);
  });

  it.each([400, 402, 406, 410, 413, 415, 422])('are put aside at status %i, and hold nothing up', async (status) => {
    const { sink, receiver, disk, logger, counted } = httpScene();
    receiver.answers = [status];
    await Promise.all([sink.write(recordOf('01A')), sink.write(recordOf('01B'))]);
    await settled();
    expect(callsOf(receiver.requests)).toEqual(['01A', '01B']);
    const [[path, text] = ['', ''], ...others] = [...disk.files];
    expect(others).toEqual([]);
    expect(path).toMatch(/^\/spool\/rejected\/\d{17}-01A\.json$/);
    expect(JSON.parse(text)).toEqual(recordOf('01A'));
    expect(counted).toEqual({ rejected: 1, sent: 1 });
    expect(logger.lines).toMatchObject([
      {
        level: 'error',
        message: 'call record refused by its receiver: put aside',
        fields: { call: '01A', status, said: 'as you like' },
      },
    ]);
  });

  it.each([401, 403, 404, 405, 407, 408, 409, 425, 429, 500, 302])(
    'are kept and tried again at status %i',
    async (status) => {
      const { sink, receiver, clock, counted, disk } = httpScene();
      receiver.answers = [status, 200];
      void sink.write(recordOf('01A'));
      await settled();
      expect([disk.files.size, counted]).toEqual([1, {}]);
      clock.advance(1_000);
      await settled();
      expect([disk.files.size, counted]).toEqual([0, { sent: 1 }]);
    },
  );

  it('that were put aside are sent again when they are moved back', async () => {
    const first = httpScene();
    first.receiver.answers = [400];
    await first.sink.write(recordOf('01A'));
    await settled();
    const [path = ''] = first.disk.files.keys();
    first.disk.files.set(path.replace('/rejected', ''), first.disk.files.get(path) ?? '');
    first.disk.files.delete(path);
    const second = httpScene({}, first.disk);
    await settled();
    expect([second.receiver.taken, first.disk.files.size]).toEqual([['01A'], 0]);
  });

  it('take a new token and a new address at once, not after the pause', async () => {
    const target = { url: RECEIVER, token: 'old' };
    const { sink, receiver, clock } = httpScene({ receiver: () => target });
    receiver.answers = [401];
    void sink.write(recordOf('01A'));
    await settled();
    Object.assign(target, { url: 'https://other.example/', token: 'new' });
    sink.wake();
    await settled();
    expect(receiver.requests.map(({ url, token }) => [url, token])).toEqual([
      [RECEIVER, 'Bearer old'],
      ['https://other.example/', 'Bearer new'],
    ]);
    expect(clock.armed).toBe(0);
  });

  it('go nowhere and leave nothing without a receiver, until there is one', async () => {
    const target = { url: '', token: '' };
    const { sink, receiver, disk, clock } = httpScene({ receiver: () => target });
    await sink.write(recordOf('01A'));
    await settled();
    expect([receiver.requests, disk.files.size, clock.armed]).toEqual([[], 0, 0]);
    target.url = RECEIVER;
    sink.wake();
    await sink.write(recordOf('01B'));
    await settled();
    expect(receiver.requests.map(({ call, token }) => [call, token])).toEqual([['01B', null]]);
  });

  it('make room for newer ones when the disk is used up: refused ones first, then the oldest; loudly', async () => {
    const { sink, receiver, logger, counted, disk, clock } = httpScene({ limitBytes: 4 * 4096 });
    receiver.answers = [400, ...Array<Answer>(9).fill(500)];
    for (const call of ['01A', '01B', '01C', '01D', '01E', '01F']) {
      await sink.write(recordOf(call));
      await settled();
    }
    const left = [...disk.files.keys()].map((path) => path.slice(SPOOL.length + 19, -5));
    expect(left).toEqual(['01B', '01D', '01E', '01F']);
    expect(counted).toEqual({ rejected: 1, dropped: 2 });
    expect(sink.backlog).toMatchObject({ records: 4, bytes: 4 * 4096 });
    const dropped = logger.lines.filter(({ message }) => message === 'call records dropped: the spool is full');
    expect(dropped).toMatchObject([
      { level: 'error', fields: { calls: ['01A'] } },
      { level: 'error', fields: { calls: ['01C'] } },
    ]);
    receiver.answers = [];
    clock.advance(300_000);
    await settled();
    expect(receiver.taken).toEqual(['01B', '01D', '01E', '01F']);
  });

  it('wait in memory while the disk takes none, and are sent all the same', async () => {
    const { sink, receiver, files, logger, counted, disk, clock } = httpScene();
    receiver.answers = [500];
    files.fault = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    await sink.write(recordOf('01A'));
    await sink.write(recordOf('01B'));
    files.fault = undefined;
    await sink.write(recordOf('01C'));
    await settled();
    clock.advance(1_000);
    await settled();
    expect([receiver.taken, disk.files.size]).toEqual([['01A', '01B', '01C'], 0]);
    expect(counted).toEqual({ unspooled: 2, sent: 3 });
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'call records cannot be spooled: they wait in memory',
      'call records are not taken: tried again',
      'call records are spooled again',
    ]);
  });

  it('of a file that a power cut left empty are put aside, and hold nothing up', async () => {
    const first = httpScene();
    first.disk.files.set(`${SPOOL}/00000000000000001-01A.json`, '');
    first.disk.files.set(`${SPOOL}/00000000000000002-01B.json`, JSON.stringify(recordOf('01B')));
    first.disk.files.set(`${SPOOL}/notes.txt`, 'not ours');
    first.disk.files.set(`${SPOOL}/00000000000000003-01C.json.new`, 'half of i');
    await settled();
    expect(first.receiver.taken).toEqual(['01B']);
    expect([...first.disk.files.keys()].sort()).toEqual([
      `${SPOOL}/notes.txt`,
      `${SPOOL}/rejected/00000000000000001-01A.json`,
    ]);
  });

  it('tell how many wait and for how long', async () => {
    const { sink, receiver, clock } = httpScene();
    receiver.answers = Array<Answer>(20).fill(500);
    await sink.write(recordOf('01A'));
    await settled();
    clock.advance(60_000);
    await sink.write(recordOf('01B'));
    expect(sink.backlog).toEqual({ records: 2, bytes: 2 * 4096, oldestMs: 60_000 });
  });

  it('that are left when the daemon stops are sent at the next start, before newer ones', async () => {
    const first = httpScene();
    first.receiver.answers = [500];
    await first.sink.write(recordOf('01A'));
    await settled();
    await first.sink.close();
    expect([first.clock.armed, first.logger.lines.at(-1)?.message]).toEqual([
      0,
      'call records wait for the next start',
    ]);
    const second = httpScene({}, first.disk);
    void second.sink.write(recordOf('01B'));
    await settled();
    expect(callsOf(second.receiver.requests)).toEqual(['01A', '01B']);
  });

  it('are kept but not sent before the daemon is up, then in order', async () => {
    const { sink, receiver, disk, clock } = asleepScene();
    await sink.write(recordOf('01A'));
    await sink.write(recordOf('01B'));
    await settled();
    expect([receiver.requests, disk.files.size, clock.armed]).toEqual([[], 2, 0]);
    sink.wake();
    await settled();
    expect([receiver.taken, disk.files.size]).toEqual([['01A', '01B'], 0]);
  });

  it('never show the token in the log', async () => {
    const { sink, receiver, logger, clock } = httpScene();
    receiver.answers = ['unreachable', 401, 400];
    void sink.write(recordOf('01A'));
    for (let turn = 0; turn < 4; turn++) {
      await settled();
      clock.advance(60_000);
    }
    expect(logger.lines.length).toBe(3);
    expect(logger.text()).not.toContain('secret-token');
  });
});
