import { describe, expect, it } from 'vitest';
import type { CallId } from '../../../src/lib/ids.js';
import type { Target } from '../../../src/routing/types.js';
import { frameLimitBytes } from '../../../src/sip/frame-room.js';
import { credentialsBytes, dialPlanHeaders, fitted, inviteHeaders } from '../../../src/sip/invite-headers.js';
import { refusalHeaders } from '../../../src/sip/sip-headers.js';
import { sceneAuth, sceneTrunk } from '../../support/sip-scene.js';
import { endReason } from '../../../src/call/end-reason.js';

const target = { trunk: {}, server: { hostname: 'pbx.example.com' }, user: '600' } as Target;
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

describe('a call in the name of our account', () => {
  const from = (username: string, hostname = 'pbx.example.com') => {
    const trunk = { ...sceneTrunk, from: 'account', auth: { ...sceneAuth, username } } as const;
    return inviteHeaders({ ...base, target: { ...target, trunk, server: { ...target.server, hostname } } });
  };

  it('has it in From, at the server, and the WhatsApp user in P-Asserted-Identity and X-WA-User', () => {
    const headers = from('bridge');
    expect(headers['From']).toBe('"Anna" <sip:bridge@pbx.example.com>;tag=t1');
    expect(headers['P-Asserted-Identity']).toBe('"Anna" <sip:+4915112345678@localhost>');
    expect(headers['X-WA-User']).toBe('+4915112345678');
  });

  it.each([
    ['bridge@carrier.example', 'pbx', '<sip:bridge@carrier.example>'],
    ['+49@111@carrier.example', 'pbx', '<sip:+49%40111@carrier.example>'],
    ['bridge@[2001:db8::1]', 'pbx', '<sip:bridge@[2001:db8::1]>'],
    ['bridge', '2001:db8::1', '<sip:bridge@[2001:db8::1]>'],
    ['my bridge@', 'pbx', '<sip:my%20bridge%40@pbx>'],
    ['bridge@carrier.example>;x', 'pbx', '<sip:bridge%40carrier.example%3E%3Bx@pbx>'],
    ['@carrier.example', 'pbx', '<sip:%40carrier.example@pbx>'],
  ])('%j at %s is %s', (username, hostname, expected) => {
    expect(from(username, hostname)['From']).toBe(`"Anna" ${expected};tag=t1`);
  });

  it('is the WhatsApp user’s where there is no account', () => {
    const trunk = { ...sceneTrunk, from: 'account' } as const;
    const headers = inviteHeaders({ ...base, target: { ...target, trunk } });
    expect(headers['From']).toBe('"Anna" <sip:+4915112345678@localhost>;tag=t1');
  });

  it('fits a frame with the longest account, name and facts, payload and plain name left out at worst', () => {
    const auth = { ...sceneAuth, username: `${'ü'.repeat(200)}@${'a'.repeat(253)}` };
    const longest = { trunk: { ...sceneTrunk, from: 'account', auth } as const, server: target.server, user: '600' };
    const headers = inviteHeaders({
      ...base,
      target: longest,
      caller: { user: '+4915112345678', name: '👍'.repeat(64) },
      whatsApp: { ...base.whatsApp, callId: 'w'.repeat(160), payload: { type: 'cta', text: '👍'.repeat(128) } },
    });
    const invite = { uri: 'sip:600@pbx.example.com', nextHop: undefined, headers, body: 'x'.repeat(600) };
    const fit = fitted(invite, credentialsBytes)!;
    expect(fit.leftOut).toEqual(['X-WA-Payload', 'X-WA-Payload-Type', 'X-WA-Name']);
    expect(fit.headers).toMatchObject({ From: headers['From'], 'X-WA-User': '+4915112345678' });
  });
});

describe('what fits a frame', () => {
  const uri = 'sip:600@pbx.example.com';
  const offer = 'x'.repeat(600);
  const nextHop = undefined;
  const bytes = (headers: object): number => Buffer.byteLength(JSON.stringify(headers));

  it('leaves out nothing of a call with the longest name and payload that are taken', () => {
    const headers = inviteHeaders({
      ...base,
      caller: { user: '+4915112345678', name: '👍'.repeat(64) },
      whatsApp: { ...base.whatsApp, callId: 'w'.repeat(160), payload: { type: 'cta', text: '👍'.repeat(128) } },
    });
    expect(fitted({ uri, nextHop, headers, body: offer }, credentialsBytes)).toEqual({ headers, leftOut: [] });
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
    const all = inviteHeaders({ ...base, caller, whatsApp });
    const { headers, ...rest } = fitted({ uri, nextHop, headers: all, body }, 512)!;
    expect(rest).toEqual({ leftOut });
    expect(Object.keys(headers).filter((name) => leftOut.includes(name))).toEqual([]);
    expect(headers).toMatchObject({ 'X-CID': '01J', 'X-WA-Call-Id': 'wacid.A' });
    expect(bytes(headers) + Buffer.byteLength(body)).toBeLessThan(frameLimitBytes);
  });

  it('counts every byte of what srf writes, the next hop among them', () => {
    const headers = inviteHeaders(base);
    const hop = `sip:${'h'.repeat(60)}:5061;transport=tls;maddr=[2001:db8::1]`;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const frame = (body: string): string =>
      `${'i'.repeat(36)}|sip|||${hop}\r\nINVITE ${uri} SIP/2.0\r\n${lines.join('')}Content-Length: ${body.length}\r\n\r\n${body}`;
    const fits = (bytes: number): boolean =>
      fitted({ uri, nextHop: hop, headers, body: 'x'.repeat(bytes) })?.leftOut.length === 0;
    let most = 0;
    while (fits(most + 1)) most++;
    expect(frame('x'.repeat(most)).length).toBeLessThan(frameLimitBytes);
    expect(frame('x'.repeat(most)).length).toBeGreaterThan(frameLimitBytes - 32);
  });

  it('nothing fits behind a body that fills the frame', () => {
    const body = 'x'.repeat(frameLimitBytes);
    expect(fitted({ uri, nextHop, headers: inviteHeaders(base), body })).toBeUndefined();
  });

  it('a refusal with all that Meta and the dial plan say stays within it', () => {
    const whatsApp = { numberId: '105', callId: 'w'.repeat(256), direction: 'business_initiated' } as const;
    const facts = dialPlanHeaders(base.call, { user: `US.${'1'.repeat(125)}` }, whatsApp);
    const reason = endReason('not_allowed', { metaCode: 138014, text: '"👍'.repeat(500) });
    expect(bytes({ ...facts, ...refusalHeaders(reason, []) })).toBeLessThan(frameLimitBytes / 2);
  });
});
