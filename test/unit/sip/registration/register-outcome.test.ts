import { describe, expect, it } from 'vitest';
import type { SrfNameAddr, SrfResponse } from '../../../../src/sip/drachtio-types.js';
import { outcomeOf } from '../../../../src/sip/registration/register-outcome.js';

const contact = '<sip:bridge@192.0.2.20:5060>';
const asked = { contact, lifetimeMs: 600_000 };

interface Said {
  readonly headers?: Readonly<Record<string, string>>;
  readonly bindings?: readonly (readonly [uri: string, expires?: string])[];
  readonly from?: string;
}

const response = (status: number, { headers = {}, bindings, from = '192.0.2.10' }: Said = {}): SrfResponse =>
  ({
    ...{ status, reason: 'Because', source_address: from },
    get: (name: string) => headers[name],
    has: (name: string) => name === 'Contact' && bindings !== undefined,
    getParsedHeader: (): SrfNameAddr[] =>
      (bindings ?? []).map(([uri, expires]) => ({ name: undefined, uri, params: { expires } })),
  }) as unknown as SrfResponse;

const own = 'sip:bridge@192.0.2.20:5060';
const other = 'sip:bridge@192.0.2.99:5060';

describe('outcomeOf a 200', () => {
  it.each([
    [
      'its own binding',
      [
        [other, '3600'],
        [own, '120'],
      ],
      { Expires: '900' },
      120_000,
    ],
    [
      'its own binding, the host in another case',
      [
        [other, '3600'],
        ['sip:bridge@192.0.2.20:5060;x=y', '60'],
      ],
      {},
      60_000,
    ],
    ['the only binding, though the registrar has rewritten it', [[other, '240']], { Expires: '900' }, 240_000],
    ['Expires, where its binding says nothing', [[own]], { Expires: '900' }, 900_000],
    ['Expires, where its binding says nonsense', [[own, '-5']], { Expires: '900' }, 900_000],
    ['Expires, where no binding is listed', undefined, { Expires: ' 900 ' }, 900_000],
    [
      'Expires, where only others are listed',
      [
        [other, '60'],
        ['sip:x@192.0.2.98', '60'],
      ],
      { Expires: '900' },
      900_000,
    ],
    ['what was asked for, where nothing is said', undefined, {}, 600_000],
    ['what was asked for, where nonsense is said', undefined, { Expires: 'soon' }, 600_000],
  ] as const)('takes the time of %s', (_what, bindings, headers, lifetimeMs) => {
    const said = { headers, ...(bindings ? { bindings } : {}) };
    expect(outcomeOf(response(200, said), asked)).toEqual({ type: 'granted', lifetimeMs });
  });

  it('that grants no time is a refusal', () => {
    expect(outcomeOf(response(200, { bindings: [[own, '0']] }), asked)).toMatchObject({ failure: { kind: 'refused' } });
  });
});

describe('outcomeOf a refusal', () => {
  it.each([
    [301, 'refused'],
    [401, 'refused'],
    [403, 'refused'],
    [404, 'refused'],
    [407, 'refused'],
    [408, 'unreachable'],
    [480, 'unreachable'],
    [500, 'unreachable'],
    [503, 'unreachable'],
    [603, 'refused'],
  ])('%i: %s', (status, kind) => {
    const why = `${status} Because`;
    expect(outcomeOf(response(status), asked)).toEqual({ type: 'failed', failure: { kind, why } });
    const later = { headers: { 'Retry-After': '90 (busy)' } };
    const outcome = { type: 'failed', failure: { kind, why, retryAfterMs: 90_000 } };
    expect(outcomeOf(response(status, later), asked)).toEqual(outcome);
  });

  it('by our own SIP server says that nobody answered', () => {
    const failure = { kind: 'unreachable', why: 'no answer: 503' };
    expect(outcomeOf(response(503, { from: '' }), asked)).toEqual({ type: 'failed', failure });
  });

  it('423 names the least time, or is a refusal', () => {
    expect(outcomeOf(response(423, { headers: { 'Min-Expires': '900' } }), asked)).toEqual({
      ...{ type: 'tooBrief', leastMs: 900_000 },
    });
    expect(outcomeOf(response(423), asked)).toMatchObject({ type: 'failed', failure: { kind: 'refused' } });
  });
});
