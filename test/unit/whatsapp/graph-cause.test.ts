import { describe, expect, it } from 'vitest';
import { reasonFromGraphError, reasonFromWebhookErrors } from '../../../src/whatsapp/graph-cause.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';

const api = (metaCode: number, httpStatus: number, details?: string, retryAfterS?: number): GraphError =>
  new GraphError('api', 'title', { metaCode, httpStatus, title: 'title', details, retryAfterS });

/** Code, HTTP status, details, SIP status, end code, Retry-After (0: none). */
const table: readonly (readonly [number, number, string | undefined, number, string, number])[] = [
  [100, 400, "Param 'to' must be a valid phone number format", 484, 'bad_number', 0],
  [100, 400, 'Recipient is not a WhatsApp user', 404, 'not_found', 0],
  [100, 400, 'Fingerprint algo is not SHA256', 500, 'internal', 0],
  [100, 400, 'SDP sent to callee is not valid', 500, 'internal', 0],
  [100, 400, 'SDP cannot be sent to callee', 500, 'internal', 0],
  // The English word "to" names no parameter.
  [100, 400, 'Failed to parse', 500, 'internal', 0],
  [100, 400, 'Unable to find ICE credentials', 500, 'internal', 0],
  [100, 400, 'Invalid format: unable to read the answer', 500, 'internal', 0],
  [100, 400, 'Phone number id is not known', 500, 'internal', 0],
  [100, 400, 'Param to must be a valid number', 484, 'bad_number', 0],
  [100, 400, 'Parameter to is too short', 484, 'bad_number', 0],
  [100, 400, 'The parameter "to" is required', 404, 'not_found', 0],
  [100, 400, 'Unknown (to) parameter', 404, 'not_found', 0],
  [100, 400, 'Recipient is not a valid WhatsApp user', 404, 'not_found', 0],
  [100, 400, 'Object cannot be loaded due to missing permissions', 503, 'credentials', 60],
  [100, 400, 'Object does not support this operation', 503, 'credentials', 60],
  [100, 400, 'Unsupported post request', 503, 'credentials', 60],
  [100, 400, undefined, 500, 'internal', 0],
  [613, 429, undefined, 503, 'limit', 5],
  [131009, 400, undefined, 500, 'internal', 0],
  [131026, 400, undefined, 480, 'unavailable', 0],
  [131030, 400, undefined, 403, 'not_allowed', 0],
  [131044, 400, undefined, 403, 'not_allowed', 0],
  [131055, 400, undefined, 503, 'internal', 0],
  [138000, 401, undefined, 403, 'not_allowed', 0],
  [138001, 400, undefined, 404, 'not_found', 0],
  [138002, 429, undefined, 503, 'limit', 10],
  [138003, 400, undefined, 486, 'busy', 0],
  [138004, 500, undefined, 500, 'upstream', 0],
  [138005, 429, undefined, 503, 'limit', 3600],
  [138006, 401, undefined, 403, 'no_permission', 0],
  [138007, 500, undefined, 504, 'media_failed', 0],
  [138008, 400, undefined, 500, 'internal', 0],
  [138009, 400, undefined, 403, 'no_permission', 0],
  [138011, 400, undefined, 403, 'no_permission', 0],
  [138012, 400, undefined, 403, 'limit', 3600],
  [138013, 400, undefined, 403, 'not_allowed', 0],
  [138014, 400, undefined, 403, 'not_allowed', 0],
  [138015, 400, undefined, 403, 'not_allowed', 0],
  [138017, 400, undefined, 500, 'internal', 0],
  [138018, 400, undefined, 403, 'not_allowed', 0],
  [138019, 400, undefined, 480, 'unavailable', 0],
  [138020, 400, undefined, 480, 'unavailable', 0],
  [138021, 400, undefined, 480, 'media_timeout', 0],
  [138022, 400, undefined, 480, 'media_timeout', 0],
  [138023, 400, undefined, 504, 'media_failed', 0],
  [138024, 400, undefined, 403, 'not_allowed', 0],
  [138025, 400, undefined, 403, 'not_allowed', 0],
  [102, 400, undefined, 503, 'credentials', 60],
  [190, 401, undefined, 503, 'credentials', 60],
  [10, 403, undefined, 503, 'credentials', 60],
  [200, 403, undefined, 503, 'credentials', 60],
  [299, 403, undefined, 503, 'credentials', 60],
  [4, 400, undefined, 503, 'limit', 60],
  [80007, 429, undefined, 503, 'limit', 60],
  [130429, 429, undefined, 503, 'limit', 60],
  [130497, 400, undefined, 403, 'not_allowed', 0],
  [131000, 500, undefined, 503, 'upstream', 0],
  [131016, 500, undefined, 503, 'upstream', 0],
  [1, 500, undefined, 503, 'upstream', 0],
  [2, 503, undefined, 503, 'upstream', 0],
  // Codes that nobody has documented: by HTTP status.
  [138010, 400, undefined, 500, 'upstream', 0],
  [138016, 500, undefined, 503, 'upstream', 0],
  [999999, 429, undefined, 503, 'limit', 60],
  [999999, 401, undefined, 503, 'credentials', 60],
];

