import { describe, expect, it } from 'vitest';
import { callerFacts, callerIdentity, type CallerIdentity } from '../../../src/sip/caller-identity.js';
import { addressesOf, splitHeader } from '../../../src/sip/header-list.js';

/** An INVITE with these headers; several of one name come joined, as srf has them. */
const invite = (...lines: string[]) => ({
  get: (name: string): string | undefined => {
    const prefix = `${name.toLowerCase()}:`;
    const values = lines.filter((line) => line.toLowerCase().startsWith(prefix));
    return values.length === 0 ? undefined : values.map((line) => line.slice(prefix.length).trim()).join(', ');
  },
});
const read = (isTrusted: boolean, ...lines: string[]): CallerIdentity => callerIdentity(invite(...lines), isTrusted);

const from = 'From: "Alice" <sip:alice@pbx.example.com>;tag=1';

describe('identity of a caller at a trusted trunk', () => {
  it.each<[string, string[], string[]]>([
    ['RFC 3325 §10.1', ['P-Asserted-Identity: "Cullen Jennings" <sip:fluffy@cisco.com>'], ['fluffy']],
    [
      'RFC 3325 §10.2, two values in two headers',
      ['P-Asserted-Identity: "C" <sip:fluffy@cisco.com>', 'P-Asserted-Identity: tel:+14085264000'],
      ['fluffy', '+14085264000'],
    ],
    [
      'two values in one header, a comma in the name',
      ['P-Asserted-Identity: "Jennings, C" <sips:fluffy@cisco.com>, <tel:+1-408-526-4000;isub=1>'],
      ['fluffy', '+1-408-526-4000'],
    ],
    ['a name like an address', ['P-Asserted-Identity: "<sip:evil@x>" <sip:+4930123456@x;user=phone>'], ['+4930123456']],
    ['an escaped quote in the name', ['P-Asserted-Identity: "a\\"<sip:evil@x>," <sip:good@x>'], ['good']],
    ['addr-spec with parameters of the header', ['P-Asserted-Identity: sip:+4930123456@x;user=phone'], ['+4930123456']],
    ['escapes in the user', ['P-Asserted-Identity: <sip:%2B4930123456@x>'], ['+4930123456']],
    ['phone-context', ['P-Asserted-Identity: <tel:7042;phone-context=example.com>'], ['7042']],
    [
      'Remote-Party-ID of the caller only',
      ['Remote-Party-ID: "B" <sip:called@x>;party=called, "A" <sip:5551234567@x>;party=calling;screen=yes;privacy=off'],
      ['5551234567'],
    ],
    [
      'the more trustworthy header first, none twice',
      [
        'P-Preferred-Identity: <sip:preferred@x>',
        'Remote-Party-ID: <sip:remote@x>',
        'P-Asserted-Identity: <sip:asserted@x>, <sip:remote@y>',
      ],
      ['asserted', 'remote', 'preferred'],
    ],
    ['no address', ['P-Asserted-Identity: "only a name"', 'Remote-Party-ID: <urn:service:sos>'], []],
    ['never closed', ['P-Asserted-Identity: "x <sip:a@b>', 'Remote-Party-ID: <sip:a@b'], []],
    ['asserted to be nobody', ['P-Asserted-Identity: <sip:anonymous@anonymous.invalid>'], []],
  ])('%s', (_name, lines, users) => {
    expect(read(true, from, ...lines)).toMatchObject({ assertedUsers: users, fromUser: 'alice' });
    expect(read(false, from, ...lines)).toMatchObject({ assertedUsers: [], fromUser: 'alice' });
  });

  it.each<[string, string[], string[]]>([
    ['none', [], []],
    ['one Diversion', ['Diversion: <sip:+4930111111@pbx>;reason=unconditional;counter=1'], ['+4930111111']],
    [
      'RFC 5806 §3: the last forward stands first',
      ['Diversion: <tel:+4930222222>;reason=no-answer, "B" <sip:+4930111111@pbx>;reason=user-busy;privacy=off'],
      ['+4930111111', '+4930222222'],
    ],
    [
      'RFC 7044: all entries but where the call goes now',
      [
        'History-Info: <sip:bob@example.com?Privacy=history&Reason=SIP%3Bcause%3D302%3Btext%3D%22a,b%22>;index=1;foo=bar',
        'History-Info: <sip:+4930111111@example.com?Reason=SIP%3Bcause%3D486>;index=1.1;rc=1, <sip:carol@x;cause=486>;index=1.2;mp=1',
      ],
      ['bob', '+4930111111'],
    ],
    ['History-Info of a call that was not forwarded', ['History-Info: <sip:bob@example.com>;index=1'], []],
    [
      'Diversion rather than History-Info',
      ['Diversion: <sip:d@x>', 'History-Info: <sip:h@x>;index=1, <sip:c@x>;index=1.1'],
      ['d'],
    ],
    ['forwarded by nobody who is named', ['Diversion: <sip:anonymous@anonymous.invalid>;reason=deflection'], []],
  ])('forwards: %s', (_name, lines, users) => {
    expect(read(true, from, ...lines).divertedBy).toEqual(users);
    expect(read(false, from, ...lines).divertedBy).toEqual([]);
  });

  it.each<[string, string, string[], Partial<CallerIdentity>]>([
    ['RFC 3323 §4.1.1.3', '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', [], { isPrivate: true }],
    ['3GPP: not available', '<sip:unavailable@unknown.invalid>;tag=1', [], { isPrivate: true }],
    ['a user of that name at a real host', '<sip:Anonymous@10.0.0.1>;tag=1', [], { isPrivate: true }],
    ['a host that only looks so', '<sip:bob@invalid.example.com>;tag=1', [], { isPrivate: false, fromUser: 'bob' }],
    ['Privacy: id', '<sip:bob@x>;tag=1', ['Privacy: id'], { isPrivate: true, fromUser: 'bob' }],
    ['Privacy: user', '<sip:bob@x>;tag=1', ['Privacy: user'], { isPrivate: true }],
    ['Privacy: header', '<sip:bob@x>;tag=1', ['Privacy: header'], { isPrivate: true }],
    ['Privacy: several, critical', '<sip:bob@x>;tag=1', ['Privacy: header ;USER; critical'], { isPrivate: true }],
    ['Privacy with commas', '<sip:bob@x>;tag=1', ['Privacy: session, id'], { isPrivate: true }],
    ['Privacy: none', '<sip:bob@x>;tag=1', ['Privacy: none'], { isPrivate: false }],
    ['Privacy: session', '<sip:bob@x>;tag=1', ['Privacy: session;critical'], { isPrivate: false }],
    ['no From that can be read', 'nonsense', [], { isPrivate: false, fromUser: undefined }],
    ['Remote-Party-ID', '<sip:bob@x>;tag=1', ['Remote-Party-ID: <sip:5551234567@x>;privacy=full'], { isPrivate: true }],
  ])('privacy: %s', (_name, fromValue, lines, expected) => {
    expect(read(true, `From: ${fromValue}`, ...lines)).toMatchObject(expected);
  });

  it('looks at so many identities and forwards only', () => {
    const many = Array.from({ length: 50 }, (_, i) => `<sip:u${i}@x>`).join(', ');
    const { assertedUsers, divertedBy } = read(true, from, `P-Asserted-Identity: ${many}`, `Diversion: ${many}`);
    expect(assertedUsers).toEqual(['u0', 'u1', 'u2', 'u3']);
    expect(divertedBy).toEqual(['u7', 'u6', 'u5', 'u4', 'u3', 'u2', 'u1', 'u0']);
    expect(read(true, from, `History-Info: ${many}`).divertedBy).toHaveLength(8);
  });

  it('hears a wish for privacy from anybody, but not in a header that it does not believe', () => {
    expect(read(false, from, 'Privacy: id').isPrivate).toBe(true);
    expect(read(false, from, 'Remote-Party-ID: <sip:a@x>;privacy=full').isPrivate).toBe(false);
  });
});

