import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configOf, errorsOf, load, warningsOf, working } from './load.js';

const FOLDER = 'test/fixtures/tls';
/** The test certificates, as if they lay beside the configuration. */
const files = Object.fromEntries(
  readdirSync(FOLDER).map((name) => [`/etc/sip2wa/${name}`, readFileSync(`${FOLDER}/${name}`, 'utf8')]),
);
const LISTEN = 'listen: [udp://0.0.0.0:5060, tls://0.0.0.0:5061]';
const PAIR = 'cert: bridge.pem, key: bridge.key';
const sip = (tls: string, listen = LISTEN): string => `sip: { ${listen}, tls: { ${tls} } }\n`;
const errors = (text: string) => errorsOf(text, { files });
const warnings = (text: string) => warningsOf(text, { files }).filter((line) => !line.includes('no numbers'));

/** One number and one TLS trunk, with these keys in its `tls`, or none. */
const trunk = (tls = '', more = ''): string =>
  working({
    trunk: [...(tls === '' ? [] : [`tls: { ${tls} }`])],
    top: [sip(PAIR).trimEnd(), ...(more === '' ? [] : [more])],
  }).replace('{ hostname: 10.0.0.5 }', '{ hostname: PBX.example.com, transport: tls }');

describe('sip.tls', () => {
  it('names files from where the configuration lies', () => {
    const { tls, listen } = configOf(sip(`${PAIR}, ca: ca.pem, client_certificates: require`), { files }).sip;
    expect(tls).toEqual({
      certFile: '/etc/sip2wa/bridge.pem',
      keyFile: '/etc/sip2wa/bridge.key',
      caFile: '/etc/sip2wa/ca.pem',
      clientCertificates: 'require',
      servers: [],
    });
    expect(listen[1]).toEqual({ transport: 'tls', host: '0.0.0.0', port: 5061 });
    expect(warnings(sip(PAIR))).toEqual([]);
  });

  it('asks no peer for a certificate unless told to', () => {
    const tls = configOf(sip(PAIR), { files }).sip.tls;
    expect(tls).toMatchObject({ caFile: undefined, clientCertificates: 'none' });
    expect(configOf('sip: {}\n').sip.tls).toBeUndefined();
  });

  it.each([
    ['cert: bridge.pem', /sip\.tls\.key: is missing; add it$/],
    ['cert: gone.pem, key: bridge.key', /sip\.tls\.cert: file gone\.pem cannot be read \(ENOENT\)/],
    ['cert: bridge.pem, key: pbx.key', /sip\.tls\.key: is not the key of the certificate/],
    ['cert: bridge.key, key: bridge.key', /sip\.tls\.cert: holds no certificate in PEM/],
    ['cert: bridge.pem, key: bridge.pem', /sip\.tls\.key: holds no private key in PEM, or an encrypted one/],
    [`${PAIR}, ca: bridge.key`, /sip\.tls\.ca: holds no certificate in PEM/],
    [`${PAIR}, client_certificates: yes`, /sip\.tls\.client_certificates: must be one of/],
    [`${PAIR}, ciphers: LOW`, /sip\.tls\.ciphers: unknown key/],
  ])('%s is an error', (tls, expected) => {
    const found = errors(sip(tls));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it('never quotes what the files hold', () => {
    const found = JSON.stringify(load(sip('cert: bridge.key, key: bridge.key'), { files }));
    const [, secret = ''] = (files['/etc/sip2wa/bridge.key'] ?? '').split('\n');
    expect(secret.length).toBeGreaterThan(20);
    expect(found).not.toContain(secret);
  });

  it('is needed by a tls:// socket, and useless without one', () => {
    expect(errors(`sip: { ${LISTEN} }\n`)).toEqual([
      'c.yaml:1:37: sip.listen[1]: is TLS, which needs a certificate; add sip.tls with cert and key',
    ]);
    expect(warnings(sip(PAIR, 'listen: [udp://0.0.0.0:5060]'))).toEqual([
      'c.yaml:1:38: warning: sip.tls: is not used: sip.listen has no tls:// socket; add tls://0.0.0.0:5061 to sip.listen, or remove it',
    ]);
  });

  it('warns of a certificate that has expired, of a key that all can read and of too many trusted authorities', () => {
    expect(warnings(sip('cert: expired.pem, key: expired.key'))).toEqual([
      'c.yaml:1:71: warning: sip.tls.cert: has expired on 2021-01-01; put a valid certificate there; it is taken without a restart',
    ]);
    const open = warningsOf(sip(PAIR), { files, fileMode: 0o644 });
    expect(open.filter((line) => line.includes('can be read by everybody'))).toHaveLength(1);
    const trusting = warnings(sip(`${PAIR}, client_certificates: require`));
    expect(trusting).toHaveLength(1);
    expect(trusting[0]).toContain('takes the certificates of every public authority');
  });

  it('shares no port with another TCP socket', () => {
    const text = `sip: { listen: [tcp://0.0.0.0:5061, tls://0.0.0.0:5061], tls: { ${PAIR} } }\n`;
    expect(errors(text)).toEqual(['c.yaml:1:37: sip.listen[1]: is the socket of sip.listen; choose another port']);
  });
});

describe('tls of a trunk', () => {
  it('says how its servers are reached; a port that is left to DNS may be any', () => {
    const config = configOf(trunk('ca: ca.pem, server_name: pbx.test, alpn: [sip]'), { files });
    expect(config.trunks[0]?.servers[0]).toMatchObject({ hostname: 'PBX.example.com', port: 5061, transport: 'tls' });
    expect(config.sip.tls?.servers).toEqual([
      {
        host: 'PBX.example.com',
        port: undefined,
        caFile: '/etc/sip2wa/ca.pem',
        verify: true,
        serverName: 'pbx.test',
        alpn: ['sip'],
      },
    ]);
  });

  it('is taken from trunk_defaults, for numbers served by their settings as well', () => {
    const defaults = 'trunk_defaults: { tls: { ca: ca.pem } }';
    expect(configOf(trunk('', defaults), { files }).sip.tls?.servers).toMatchObject([{ caFile: '/etc/sip2wa/ca.pem' }]);
    const number = ['settings: { calling: { sip: { servers: [{ hostname: a.example }] } } }'];
    const settings = working({ number, top: [sip(PAIR).trimEnd(), defaults] }).replace('    trunk: pbx\n', '');
    const config = configOf(settings, { files });
    expect(config.trunks[1]?.servers).toMatchObject([{ hostname: 'a.example', port: 5061, transport: 'tls' }]);
    expect(config.sip.tls?.servers).toMatchObject([{ host: 'a.example', port: 5061, verify: true, alpn: [] }]);
  });

  it('is not needed: then the name and the public authorities count', () => {
    const config = configOf(trunk(), { files });
    expect(config.trunks[0]?.servers[0]?.transport).toBe('tls');
    expect(config.sip.tls?.servers).toEqual([]);
    expect(warnings(trunk())).toEqual([]);
  });

  it('is warned of where it takes any certificate, and where it does nothing', () => {
    expect(warnings(trunk('verify: false'))).toEqual([
      expect.stringMatching(/trunks\[0\]\.tls\.verify: lets whoever stands between us and the server/),
    ]);
    const unused = warnings(working({ trunk: ['tls: { ca: ca.pem }'], top: [sip(PAIR).trimEnd()] }));
    expect(unused).toEqual([expect.stringMatching(/trunks\[0\]\.tls: is not used: no server of the trunk/)]);
  });

  it.each([
    ['ca: gone.pem', /tls\.ca: file gone\.pem cannot be read/],
    ['ca: bridge.key', /tls\.ca: holds no certificate/],
    ['server_name: "a b"', /tls\.server_name: must be a host name/],
    ['alpn: sip', /tls\.alpn: must be a list/],
    ['verify: "no"', /tls\.verify: must be true or false/],
  ])('%s is an error', (tls, expected) => {
    const found = errors(trunk(tls));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(expected);
  });

  it('is one for one server', () => {
    const second = '  - { name: two, servers: [{ hostname: pbx.example.com, transport: tls }], tls: { ca: ca.pem } }';
    const text = trunk().replace('numbers:', `${second}\nnumbers:`);
    expect(errors(text)).toEqual([
      expect.stringMatching(/trunks\[1\]\.tls: is not the same as that of trunk pbx, which has the same server/),
    ]);
  });

  it.each([
    [
      'an outbound proxy',
      '{ name: two, servers: [{ hostname: 10.0.0.9 }], outbound_proxy: { hostname: PBX.example.com, transport: tls } }',
    ],
    ['a server of any transport', '{ name: two, servers: [{ hostname: pbx.EXAMPLE.com }] }'],
    ['a port that SRV may name', '{ name: two, servers: [{ hostname: pbx.example.com, port: 5061, transport: tls }] }'],
  ])('%s counts as well: the other trunk does without a check', (_what, second) => {
    const text = trunk('verify: false').replace('numbers:', `  - ${second}\nnumbers:`);
    expect(errors(text)).toEqual([expect.stringMatching(/trunks\[1\]\.tls: is not the same as that of trunk pbx/)]);
  });

  it('and so do the servers of a number with settings', () => {
    const number = ['settings: { calling: { sip: { servers: [{ hostname: pbx.example.com, port: 5061 }] } } }'];
    const second =
      '  - { name: two, servers: [{ hostname: pbx.example.com, transport: tls }], tls: { verify: false } }';
    const text = working({ number, top: [sip(PAIR).trimEnd()] })
      .replace('    trunk: pbx\n', '')
      .replace('numbers:', `${second}\nnumbers:`);
    expect(errors(text)).toEqual([expect.stringMatching(/tls: is not the same as that of trunk two/)]);
  });
});

it('the TLS keys of the embedded server are warned of beside a drachtio-server, and their files are not looked at', () => {
  const server = 'server: drachtio, drachtio: { secret: some-secret-9 }';
  const text = working({
    trunk: ['tls: { ca: gone.pem }'],
    top: [`sip: { ${server}, tls: { cert: gone.pem, key: gone.key } }`],
  }).replace('{ hostname: 10.0.0.5 }', '{ hostname: 10.0.0.5, transport: tls }');
  expect(errors(text)).toEqual([]);
  const found = warnings(text).filter((line) => line.includes('its own certificates'));
  expect(found.map((line) => line.split(': ')[2])).toEqual(['trunks[0].tls', 'sip.tls']);
});
