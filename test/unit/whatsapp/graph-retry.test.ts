import { describe, expect, it } from 'vitest';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import type { Lane } from '../../../src/whatsapp/graph-request.js';
import { pauseMs, retryRule } from '../../../src/whatsapp/graph-retry.js';

const neverLeft = new GraphError('transport', 'ECONNREFUSED', { unsent: true });
const reset = new GraphError('transport', 'ECONNRESET');
const silence = new GraphError('timeout', 'late');
const overload = new GraphError('api', 'x', { httpStatus: 500, metaCode: 131000 });
const limit = new GraphError('api', 'x', { httpStatus: 429, metaCode: 4 });
const badToken = new GraphError('api', 'x', { httpStatus: 401, metaCode: 190 });
const refused = new GraphError('api', 'x', { httpStatus: 400, metaCode: 138008 });
const html = new GraphError('answer', 'not JSON', { httpStatus: 200 });
const held = new GraphError('held', 'later', { unsent: true, retryAfterS: 5, httpStatus: 429 });
const all = [neverLeft, reset, silence, overload, limit, badToken, refused, html, held];

describe('which errors a request is repeated after', () => {
  it.each<[Lane, 'GET' | 'POST', GraphError[]]>([
    ['end', 'POST', [neverLeft, reset, silence, overload, limit, badToken, held]],
    ['answer', 'POST', [neverLeft, reset, silence, overload, limit, held]],
    ['connect', 'POST', [neverLeft]],
    ['other', 'POST', [neverLeft]],
    ['other', 'GET', [neverLeft, reset, silence, overload]],
  ])('%s by %s', (lane, method, expected) => {
    const { repeatAfter } = retryRule({ lane, method }, 10_000);
    expect(all.filter(repeatAfter)).toEqual(expected);
  });
});

describe('how long a request is tried', () => {
  it.each<[Lane, number, object]>([
    ['end', 10_000, { totalMs: 12_000, attemptMs: 4_000, attempts: 8 }],
    ['end', 1_000, { totalMs: 12_000, attemptMs: 1_000 }],
    ['answer', 10_000, { totalMs: 20_000, attemptMs: 10_000, attempts: 2 }],
    ['answer', 60_000, { totalMs: 20_000, attemptMs: 60_000 }],
    ['answer', 2_000, { totalMs: 4_000, attemptMs: 2_000 }],
    ['connect', 10_000, { totalMs: 10_000, attemptMs: 10_000, attempts: 2 }],
    ['other', 5_000, { totalMs: 5_000, attemptMs: 5_000, attempts: 2 }],
  ])('%s with a time limit of %i ms', (lane, timeoutMs, expected) => {
    expect(retryRule({ lane, method: 'POST' }, timeoutMs)).toMatchObject(expected);
  });

  it('ending a call is given up inside the 15 s that a leg waits, pauses and attempts together', () => {
    const { attempts } = retryRule({ lane: 'end', method: 'POST' }, 10_000);
    const pauses = Array.from({ length: attempts - 1 }, (_, at) => pauseMs(at, overload, 250, 1));
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(12_000);
  });
});

describe('pauses', () => {
  const said = (retryAfterS: number): GraphError => new GraphError('api', 'x', { httpStatus: 429, retryAfterS });

  it.each<[string, number, GraphError, number, number]>([
    ['double with each attempt', 0, overload, 0.5, 250],
    ['double with each attempt', 1, overload, 0.5, 500],
    ['double with each attempt', 2, overload, 0.5, 1000],
    ['take jitter off', 0, overload, 0, 187.5],
    ['put jitter on', 0, overload, 1, 312.5],
    ['are longer after a limit', 0, limit, 0.5, 1000],
    ['are what Retry-After says', 0, said(1), 0.5, 1000],
    ['2 s at most, since a caller waits', 0, said(60), 1, 2000],
    ['2 s at most, since a caller waits', 0, said(60), 0, 1200],
    ['2 s at most, since a caller waits', 20, overload, 1, 2000],
  ])('%s (attempt %i)', (_, attempt, error, random, expected) => {
    expect(pauseMs(attempt, error, 250, random)).toBeCloseTo(expected, 6);
  });
});
