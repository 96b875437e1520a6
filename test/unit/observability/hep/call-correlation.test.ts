import { describe, expect, it } from 'vitest';
import type { CallId } from '../../../../src/lib/ids.js';
import { CallCorrelation } from '../../../../src/observability/hep/call-correlation.js';

const [A, B] = ['01AAA' as CallId, '01BBB' as CallId];

describe('the correlation id of a call', () => {
  it('is the Call-ID of its first SIP dialog, whatever comes after', () => {
    const correlation = new CallCorrelation();
    expect(correlation.idOf(A)).toBeUndefined();
    correlation.belongs('first@pbx', A);
    correlation.belongs('second@pbx', A);
    correlation.belongs('other@pbx', B);
    expect([correlation.idOf(A), correlation.idOf(B)]).toEqual(['first@pbx', 'other@pbx']);
    expect(['first@pbx', 'second@pbx', 'other@pbx', 'x'].map((id) => correlation.callOf(id))).toEqual([
      A,
      A,
      B,
      undefined,
    ]);
    expect(correlation.settle(A)).toBe('first@pbx');
  });

  it('is its own where it had to be decided before there was a dialog, and stays that', () => {
    const correlation = new CallCorrelation();
    expect(correlation.settle(A)).toBe(A);
    correlation.belongs('late@pbx', A);
    expect(correlation.idOf(A)).toBe(A);
    expect(correlation.callOf('late@pbx')).toBe(A);
  });

  it('is not that of a leg that has none', () => {
    const correlation = new CallCorrelation();
    correlation.belongs('', A);
    expect([correlation.idOf(A), correlation.callOf('')]).toEqual([undefined, undefined]);
  });

  it('is forgotten with all its Call-IDs, that of the call first that was heard of least lately', () => {
    const correlation = new CallCorrelation(2);
    correlation.belongs('a1', A);
    correlation.belongs('a2', A);
    correlation.belongs('b1', B);
    correlation.idOf(A);
    correlation.belongs('c1', '01CCC' as CallId);
    expect(['a1', 'a2', 'b1', 'c1'].map((id) => correlation.callOf(id))).toEqual([A, A, undefined, '01CCC']);
  });
});