describe('reasonFromGraphError', () => {
  it.each(table)('code %i (HTTP %i, %s): SIP %i %s', (code, http, details, sipStatus, endCode, retryAfterS) => {
    const reason = reasonFromGraphError(api(code, http, details));
    expect(reason).toMatchObject({ code: endCode, sipStatus, metaCode: code, text: details ?? 'title' });
    expect(reason.retryAfterS ?? 0).toBe(retryAfterS);
  });

  it('reads code 100 by its subcode and by its message as well', () => {
    const hundred = (message: string, more: object = {}): GraphError =>
      new GraphError('api', message, { metaCode: 100, httpStatus: 400, title: 'Something', ...more });
    expect(reasonFromGraphError(hundred('Invalid', { metaSubcode: 33 }))).toMatchObject({ code: 'credentials' });
    expect(reasonFromGraphError(hundred('Invalid', { metaSubcode: 34 }))).toMatchObject({ code: 'internal' });
    const nowhere = "Object with ID '1' does not exist, cannot be loaded due to missing permissions";
    expect(reasonFromGraphError(hundred(nowhere))).toMatchObject({ code: 'credentials', sipStatus: 503 });
  });

  it('takes the time Meta names over its own', () => {
    expect(reasonFromGraphError(api(138012, 400, 'limit', 1234)).retryAfterS).toBe(1234);
    expect(reasonFromGraphError(api(131000, 503, 'overload', 30)).retryAfterS).toBe(30);
  });

  it.each([
    [new GraphError('timeout', 'late'), 'upstream', 504],
    [new GraphError('transport', 'ECONNRESET'), 'upstream', 503],
    [new GraphError('answer', 'not JSON', { httpStatus: 502 }), 'upstream', 503],
    [new GraphError('answer', 'redirected', { httpStatus: 302 }), 'upstream', 503],
    [new GraphError('token', 'unusable'), 'credentials', 503],
  ])('%s', (error, code, sipStatus) => {
    expect(reasonFromGraphError(error)).toMatchObject({ code, sipStatus });
  });
});

describe('reasonFromWebhookErrors', () => {
  const error = (code: number) => [{ code, title: 'title', details: 'details' }];
  const user = { direction: 'user_initiated', outcome: 'COMPLETED' } as const;
  const business = { direction: 'business_initiated', outcome: 'COMPLETED' } as const;
  const failed = { direction: 'business_initiated', outcome: 'FAILED' } as const;

  it.each([
    ['nobody picked up', [], { ...business, answered: false }, 'no_answer', 480, 19],
    ['hung up after the answer', [], { ...business, answered: true }, 'hangup', 480, 16],
    ['the caller gave up', [], { ...user, answered: false }, 'cancelled', 487, 16],
    ['the caller hung up', [], { ...user, answered: true }, 'hangup', 480, 16],
    ['no outcome at all', [], { ...business, outcome: undefined, answered: false }, 'no_answer', 480, 19],
    ['failed without a reason', [], { ...failed, answered: false }, 'unavailable', 480, 20],
    ['failed in the call', [], { ...failed, answered: true }, 'upstream', 503, 41],
    ['client could not set up', error(138019), { ...failed, answered: false }, 'unavailable', 480, 20],
    ['relay not reached', error(138020), { ...failed, answered: false }, 'unavailable', 480, 20],
    ['relay lost', error(138020), { ...failed, answered: true }, 'media_failed', 504, 41],
    ['no media from us', error(138021), { ...failed, answered: true }, 'media_timeout', 480, 102],
    ['no media from the user', error(138022), { ...failed, answered: true }, 'media_timeout', 480, 102],
    ['accepted without media', error(138023), { ...failed, answered: true }, 'media_failed', 504, 41],
    ['no payment method', error(131044), { ...user, answered: false }, 'not_allowed', 403, 21],
    ['a code nobody knows', error(424242), { ...failed, answered: false }, 'unavailable', 480, 20],
  ] as const)('%s', (_, errors, call, code, sipStatus, q850) => {
    const reason = reasonFromWebhookErrors(errors, call);
    expect(reason).toMatchObject({ code, sipStatus, q850 });
    expect(reason.metaCode).toBe(errors[0]?.code);
  });
});
