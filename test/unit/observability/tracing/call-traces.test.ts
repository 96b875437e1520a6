import { describe, expect, it } from 'vitest';
import type { CallId } from '../../../../src/lib/ids.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import { deferred, type Deferred } from '../../../../src/lib/deferred.js';
import { Redaction } from '../../../../src/observability/redaction.js';
import {
  CallTraces,
  isSampled,
  traceIdOf,
  type CallTrace,
  type CallTracesOptions,
} from '../../../../src/observability/tracing/call-traces.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { CALL, recordOf, timelineOf, userCall } from './call-steps.js';

const idOf = (at: number): CallId => `01JD3Q8Z6K${String(at).padStart(16, '0')}` as CallId;

/** A collector that answers when the test says so. */
class Collector {
  readonly requests: (readonly CallTrace[])[] = [];
  readonly answers: Deferred<undefined>[] = [];
  isClosed = false;

  send(traces: readonly CallTrace[]): Promise<void> {
    this.requests.push(traces);
    const answer = deferred<undefined>();
    this.answers.push(answer);
    return answer.promise;
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  async answer(at: number, error?: Error): Promise<void> {
    if (error) this.answers[at]?.reject(error);
    else this.answers[at]?.resolve(undefined);
    await turns();
  }
}

/** Lets promises that are settled have their say. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

function scene(more: Partial<CallTracesOptions> = {}) {
  const [to, clock, logger] = [new Collector(), new FakeClock(), new RecordingLogger()];
  const dropped: [string, number][] = [];
  const traces = new CallTraces({
    ...{ to, sampleRatio: 1, timeline: timelineOf(userCall), redaction: new Redaction(), clock, logger },
    onDropped: (reason, calls) => void dropped.push([reason, calls]),
    ...more,
  });
  const end = (...ids: number[]): void => ids.forEach((at) => traces.ended(recordOf(62_200, { call: idOf(at) })));
  return { to, clock, logger, dropped, traces, end };
}

describe('traces of calls', () => {
  it('are gathered for a second and sent together, with the steps that the timeline has', async () => {
    const { to, clock, traces, end, dropped } = scene();
    traces.ended(recordOf(62_200));
    end(1);
    clock.advance(999);
    expect(to.requests).toEqual([]);
    clock.advance(1);
    expect(to.requests).toHaveLength(1);
    const [known, unknown] = to.requests[0]!;
    expect(known).toMatchObject({ traceId: traceIdOf(CALL), root: { name: 'call' } });
    expect(known?.root.children.map(({ name }) => name)).toContain('bridged');
    expect(unknown?.root.children).toEqual([]);
    await to.answer(0);
    end(2);
    clock.advance(1_000);
    expect(to.requests).toHaveLength(2);
    expect(dropped).toEqual([]);
  });

  it('go out in small requests, one at a time', async () => {
    const { to, clock, end } = scene();
    end(...Array.from({ length: 150 }, (_, at) => at));
    clock.advance(1_000);
    expect(to.requests.map(({ length }) => length)).toEqual([64]);
    await to.answer(0);
    await to.answer(1);
    expect(to.requests.map(({ length }) => length)).toEqual([64, 64, 22]);
    expect(new Set(to.requests.flat().map(({ traceId }) => traceId)).size).toBe(150);
  });

  it('are dropped and counted when too many wait', async () => {
    const { to, clock, end, dropped } = scene({ queueCap: 3 });
    end(1);
    clock.advance(1_000);
    end(2, 3, 4, 5, 6);
    expect(dropped).toEqual([
      ['queue_full', 1],
      ['queue_full', 1],
    ]);
    await to.answer(0);
    expect(to.requests.map(({ length }) => length)).toEqual([1, 3]);
  });

  it('that the collector does not take are counted, and said once until it takes some', async () => {
    const { to, clock, end, dropped, logger } = scene();
    for (const [at, error] of [new Error('refused'), new Error('refused'), undefined, new Error('again')].entries()) {
      end(at);
      clock.advance(1_000);
      await to.answer(at, error);
    }
    expect(dropped).toEqual(Array.from({ length: 3 }, () => ['export_failed', 1]));
    expect(logger.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: traces cannot be sent',
      'info: traces are sent again',
      'warn: traces cannot be sent',
    ]);
  });

  it('that wait are sent when the daemon stops, and the exporter is ended', async () => {
    const { to, clock, traces, end, dropped } = scene();
    end(1, 2);
    const closed = traces.close();
    expect(to.requests.map(({ length }) => length)).toEqual([2]);
    await to.answer(0);
    await closed;
    expect([to.isClosed, dropped, clock.armed]).toEqual([true, [], 0]);
    end(3);
    clock.advance(5_000);
    expect(to.requests).toHaveLength(1);
  });

  it('do not keep the daemon when the collector hangs: what waits is dropped and counted', async () => {
    const { to, clock, traces, end, dropped } = scene();
    end(...Array.from({ length: 70 }, (_, at) => at));
    const closed = traces.close();
    clock.advance(1_999);
    await turns();
    expect(to.isClosed).toBe(false);
    clock.advance(1);
    await closed;
    expect([to.isClosed, dropped]).toEqual([true, [['export_failed', 70]]]);
  });

  it('of a record that cannot be read are no reason to fail', () => {
    const { traces, logger } = scene({ timeline: { stepsOf: () => { throw new Error('broken') } } }); // prettier-ignore
    traces.ended(recordOf(1));
    expect(logger.lines).toMatchObject([{ level: 'error', message: 'trace of a call could not be made' }]);
  });

  it('come before the record, which goes on as it was', async () => {
    const { to, clock, traces } = scene();
    const seen: unknown[] = [];
    const sink = traces.before({
      started: (start) => void seen.push(start.call),
      write: (record) => void seen.push(record),
      close: () => Promise.resolve(void seen.push('closed')),
    });
    const record = recordOf(62_200);
    sink.started?.(record);
    void sink.write(record);
    await sink.close();
    expect(seen).toEqual([CALL, record, 'closed']);
    clock.advance(1_000);
    expect(to.requests).toHaveLength(1);
  });
});

describe('which calls are traced', () => {
  it('by their id, so that the answer is always the same, and about as many as were asked for', () => {
    const ids = Array.from({ length: 4_000 }, (_, at) => traceIdOf(idOf(at)));
    expect(new Set(ids).size).toBe(4_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    const share = (ratio: number): number => ids.filter((id) => isSampled(id, ratio)).length / ids.length;
    expect([share(0), share(1)]).toEqual([0, 1]);
    expect(Math.abs(share(0.1) - 0.1)).toBeLessThan(0.02);
    expect(Math.abs(share(0.5) - 0.5)).toBeLessThan(0.03);
    const tenth = new Set(ids.filter((id) => isSampled(id, 0.1)));
    expect(ids.filter((id) => isSampled(id, 0.5) && tenth.has(id))).toHaveLength(tenth.size);
  });

  it('nothing is made of the others', () => {
    const { clock, end, to } = scene({ sampleRatio: 0 });
    end(1, 2, 3);
    clock.advance(10_000);
    expect([to.requests, clock.armed]).toEqual([[], 0]);
  });
});
