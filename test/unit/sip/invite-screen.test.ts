import { describe, expect, it } from 'vitest';
import type { SrfRequest } from '../../../src/sip/drachtio-types.js';
import { messageLimit, screenInvite, screenRenegotiation } from '../../../src/sip/invite-screen.js';

/** An INVITE as srf hands it over, with as much as the screen reads of it. */
const invite = (raw: string, contact: string | undefined = 'sip:pbx@192.0.2.1'): SrfRequest => {
  const headers: Record<string, string> = {
    From: '<sip:a@b>;tag=1',
    To: '<sip:c@d>',
    'Call-ID': 'x',
    CSeq: '1 INVITE',
  };
  const request: Pick<SrfRequest, 'raw' | 'uri' | 'body' | 'get' | 'has'> & { getParsedHeader: unknown } = {
    raw,
    uri: 'sip:+4915112345678@192.0.2.9',
    body: '',
    get: (name) => headers[name],
    has: (name) => name === 'Contact' && contact !== undefined,
    getParsedHeader: (name: string) =>
      name === 'contact'
        ? [{ name: '', uri: contact, params: {} }]
        : { name: '', uri: 'sip:a@b', params: { tag: '1' } },
  };
  return request as unknown as SrfRequest;
};

describe('screening of an INVITE', () => {
  it('takes a message up to the limit', () => {
    expect(screenInvite(invite('x'.repeat(messageLimit)), () => false)).toBeUndefined();
  });

  // The embedded SIP server drops what is larger before anybody sees it; a drachtio-server hands it on.
  it('refuses a larger one with 513, whatever else is wrong with it', () => {
    const large = 'x'.repeat(messageLimit + 1);
    expect(screenInvite(invite(large), () => false)).toMatchObject({ status: 513 });
    expect(screenInvite(invite(large, undefined), () => true)).toMatchObject({ status: 513 });
  });

  it('refuses a dialled user that is too long to be anybody, and does not call whom it begins with', () => {
    const to = (user: string) => ({ ...invite('x'), uri: `sip:${user}@192.0.2.9` }) as SrfRequest;
    expect(screenInvite(to(`+4915112345678${'0'.repeat(115)}`), () => false)).toMatchObject({ status: 484 });
    expect(screenInvite(to(`+4915112345678${'0'.repeat(114)}`), () => false)).toBeUndefined();
  });

  it.each([
    ['<sip:c@d>;x=1; Tag=2', { status: 481 }],
    ['sip:c@d;tag=2', { status: 481 }],
    ['"Sales;tag=1" <sip:c@d>', undefined],
    ['<sip:c;tag=1@d;tag=2>', undefined],
  ])('tells a tag of a dialog from what only looks so: To: %s', (to, refusal) => {
    const request = invite('x');
    const get = (name: string) => (name === 'To' ? to : request.get(name));
    const screened = screenInvite({ ...request, get }, () => false);
    if (refusal) expect(screened).toMatchObject(refusal);
    else expect(screened).toBeUndefined();
  });

  it.each([
    ['Call-ID', { 'Call-ID': 'c'.repeat(1_025) }],
    ['Contact', { Contact: `<sip:a@b;x=${'c'.repeat(1_024)}>` }],
    ['Call-ID with the tag of From', { 'Call-ID': 'c'.repeat(1_020), From: '<sip:a@b>;tag=12345' }],
  ])('refuses what no BYE would fit a frame with, and says what is too long: %s', (what, headers: object) => {
    const request = invite('x');
    const long: Readonly<Record<string, string>> = { ...headers };
    const get = (name: string) => long[name] ?? request.get(name);
    const headersOfRefusal = { Warning: `399 sip2wa "${what} is longer than 1024"` };
    expect(screenInvite({ ...request, get }, () => false)).toMatchObject({ status: 400, headers: headersOfRefusal });
    const screened = screenRenegotiation({ ...request, get });
    if (what === 'Contact') expect(screened).toMatchObject({ status: 400, headers: headersOfRefusal });
    else expect(screened).toBeUndefined();
  });

  it('takes a Contact at a host that DNS can name, and no longer one', () => {
    const at = (characters: number): SrfRequest => invite('x', `sip:pbx@${'h'.repeat(characters)}`);
    expect(screenInvite(at(255), () => false)).toBeUndefined();
    expect(screenInvite(at(256), () => false)).toMatchObject({ status: 400 });
  });

  it('takes the longest names that are allowed', () => {
    const request = invite('x');
    const long: Readonly<Record<string, string>> = {
      'Call-ID': 'c'.repeat(1_019),
      From: '<sip:a@b>;tag=12345',
      Contact: '<sip:a@b;x='.padEnd(1_023, 'c') + '>',
    };
    const get = (name: string) => long[name] ?? request.get(name);
    expect(screenInvite({ ...request, get }, () => false)).toBeUndefined();
  });
});
