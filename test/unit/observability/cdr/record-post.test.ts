import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import { postRecord, type Verdict } from '../../../../src/observability/cdr/record-post.js';
import { settled } from '../../../support/eventually.js';

/** An answer whose body begins and does not end, or breaks off. */
function unended(status: number, breaksOff = false) {
  const seen = { isCancelled: false };
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(Buffer.from('no such field'));
      if (breaksOff) controller.error(new Error('connection reset'));
    },
    cancel: () => void (seen.isCancelled = true),
  });
  const clock = new FakeClock();
  const verdicts: Verdict[] = [];
  void postRecord({
    ...{ url: 'https://billing.example/records', token: '', call: '01A', text: '{}', timeoutMs: 10_000, clock },
    fetch: () => Promise.resolve(new Response(body, { status })),
  }).then((verdict) => verdicts.push(verdict));
  return { seen, clock, verdicts };
}

describe('the answer to a record', () => {
  it('counts by its status, whether its body ends or not: that is waited for a second at most', async () => {
    const { seen, clock, verdicts } = unended(200);
    await settled();
    clock.advance(999);
    await settled();
    expect([verdicts, seen.isCancelled]).toEqual([[], false]);
    clock.advance(1);
    await settled();
    expect([verdicts, seen.isCancelled, clock.armed]).toEqual([[{ kind: 'taken' }], true, 0]);
  });

  it('that refuses is quoted as far as it came', async () => {
    const { clock, verdicts } = unended(422);
    await settled();
    clock.advance(1_000);
    await settled();
    expect(verdicts).toEqual([{ kind: 'refused', status: 422, said: 'no such field' }]);
  });

  it('counts too when its body breaks off', async () => {
    const { clock, verdicts } = unended(202, true);
    await settled();
    expect([verdicts, clock.armed]).toEqual([[{ kind: 'taken' }], 0]);
  });
});
