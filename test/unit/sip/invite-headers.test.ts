import { describe, expect, it } from 'vitest';
import type { CallId } from '../../../src/lib/ids.js';
import type { Target } from '../../../src/routing/types.js';
import { frameLimitBytes, inviteHeaders, oversize } from '../../../src/sip/invite-headers.js';

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

describe('oversize', () => {
  it('counts bytes, not characters', () => {
    const room = (char: string, count: number): boolean => oversize('sip:a@b', { X: char.repeat(count) }, '');
    expect(room('x', frameLimitBytes / 2)).toBe(false);
    expect(room('ü', frameLimitBytes / 2)).toBe(true);
  });
});
