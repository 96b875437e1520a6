import { describe, expect, it } from 'vitest';
import type { CallRecord, CallStart } from '../../../src/call/call-record.js';
import type { CallId } from '../../../src/lib/ids.js';
import { CallHistory } from '../../../src/observability/call-history.js';

const start = (call: string): CallStart => ({
  ...{ call: call as CallId, direction: 'user_initiated', start: '2026-01-01T00:00:00.000Z' },
});
const record = (call: string, code = 'hangup'): CallRecord => ({ ...start(call), code }) as CallRecord;

describe('the history of calls', () => {
  it('knows live ones, and the last that ended, the latest first', () => {
    const history = new CallHistory(2);
    for (const call of ['A1', 'A2', 'A3', 'B1']) history.started(start(call));
    for (const call of ['A1', 'A2', 'A3']) history.ended(record(call, call === 'A2' ? 'busy' : 'hangup'));
    expect(history.live().map((known) => known.start.call)).toEqual(['B1']);
    expect(history.recent(10).map((known) => known.start.call)).toEqual(['A3', 'A2']);
    expect(history.recent(1)).toHaveLength(1);
    expect(history.recent(10, ({ code }) => code === 'busy').map((known) => known.start.call)).toEqual(['A2']);
    expect(history.get('A1' as CallId)).toBeUndefined();
    expect(history.get('B1' as CallId)?.record).toBeUndefined();
    expect(history.get('A3' as CallId)?.record?.code).toBe('hangup');
  });

  it('finds by the beginning of an id, in any case', () => {
    const history = new CallHistory();
    history.started(start('01ABC'));
    history.ended(record('01ABD'));
    const found = (prefix: string): string[] => history.beginningWith(prefix).map((known) => known.start.call);
    expect([found('01ab'), found('01abc'), found('02')]).toEqual([['01ABC', '01ABD'], ['01ABC'], []]);
  });
});
