import { describe, expect, it } from 'vitest';
import type { CallId } from '../../../src/lib/ids.js';
import type { Target } from '../../../src/routing/types.js';
import { dialPlanHeaders, fitted, frameLimitBytes, inviteHeaders } from '../../../src/sip/invite-headers.js';
import { refusalHeaders } from '../../../src/sip/sip-headers.js';
import { endReason } from '../../../src/call/end-reason.js';

const target = { server: { hostname: 'pbx.example.com' }, user: '600' } as Target;
const base = {
  call: '01J' as CallId,
  target,
  caller: { user: '+4915112345678', name: 'Anna' },
  whatsApp: { numberId: '105', callId: 'wacid.A', direction: 'user_initiated' },
  sipCallId: 'c1',
  localTag: 't1',
} as const;

describe('inviteHeaders', () => {
  it('spells the headers that srf repeats in a digest retry as srf does, so that none comes twice', () => {
    const names = Object.keys(inviteHeaders(base));
    expect(names).toContain('call-id');
    expect(names).toContain('From');
    expect(names).not.toContain('CSeq');
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  });

  it('leaves out what is not known', () => {
    const headers = inviteHeaders({ ...base, caller: { user: '+4915112345678', name: undefined } });
    expect(headers['From']).toBe('<sip:+4915112345678@localhost>;tag=t1');
    expect(headers['X-WA-Name']).toBeUndefined();
    expect(headers['X-WA-Payload']).toBeUndefined();
  });
});

describe('what fits a frame', () => {
  const uri = 'sip:600@pbx.example.com';
  const offer = 'x'.repeat(600);
  const bytes = (headers: object): number => Buffer.byteLength(JSON.stringify(headers));

  it('leaves out nothing of a call with the longest name and payload that are taken', () => {
    const headers = inviteHeaders({
      ...base,
      caller: { user: '+4915112345678', name: '👍'.repeat(64) },
      whatsApp: { ...base.whatsApp, callId: 'w'.repeat(160), payload: { type: 'cta', text: '👍'.repeat(128) } },
    });
    expect(fitted(uri, headers, offer)).toEqual({ headers, leftOut: [] });
  });

  it.each([
    ['counted in bytes, a long body', base.caller, 'ü'.repeat(1_300), ['X-WA-Payload', 'X-WA-Payload-Type']],
    [
      'an id of escapes in a URI',
      { user: 'ü'.repeat(117), name: '👍'.repeat(64) },
      offer,
      ['X-WA-Payload', 'X-WA-Payload-Type', 'X-WA-Name'],
    ],
  ])('leaves out of the dial plan’s facts what is too much: %s', (_, caller, body, leftOut) => {
    const whatsApp = { ...base.whatsApp, payload: { type: 'cta', text: '👍'.repeat(128) } } as const;
    const { headers, ...rest } = fitted(uri, inviteHeaders({ ...base, caller, whatsApp }), body)!;
    expect(rest).toEqual({ leftOut });
    expect(Object.keys(headers).filter((name) => leftOut.includes(name))).toEqual([]);
    expect(headers).toMatchObject({ 'X-CID': '01J', 'X-WA-Call-Id': 'wacid.A' });
    expect(bytes(headers) + Buffer.byteLength(body)).toBeLessThan(frameLimitBytes);
  });

  it('nothing fits behind a body that fills the frame', () => {
    expect(fitted(uri, inviteHeaders(base), 'x'.repeat(frameLimitBytes))).toBeUndefined();
  });

  it('a refusal with all that Meta and the dial plan say stays within it', () => {
    const whatsApp = { numberId: '105', callId: 'w'.repeat(256), direction: 'business_initiated' } as const;
    const facts = dialPlanHeaders(base.call, { user: `US.${'1'.repeat(125)}` }, whatsApp);
    const reason = endReason('not_allowed', { metaCode: 138014, text: '"👍'.repeat(500) });
    expect(bytes({ ...facts, ...refusalHeaders(reason, []) })).toBeLessThan(frameLimitBytes / 2);
  });
});
