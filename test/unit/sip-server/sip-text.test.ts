import { describe, expect, it } from 'vitest';
import { isCallId, splitOutsideQuotes } from '../../../src/sip-server/sip/grammar.js';
import { canonicalName, expandName } from '../../../src/sip-server/sip/header-names.js';
import { all, elements, first } from '../../../src/sip-server/sip/message.js';
import { formatNameAddr, parseNameAddr, tagOf } from '../../../src/sip-server/sip/name-addr.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { serialise } from '../../../src/sip-server/sip/serialise.js';
import { isUri, parseSipUri } from '../../../src/sip-server/sip/uri.js';
import { completeVia, parseVia } from '../../../src/sip-server/sip/via.js';

describe('parseMessage and serialise', () => {
  const wire = [
    'INVITE sip:bob@example.com SIP/2.0',
    'v: SIP/2.0/UDP a.example.com;branch=z9hG4bK1',
    'X-Odd:   two  spaces ,here',
    'Subject: folded',
    '   line',
    'f: "Ünï" <sip:a@b>;tag=1',
    'Content-Length: 4',
    '',
    'bödy and more than it says',
  ].join('\r\n');

  it('keeps values byte for byte, unfolds, expands compact names and cuts the body', () => {
    const parsed = parseMessage(Buffer.from(wire.replace('bödy', 'b\xf6dy'), 'latin1'));
    expect(parsed?.problems).toEqual([]);
    const message = parsed!.message;
    expect(message.headers.map((line) => line.name)).toEqual(['Via', 'X-Odd', 'Subject', 'From', 'Content-Length']);
    expect(first(message, 'x-odd')).toBe('two  spaces ,here');
    expect(first(message, 'subject')).toBe('folded line');
    expect(message.body.toString('latin1')).toBe('b\xf6dy');
    expect(serialise(message).toString('latin1')).toContain('From: "\xdcn\xef" <sip:a@b>;tag=1\r\n');
  });

  it('corrects the length it writes, and adds it when missing', () => {
    const { message } = parseMessage(Buffer.from('SIP/2.0 200 OK\r\nl: 99\r\n\r\nGrüße'), 'rest')!;
    expect(serialise(message).toString()).toBe('SIP/2.0 200 OK\r\nContent-Length: 7\r\n\r\nGrüße');
    const bare = parseMessage(Buffer.from('SIP/2.0 200 OK\r\nX-A: b\r\n\r\n'))!.message;
    expect(serialise(bare).toString()).toBe('SIP/2.0 200 OK\r\nX-A: b\r\nContent-Length: 0\r\n\r\n');
  });

  it.each([
    ['INVITE  sip:a@b \t SIP/2.0 ', 'sip:a@b'],
    ['INVITE sip:a@b  x SIP/2.0', 'sip:a@b  x'],
    ['INVITE \t SIP/2.0', ''],
    [' INVITE sip:a@b sip/2.0', 'sip:a@b'],
  ])('reads the request line %j, and says that it is malformed', (line, uri) => {
    const parsed = parseMessage(Buffer.from(`${line}\r\n\r\n`));
    expect(parsed?.problems).toEqual(['malformed request line']);
    expect(parsed?.message).toMatchObject({ method: 'INVITE', uri, version: '2.0' });
  });

  it.each([
    'INVITE SIP/2.0',
    'SIP/2.0',
    ' ',
    'INVITE sip:a@b SIP/',
    'INVITE sip:a\rb SIP/2.0',
    'INVITE sip:a@b SIPS/2.0',
  ])('the line %j begins no SIP message', (line) => {
    expect(parseMessage(Buffer.from(`${line}\r\n\r\n`))).toBeUndefined();
  });

  it('says what is wrong and goes on', () => {
    const parsed = parseMessage(Buffer.from('OPTIONS sip:x SIP/2.0\r\nno colon\r\nbad name: x\r\nC: a\rb\r\n'));
    expect(parsed?.problems).toEqual([
      'header section not ended by an empty line',
      'malformed header line',
      'malformed header line',
      'bare CR or LF in a header',
    ]);
  });

  it.each(['', '\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', 'SIP/2.0 OK\r\n\r\n', 'hello', '\0\0\0\0'])(
    '%j is no SIP message',
    (text) => {
      expect(parseMessage(Buffer.from(text))).toBeUndefined();
    },
  );
});

