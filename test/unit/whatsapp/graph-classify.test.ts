import { describe, expect, it } from 'vitest';
import {
  faultScope,
  isAcceptedAlready,
  isAnswerUnusable,
  isCredentialFault,
  isOutcomeUnknown,
  isOverAlready,
  isPermissionMissing,
  isRateLimit,
  isTokenRefused,
  isTransient,
  limitReach,
} from '../../../src/whatsapp/graph-classify.js';
import { GraphError, type GraphErrorFacts, type GraphFault } from '../../../src/whatsapp/graph-error.js';

const error = (fault: GraphFault, facts: GraphErrorFacts = {}): GraphError => new GraphError(fault, 'm', facts);
const api = (httpStatus: number, metaCode: number, details = ''): GraphError =>
  error('api', { httpStatus, metaCode, details });

/** Error, then whether it is transient, a rate limit, and of unknown outcome. */
const table: readonly (readonly [string, GraphError, boolean, boolean, boolean])[] = [
  ['never left', error('transport', { unsent: true }), true, false, false],
  ['connection lost', error('transport'), true, false, true],
  ['no answer in time', error('timeout'), true, false, true],
  ['no usable token', error('token', { unsent: true }), false, false, false],
  ['HTML with 200', error('answer', { httpStatus: 200 }), false, false, true],
  ['HTML with 502', error('answer', { httpStatus: 502 }), true, false, true],
  ['HTML with 404', error('answer', { httpStatus: 404 }), false, false, false],
  ['redirect', error('answer', { httpStatus: 302 }), false, false, false],
  ['Meta says 500', api(500, 131000), true, false, false],
  ['Meta says 400', api(400, 138008), false, false, false],
  ['429 with any code', api(429, 138002), false, true, false],
  ['429 without a body', error('answer', { httpStatus: 429 }), false, true, false],
  ['code 4 with 400', api(400, 4), false, true, false],
  ['code 80007 with 400', api(400, 80007), false, true, false],
  ['code 130429 with 400', api(400, 130429), false, true, false],
];

describe('classes of Graph errors', () => {
  it.each(table)('%s', (_, fault, transient, limit, unknown) => {
    expect([isTransient(fault), isRateLimit(fault), isOutcomeUnknown(fault)]).toEqual([transient, limit, unknown]);
  });

  it.each([
    [api(400, 100, 'Accept/reject a call already in progress, completed or failed'), true],
    [api(404, 100, 'Call not found'), true],
    [api(400, 100, 'No active call'), true],
    [api(400, 100, 'call_id is malformed'), false],
    [api(401, 190, 'The call is over'), false],
    [api(403, 10, 'The call is over'), false],
    [api(429, 4, 'The call is over'), false],
    [api(500, 1, 'The call is over'), false],
    [error('answer', { httpStatus: 400, details: 'The call is over' }), false],
  ])('%o says that the call is over: %s', (fault, expected) => {
    expect(isOverAlready(fault)).toBe(expected);
  });

  it.each([
    [api(400, 100, 'Call already accepted'), true],
    [api(400, 100, 'the call is in progress already'), true],
    [api(400, 100, 'the call has been pre-accepted already'), true],
    [api(400, 100, 'the call has ended already'), false],
    [api(500, 1, 'Call already accepted'), false],
  ])('%o says that the call was accepted: %s', (fault, expected) => {
    expect(isAcceptedAlready(fault)).toBe(expected);
  });
});

describe('who is held back', () => {
  const held = error('held', { httpStatus: 429, metaCode: 4, unsent: true });

  it.each([
    [api(400, 4), 'app', 5_000],
    [api(400, 80007), 'number', 5_000],
    [api(429, 130429), 'number', 5_000],
    [api(429, 613), 'number', 1_000],
    [api(429, 138002), 'number', 2_000],
    [api(400, 138005), 'number', 60_000],
    [api(429, 424242), 'number', 5_000],
    [error('answer', { httpStatus: 429 }), 'number', 5_000],
  ] as const)('by the limit %o', (fault, scope, baseMs) => {
    expect(limitReach(fault)).toEqual({ scope, baseMs });
  });

  it.each([
    api(400, 138012),
    api(429, 138012),
    api(429, 131056),
    api(400, 138003),
    api(400, 100),
    api(500, 1),
    held,
    error('timeout'),
  ])('nobody by %o', (fault) => {
    expect(limitReach(fault)).toBeUndefined();
  });

  it.each<[GraphError, 'app' | 'number' | undefined]>([
    [error('transport'), 'app'],
    [error('transport', { unsent: true }), 'app'],
    [error('timeout'), 'number'],
    [error('timeout', { unsent: true }), undefined],
    [api(500, 131000), 'number'],
    [api(500, 138004), undefined],
    [api(400, 100), undefined],
    [error('answer', { httpStatus: 200 }), 'number'],
    [error('answer', { httpStatus: 302 }), 'number'],
    [error('answer', { httpStatus: 502 }), 'number'],
    [error('answer', { httpStatus: 404 }), undefined],
    [error('token', { unsent: true }), undefined],
    [held, undefined],
  ])('by faults like %o: %s', (fault, scope) => {
    expect(faultScope(fault)).toBe(scope);
  });
});

describe('credentials', () => {
  const noAccess = error('api', { httpStatus: 400, metaCode: 100, metaSubcode: 33 });

  it.each<[GraphError, boolean, boolean]>([
    [api(401, 190), true, false],
    [api(400, 190), true, false],
    [api(401, 102), true, false],
    [error('api', { httpStatus: 401 }), true, false],
    [error('token', { unsent: true }), true, false],
    [api(403, 10), false, true],
    [api(403, 200), false, true],
    [api(403, 299), false, true],
    [noAccess, false, true],
    [api(400, 100), false, false],
    [api(403, 300), false, false],
    [api(401, 138000), false, false],
    [api(401, 138006), false, false],
    [error('answer', { httpStatus: 401 }), false, false],
    [error('held', { httpStatus: 401, metaCode: 190 }), false, false],
    [error('timeout'), false, false],
  ])('%o: token refused %s, permission missing %s', (fault, refused, missing) => {
    expect([isTokenRefused(fault), isPermissionMissing(fault)]).toEqual([refused, missing]);
    expect(isCredentialFault(fault)).toBe(refused || missing);
  });
});

describe('answers to a connect that cannot be used', () => {
  it.each<[GraphError, boolean]>([
    [error('answer', { httpStatus: 200 }), true],
    [error('answer', { httpStatus: 302 }), true],
    [error('answer', { httpStatus: 502 }), false],
    [error('answer', { httpStatus: 404 }), false],
    [error('timeout'), false],
    [error('transport'), false],
    [api(200, 1), false],
  ])('%o: %s', (fault, expected) => {
    expect(isAnswerUnusable(fault)).toBe(expected);
  });
});
