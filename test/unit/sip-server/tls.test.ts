import type { PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { Pinger } from '../../../src/sip-server/transport/pinger.js';
import { defaultPort, protocolOf } from '../../../src/sip-server/transport/resolver.js';
import { parseSipUri } from '../../../src/sip-server/sip/uri.js';
import { StreamFramer } from '../../../src/sip-server/transport/stream-framer.js';
import { tlsFailureText } from '../../../src/sip-server/transport/tls-failure.js';
import { proves, TlsIdentities } from '../../../src/sip-server/transport/tls-identity.js';
import type { TlsServer } from '../../../src/sip-server/transport/tls-settings.js';

const certificate = (subjectaltname: string, CN = 'cn.test'): PeerCertificate =>
  ({ subject: { CN }, subjectaltname }) as PeerCertificate;

describe('a certificate proves', () => {
  it.each([
    ['pbx.test', 'DNS:pbx.test'],
    ['pbx.test', 'DNS:other.test, URI:sip:pbx.test'],
    ['pbx.test', 'URI:SIP:PBX.test'],
    ['a.carrier.test', 'DNS:*.carrier.test'],
    ['192.0.2.5', 'IP Address:192.0.2.5'],
  ])('%s by %s', (name, names) => expect(proves(name, certificate(names))).toBeUndefined());

  it.each([
    ['pbx.test', 'DNS:other.test'],
    ['cn.test', 'DNS:other.test'],
    ['pbx.test', 'URI:sip:user@pbx.test'],
    ['pbx.test', 'URI:https://pbx.test'],
    ['a.b.carrier.test', 'DNS:*.carrier.test'],
    ['192.0.2.5', 'DNS:192.0.2.5'],
    // One entry that wants to look like three.
    ['pbx.test', 'URI:"http://x, URI:sip:pbx.test, y"'],
  ])('not %s by %s', (name, names) =>
    expect(proves(name, certificate(names))).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
  );
});

describe('whom a server must prove to be', () => {
  const entry: TlsServer = {
    host: 'PBX.test',
    port: 5061,
    caFile: '/ca.pem',
    verify: true,
    serverName: undefined,
    alpn: ['sip'],
  };
  const identities = new TlsIdentities([entry, { ...entry, host: '192.0.2.9', serverName: 'nine.test' }]);
  const of = (name: string | undefined, port = 5061, host = '192.0.2.1') => identities.of({ name, host, port });

  it('is its host name, with the settings of its trunk', () => {
    expect(of('pbx.TEST')).toEqual({ serverName: 'pbx.test', caFile: '/ca.pem', verify: true, alpn: ['sip'] });
    expect(of('192.0.2.9')).toMatchObject({ serverName: 'nine.test' });
  });

  it('is the name in the URI where no trunk says more, by the public authorities', () => {
    expect(of('pbx.test', 5071)).toEqual({ serverName: 'pbx.test', caFile: undefined, verify: true, alpn: [] });
    expect(of('[2001:db8::1]')).toMatchObject({ serverName: '2001:db8::1' });
  });

  it('is who was dialled, or found, at that address, where the URI has no name', async () => {
    expect(of('192.0.2.1')).toMatchObject({ serverName: '192.0.2.1' });
    identities.dialled({ host: '192.0.2.1', port: 5061 }, of('pbx.test'));
    expect(of('192.0.2.1', 5099)).toMatchObject({ serverName: 'pbx.test', caFile: '/ca.pem' });
    expect(of('other.test')).toMatchObject({ serverName: 'other.test', caFile: undefined });
    const fresh = new TlsIdentities([entry, { ...entry, host: 'gone.test' }]);
    await fresh.learn({
      resolve: (host) => (host === 'PBX.test' ? Promise.resolve('192.0.2.7') : Promise.reject(new Error('no name'))),
    });
    expect(fresh.of({ host: '192.0.2.7', port: 5061, name: '192.0.2.7' })).toMatchObject({ serverName: 'pbx.test' });
  });

  it('is for ever what the configuration says of an address, whatever other names lead there', async () => {
    const known = new TlsIdentities([entry]);
    await known.learn({ resolve: () => Promise.resolve('192.0.2.7') });
    const at = (host: string, name = host) => known.of({ host, port: 5061, name });
    known.dialled({ host: '192.0.2.7', port: 5061 }, at('192.0.2.7', 'other.test'));
    for (let i = 0; i < 2000; i++)
      known.dialled({ host: `10.0.${i >> 8}.${i & 255}`, port: 5061 }, at('10.0.0.1', 'x.test'));
    expect(at('192.0.2.7')).toMatchObject({ serverName: 'pbx.test' });
    expect(at('10.0.7.207')).toMatchObject({ serverName: 'x.test' });
  });
});

it('failures are told without what a peer could put into them', () => {
  const bad = Object.assign(new Error(`x\r\n\u001b[2J${'n'.repeat(500)}`), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  const text = tlsFailureText(bad);
  expect(text).toMatch(/^its certificate is for another name: x \[2Jn+$/);
  expect(text.length).toBeLessThan(250);
  expect(tlsFailureText(Object.assign(new Error('x'), { code: 'constructor' }))).toBe('x');
});

it.each([
  ['sip:a@b', 'udp', 5060],
  ['sip:a@b;transport=TLS', 'tls', 5061],
  ['sips:a@b', 'tls', 5061],
  ['sips:a@b;transport=tcp', 'tls', 5061],
  ['sips:a@b;transport=udp', undefined, undefined],
  ['sip:a@b;transport=ws', undefined, undefined],
])('%s goes by %s to port %s', (uri, protocol, port) => {
  const found = protocolOf(parseSipUri(uri)!, 'udp');
  expect([found, found && defaultPort(found)]).toEqual([protocol, port]);
});

describe('pings', () => {
  const begin = () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const options = {
      clock,
      pingMs: 90,
      pongMs: 10,
      ping: () => seen.push('ping'),
      onSilent: () => seen.push('silent'),
    };
    return { clock, seen, pinger: new Pinger(options) };
  };

  it('go on for ever to a peer that never answers one', () => {
    const { clock, seen } = begin();
    clock.advance(89);
    expect(seen).toEqual([]);
    for (let rounds = 0; rounds < 3; rounds++) clock.advance(90);
    expect(seen).toEqual(['ping', 'ping', 'ping']);
  });

  it('must be answered by a peer that has answered one, or be followed by anything else', () => {
    const { clock, seen, pinger } = begin();
    clock.advance(90);
    pinger.ponged();
    clock.advance(90);
    clock.advance(9);
    pinger.heard();
    clock.advance(81);
    expect(seen).toEqual(['ping', 'ping', 'ping']);
    clock.advance(10);
    expect(seen).toEqual(['ping', 'ping', 'ping', 'silent']);
  });

  it('end with the connection', () => {
    const { clock, seen, pinger } = begin();
    pinger.ponged();
    clock.advance(90);
    pinger.stop();
    clock.advance(1000);
    expect(seen).toEqual(['ping']);
  });
});

describe('a line end from the peer', () => {
  const kinds = (framer: StreamFramer, text: string): string[] =>
    framer.push(Buffer.from(text)).map(({ kind }) => kind);

  it('is a pong when one is expected, once', () => {
    const framer = new StreamFramer();
    framer.expectPong();
    expect(kinds(framer, '\r')).toEqual([]);
    expect(kinds(framer, '\n')).toEqual(['pong']);
    expect(kinds(framer, '\r\n')).toEqual([]);
    expect(kinds(framer, '\r\n')).toEqual(['ping']);
  });

  it('is told from the body of a message', () => {
    const framer = new StreamFramer();
    expect(kinds(framer, 'MESSAGE sip:x@y SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n')).toEqual([]);
    framer.expectPong();
    expect(kinds(framer, '\r\n\r\n')).toEqual(['message', 'pong']);
  });
});
