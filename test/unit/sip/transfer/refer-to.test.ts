import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readReferTo, referredBy } from '../../../../src/sip/transfer/refer-to.js';
import { formatReplaces, parseReplaces } from '../../../../src/sip/transfer/replaces.js';
import { contactsOf } from '../../../../src/sip/transfer/redirects.js';

const to = (value: string) => {
  const read = readReferTo(value);
  return read.ok ? read.to : read.refusal.status;
};
const place = { host: '10.0.0.5', port: undefined, transport: undefined, replaces: undefined };

describe('Refer-To', () => {
  it.each([
    ['<sip:610@10.0.0.5>', { ...place, user: '610' }],
    ['sip:610@10.0.0.5;tag=x', { ...place, user: '610' }],
    [
      '"Bob \\"B\\" <x>" <sip:610@10.0.0.5:5080;transport=TCP>;x=y',
      { ...place, user: '610', port: 5080, transport: 'tcp' },
    ],
    ['<SIP:61%30@[2001:DB8::1]>', { ...place, user: '610', host: '2001:db8::1' }],
    ['<sip:610;phone-context=x@pbx.Example>', { ...place, user: '610', host: 'pbx.example' }],
    ['<tel:+49151;ext=1>', { ...place, user: '+49151', host: undefined }],
    ['<sip:610@10.0.0.5;method=INVITE>', { ...place, user: '610' }],
    ['<sip:610@10.0.0.5?Subject=hi&body=x>', { ...place, user: '610' }],
  ])('%s', (value, expected) => {
    expect(to(value)).toEqual(expected);
  });

  it('names a dialog to be replaced, unescaped', () => {
    expect(to('<sip:6@h?Require=replaces&Replaces=a%40b%3Bfrom-tag%3Df%3Bto-tag%3Dt%3Bearly-only>')).toMatchObject({
      replaces: { callId: 'a@b', toTag: 't', fromTag: 'f', earlyOnly: true },
    });
  });

  it.each([
    ['', 400],
    ['<>', 400],
    ['<sip:@h>', 400],
    ['<sip:a@h:0>', 400],
    ['<sip:a@h:70000>', 400],
    ['<sip:a@h>, <sip:b@h>', 400],
    ['<sip:a@h>;x=1, <sip:b@h>', 400],
    ['sip:a@h, sip:b@h', 400],
    ['<sip:a@h?Replaces=%zz>', 400],
    ['<sip:a@h?Replaces=a%0d%0aX%3Bto-tag%3D1%3Bfrom-tag%3D2>', 400],
    [`<sip:${'a'.repeat(3000)}@h>`, 400],
    ['<sip:a@h;method=MESSAGE>', 603],
    ['<sips:a@h>', 416],
    ['<http://h/>', 416],
  ])('%s is refused with %i', (value, status) => {
    expect(to(value)).toBe(status);
  });

  it('is absent', () => {
    expect(readReferTo(undefined)).toMatchObject({ ok: false, refusal: { status: 400 } });
  });

  it('never throws, and what it lets through has nothing that ends a line', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary' }).map((text) => `<sip:${text}@h?Replaces=${text.slice(0, 9)}>`),
    );
    fc.assert(
      fc.property(value, (text) => {
        const read = readReferTo(text);
        expect(JSON.stringify(read)).not.toMatch(/\\[rn]/);
        expect(referredBy(text) ?? '').not.toMatch(/[\r\n]/);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('Referred-By', () => {
  it.each([
    ['"Agent, 1" <sip:agent@pbx>;cid="x"', '<sip:agent@pbx>'],
    ['sip:agent@pbx;x=y', '<sip:agent@pbx>'],
    ['<sip:a b@pbx>', undefined],
    ['nobody', undefined],
    [undefined, undefined],
  ])('%s', (value, expected) => {
    expect(referredBy(value)).toBe(expected);
  });
});

describe('Replaces', () => {
  it('is read as it is written', () => {
    const text = 'a@b;to-tag=t;from-tag=f;early-only';
    expect(formatReplaces(parseReplaces(text)!)).toBe(text);
  });

  it.each([
    '',
    'a',
    'a;to-tag=t',
    'a;to-tag=t;from-tag=',
    'a b;to-tag=t;from-tag=f',
    'a;to-tag=t;to-tag=u;from-tag=f',
    'a;to-tag=t;from-tag=f, b;to-tag=t;from-tag=f',
    `${'a'.repeat(600)};to-tag=t;from-tag=f`,
  ])('%s is none', (text) => {
    expect(parseReplaces(text)).toBeUndefined();
  });
});

describe('Contacts of a 3xx', () => {
  it.each([
    ['<sip:a@h>;q=0.2, sip:b@h;q=0.9, "C, c;q=1" <sip:c@h;q=0>', ['sip:c@h;q=0', 'sip:b@h', 'sip:a@h']],
    ['<sip:a@h>;q=7', ['sip:a@h']],
    ['', []],
    ['<sip:a@h>'.padEnd(5000), []],
  ])('%s', (header, uris) => {
    expect(contactsOf(header)).toEqual(uris);
  });
});
