import { describe, expect, it } from 'vitest';
import type { Trunk } from '../../../../src/routing/types.js';
import { dialledUser, registeredTrunk } from '../../../../src/sip/registration/dialled-user.js';
import { sceneAuth, sceneTrunk } from '../../../support/sip-scene.js';

const account = (username: string, more: Partial<Trunk> = {}): Trunk => ({
  ...sceneTrunk,
  ...{ name: username, register: true, auth: { ...sceneAuth, username }, ...more },
});
const request = (user: string, headers: Readonly<Record<string, string>> = {}) => ({
  uri: `sip:${user}192.0.2.20:5060`,
  get: (name: string) => headers[name],
});
const to = { To: '<sip:+4915112345678@pbx.example>' };

describe('dialledUser', () => {
  const trunk = account('bridge');

  it.each([
    ['the Request-URI, where it is no account', '+49111@', to, '+49111'],
    ['To, where it is', 'bridge@', to, '+4915112345678'],
    ['To, where the account is written in escapes and with parameters', 'bri%64ge;x=y@', to, '+4915112345678'],
    ['P-Called-Party-ID before To', 'bridge@', { ...to, 'P-Called-Party-ID': '<sip:+49222@a.example>' }, '+49222'],
    [
      'To, where P-Called-Party-ID is the account',
      'bridge@',
      { ...to, 'P-Called-Party-ID': '<sip:bridge@a>' },
      '+4915112345678',
    ],
    ['To behind a name that looks like an address', 'bridge@', { To: '"<sip:x@y>" <sip:+49333@a>;tag=1' }, '+49333'],
    ['the account, where nothing else is named', 'bridge@', { To: '<sip:bridge@a.example>' }, 'bridge'],
    ['the account, where To is nothing that can be read', 'bridge@', { To: '"<sip:+49333@a' }, 'bridge'],
    ['nobody, where the Request-URI names none', '', to, ''],
  ])('is %s', (_what, user, headers, expected) => {
    expect(dialledUser(trunk, request(user, headers))).toBe(expected);
  });

  it('is To as well where the account is written with its domain: the Contact has the user alone', () => {
    expect(dialledUser(account('bridge@carrier.example'), request('bridge@', to))).toBe('+4915112345678');
    expect(dialledUser(account('bridge@'), request('bridge%40@', to))).toBe('+4915112345678');
  });

  it('never looks beyond the Request-URI on a trunk that does not register', () => {
    expect(dialledUser(account('bridge', { register: false }), request('bridge@', to))).toBe('bridge');
    expect(dialledUser(account('bridge', { auth: undefined }), request('bridge@', to))).toBe('bridge');
  });
});

describe('registeredTrunk', () => {
  it('is the one whose account was called, if any', () => {
    const trunks = [account('first', { register: false }), account('first'), account('second')];
    expect(registeredTrunk(trunks, request('second@'))).toBe(trunks[2]);
    expect(registeredTrunk(trunks, request('first@'))).toBe(trunks[1]);
    expect(registeredTrunk(trunks, request('+49111@'))).toBeUndefined();
    expect(registeredTrunk(trunks, request(''))).toBeUndefined();
  });
});