describe('parts of headers', () => {
  it('splits lists outside quotes and brackets', () => {
    expect(splitOutsideQuotes('"a,\\",b" <sip:x,y>, c', ',')).toEqual(['"a,\\",b" <sip:x,y>', ' c']);
    expect(splitOutsideQuotes('"open', ',')).toBeUndefined();
    expect(splitOutsideQuotes('<open', ',')).toBeUndefined();
    const { message } = parseMessage(
      Buffer.from('SIP/2.0 200 OK\r\nRoute: <sip:a;lr>,<sip:b;lr>\r\nRoute: <sip:c;lr>\r\n\r\n'),
    )!;
    expect(elements(message, 'route')).toEqual(['<sip:a;lr>', '<sip:b;lr>', '<sip:c;lr>']);
    expect(all(message, 'route')).toHaveLength(2);
  });

  it.each([
    ['cseq', 'CSeq'],
    ['www-authenticate', 'WWW-Authenticate'],
    ['p-asserted-identity', 'P-Asserted-Identity'],
    ['x-foo-bar', 'X-Foo-Bar'],
    ['X-foo', 'X-foo'],
    ['i', 'Call-ID'],
    ['r', 'Refer-To'],
    ['x', 'Session-Expires'],
  ])('spells %s as %s', (given, wanted) => {
    expect(canonicalName(given)).toBe(wanted);
  });

  it('leaves single letters that mean nothing alone', () => {
    expect(expandName('q')).toBe('q');
  });

  it.each([
    ['sip:bob@example.com', { scheme: 'sip', user: 'bob', host: 'example.com', port: undefined }],
    [
      'SIPS:bob:pw@[2001:db8::1]:5061;transport=TCP?h=v',
      { scheme: 'sips', user: 'bob:pw', host: '[2001:db8::1]', port: 5061 },
    ],
    ['sip:+49(0)30;ext=1@192.0.2.1', { user: '+49(0)30;ext=1', host: '192.0.2.1' }],
    [`sip:a@[::1];a=${'['.repeat(7)}`, { user: 'a', host: '[::1]' }],
    ['sip:*97#@pbx', { user: '*97#', host: 'pbx' }],
    ['sip:example.com;lr', { user: undefined, host: 'example.com' }],
  ])('reads %s', (text, parts) => {
    expect(parseSipUri(text)).toMatchObject(parts);
  });

  it.each([
    'sip:',
    'sip:@x',
    'sip:a b@c',
    'sip:a@',
    'sip:a@b:0',
    'sip:a@b:99999',
    'sip:a@b:x',
    'sip:a@b;=',
    'sip:%zz@b',
    'tel:1',
    'sip:a@[::1',
    'sip:a@-b-',
    `sip:a@[::1];a=${'['.repeat(8)}`,
  ])('refuses %s as a SIP URI', (text) => {
    expect(parseSipUri(text)).toBeUndefined();
  });

  it('takes other schemes where any URI may stand', () => {
    expect([isUri('tel:+4930'), isUri('urn:x:y'), isUri('nothing'), isUri('sip:a b')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it.each([
    ['"A \\"B\\"" <sip:a@b;x=y>;tag=t;flag', '"A \\"B\\""', 'sip:a@b;x=y', 't', true],
    ['sip:a@b;tag=t', '', 'sip:a@b', 't', false],
    ['Mister Big <sip:a@b>', 'Mister Big', 'sip:a@b', undefined, true],
  ])('reads the address %s', (text, display, uri, tag, bracketed) => {
    expect(parseNameAddr(text)).toMatchObject({ display, uri, bracketed });
    expect(tagOf(text)).toBe(tag);
  });

  it.each([
    '',
    '<>',
    '<sip:a@b',
    '"x <sip:a@b>',
    'A, B <sip:a@b>',
    '<sip:a@b>x',
    '<sip:a@b>;tag=a;tag=b',
    '<sip:a@b>;=1',
    '"q" sip:a@b',
  ])('refuses the address %j', (text) => {
    expect(parseNameAddr(text)).toBeUndefined();
  });

  it('writes addresses in brackets, so that URI and header parameters stay apart', () => {
    expect(formatNameAddr(parseNameAddr('sip:a@b;tag=t')!)).toBe('<sip:a@b>;tag=t');
  });

  it('knows a Call-ID; one with a pipe would shift the tokens of a frame', () => {
    expect([isCallId('a@b'), isCallId('{"x"}'), isCallId('a|b'), isCallId('a@b@c'), isCallId('')]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('Via', () => {
  const source = { host: '192.0.2.9', port: 4711 };
  it.each([
    ['SIP/2.0/UDP 192.0.2.9:5060;branch=b', 'SIP/2.0/UDP 192.0.2.9:5060;branch=b;rport=4711'],
    ['SIP/2.0/UDP 10.0.0.1;rport;branch=b', 'SIP/2.0/UDP 10.0.0.1;branch=b;rport=4711;received=192.0.2.9'],
    ['SIP/2.0/UDP h;branch=b;received=1.2.3.4;rport=9', 'SIP/2.0/UDP h;branch=b;rport=4711;received=192.0.2.9'],
  ])('%s becomes %s', (text, completed) => {
    expect(completeVia(text, parseVia(text)!, source)).toBe(completed);
    expect(parseVia(completed)?.params.get('branch')).toBe('b');
  });

  it('leaves what stands in quotes alone', () => {
    const text = 'SIP/2.0/UDP h;x="a;rport=1 \\" ;received=b";branch=b';
    expect(completeVia(text, parseVia(text)!, { host: 'h', port: 1 })).toBe(`${text};rport=1`);
  });

  it('keeps a parameter whose name only begins alike', () => {
    const text = 'SIP/2.0/TCP h;received-by=x;branch=b';
    expect(completeVia(text, parseVia(text)!, { host: 'h', port: 1 })).toBe(`${text};rport=1`);
  });

  it.each(['', 'SIP/3.0/UDP h', 'SIP/2.0/UDP', 'SIP/2.0/UDP h:x', 'SIP/2.0/UDP h;;', 'HTTP/2.0/UDP h'])(
    'refuses %j',
    (text) => {
      expect(parseVia(text)).toBeUndefined();
    },
  );
});