describe('what records say of a caller', () => {
  it.each<[string[], object]>([
    [[from], { caller: 'alice' }],
    [['From: <sip:+49 30 1234567@x>;tag=1'], { caller: '***4567' }],
    [
      [from, 'P-Asserted-Identity: <sip:+49301234567@x>', 'Diversion: <sip:+49307654321@x>'],
      { caller: '***4567', divertedBy: '***4321' },
    ],
    [[from, 'P-Asserted-Identity: <sip:+49301234567@x>', 'Privacy: id'], { caller: 'anonymous' }],
    [['From: <sip:2001@x>;tag=1'], { caller: '2001' }],
    [['From: nonsense'], {}],
  ])('%j', (lines, facts) => {
    expect(callerFacts(read(true, ...lines))).toEqual(facts);
  });
});

describe('lists in headers', () => {
  it.each<[string, string[]]>([
    ['', ['']],
    ['a,b', ['a', 'b']],
    ['"a,b",<c,d>,e', ['"a,b"', '<c,d>', 'e']],
    ['"a\\",b",c', ['"a\\",b"', 'c']],
    ['"<",">"', ['"<"', '">"']],
    ['"open,x', ['"open,x']],
  ])('%j is %j', (value, parts) => {
    expect(splitHeader(value, ',')).toEqual(parts);
  });

  it('gives up what is far too long', () => {
    expect(splitHeader('x,'.repeat(5_000), ',')).toEqual([]);
  });

  it('takes quotes off parameters and their names to lower case', () => {
    const [address] = addressesOf('<sip:a@b;x=1>;Party="calling";flag');
    expect(address).toEqual({
      uri: 'sip:a@b;x=1',
      params: new Map([
        ['party', 'calling'],
        ['flag', ''],
      ]),
    });
  });
});
