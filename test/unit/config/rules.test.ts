import { describe, expect, it } from 'vitest';
import { configOf, errorsOf, load, NUMBER_LINE, TRUNK_LINE, warningsOf, working } from './load.js';

/** Where `top` begins when `number` has no lines of its own. */
const TOP_LINE = NUMBER_LINE;

describe('working()', () => {
  it('is good and without warnings', () => {
    expect(errorsOf(working())).toEqual([]);
    expect(warningsOf(working())).toEqual([]);
    expect(working({ trunk: ['X'] }).split('\n')[TRUNK_LINE - 1]).toBe('    X');
    expect(working({ number: ['X'] }).split('\n')[NUMBER_LINE - 1]).toBe('    X');
  });
});

describe('single values', () => {
  it.each([
    [
      'graph: { base_url: http://graph.facebook.com }',
      '1:20: graph.base_url: plain http is for loopback addresses only; write https://, the token travels this way',
    ],
    ['graph: { version: 23 }', '1:19: graph.version: must be a version of the Graph API; write for example v23.0'],
    [
      'graph: { appsecret_proof: "true" }',
      '1:27: graph.appsecret_proof: must be true or false; write true or false, without quotes',
    ],
    ['graph: { timeout: 1h }', '1:19: graph.timeout: is out of range; write a duration from 100ms to 60s'],
    [
      'webhook: { listen: 8080 }',
      '1:20: webhook.listen: must be HOST:PORT; write for example 127.0.0.1:8081 or [::1]:8081',
    ],
    [
      'webhook: { path: webhook }',
      '1:18: webhook.path: must be the path of a URL; begin it with / and use letters, digits, . _ ~ - only, for example /webhook',
    ],
    ['sip: { server: drahctio }', '1:16: sip.server: must be one of embedded | drachtio; did you mean drachtio?'],
    [
      'sip: { advertised_host: "a:5060" }',
      '1:25: sip.advertised_host: must be a host name, an IP address or empty; write it without port, or "" to show the address of the socket',
    ],
    ['sip: { drachtio: { port: "9022" } }', '1:26: sip.drachtio.port: must be a port; write a number from 1 to 65535'],
    ['sip: { drachtio: { port: 0 } }', '1:26: sip.drachtio.port: must be a port; write a number from 1 to 65535'],
    ['media: { engine: mediasoup }', '1:18: media.engine: must be one of werift; write one of them'],
    [
      'media: { listen_ip: localhost }',
      '1:21: media.listen_ip: must be an IP address; write for example 0.0.0.0 or 192.0.2.10',
    ],
    [
      'media: { advertised_ip: a.b }',
      '1:25: media.advertised_ip: must be an IP address or empty; write the public address, or "" if there is no address translation',
    ],
    [
      'media: { rtp_ports: 20000 }',
      '1:21: media.rtp_ports: must be a range of ports; write LOW-HIGH, for example 20000-29999, from 1024 to 65535',
    ],
    [
      'media: { workers: many }',
      '1:19: media.workers: must be auto or a number; write auto for one per core, or a number from 1 to 64',
    ],
    [
      'media: { remote_networks: [10.0.0.0/33] }',
      '1:28: media.remote_networks[0]: must be an address or a network; write for example 10.0.0.5 or 10.0.0.0/24',
    ],
    [
      'media: { remote_networks: pubic }',
      '1:27: media.remote_networks: must be public, any or a list of networks; write for example [10.0.0.0/8]',
    ],
    ['media: { remote_networks: [] }', '1:27: media.remote_networks: must not be empty; write at least one item'],
    ['settings: { push: "no" }', '1:19: settings.push: must be one of apply | report | off; write one of them'],
    [
      'calls: { pre_accept: now }',
      '1:22: calls.pre_accept: must be one of immediate | on_progress | never; write one of them',
    ],
    [
      'calls: { max_duration: [4h] }',
      '1:24: calls.max_duration: must be a duration; write a whole number with its unit: 500ms, 30s, 2m or 4h',
    ],
    ['log: { level: }', '1:8: log.level: has no value; remove the line to get the default (info)'],
    [
      'journal: { dir: "${env:HOME}" }',
      '1:17: journal.dir: references are for secrets only; write the value itself, or set SIP2WA_JOURNAL_DIR in the environment',
    ],
    ['log: info', '1:6: log: must be a block of keys; indent its keys below it'],
    ['sip: { drachtio: host }', '1:18: sip.drachtio: must be a block of keys; indent its keys below it'],
    ['sip: { listen: [] }', '1:16: sip.listen: must not be empty; write at least one item'],
    [
      'sip: { listen: udp://0.0.0.0:5060 }',
      '1:16: sip.listen: must be a list; write [A, B], or begin each item with "- "',
    ],
    [
      'sip: { listen: [0.0.0.0:5060] }',
      '1:17: sip.listen[0]: must be TRANSPORT://HOST:PORT; write for example udp://0.0.0.0:5060, tcp://0.0.0.0:5060 or udp://[::]:5060',
    ],
    ['trunks: pbx', '1:9: trunks: must be a list; begin each item with "- "'],
    ['trunk_defaults: { codecs: [] }', '1:27: trunk_defaults.codecs: must not be empty; write at least one item'],
    [
      'graph: { app_secret: { a: b } }',
      '1:22: graph.app_secret: must be text or a list of at most two; write ${env:NAME} or ${file:/path}, or a list of two while rotating',
    ],
    ['graph: { app_secret: [a, b, c] }', '1:22: graph.app_secret: has too many items; keep 2'],
  ])('%s', (text, expected) => expect(errorsOf(`${text}\n`)).toEqual([`c.yaml:${expected}`]));
});

describe('sockets and ports', () => {
  it('keeps ranges apart', () => {
    expect(errorsOf('media:\n  rtp_ports: 10000-20000\n  webrtc_ports: 20000-30000\n')).toEqual([
      'c.yaml:3:17: media.webrtc_ports: overlaps media.rtp_ports; choose two ranges that are apart',
    ]);
  });

  it('warns of the ephemeral range from 32768', () => {
    expect(
      warningsOf('media:\n  rtp_ports: 20000-32767\nnumbers: []\n').filter((line) => line.includes('media')),
    ).toEqual([]);
    expect(warningsOf('media:\n  rtp_ports: 20000-32768\nnumbers: []\n')).toContain(
      'c.yaml:2:14: warning: media.rtp_ports: reaches into the ephemeral range, which begins at 32768; stay below it, or other programs may hold a port',
    );
  });

  it('keeps SIP out of the media ranges', () => {
    expect(errorsOf('sip: { listen: [tcp://0.0.0.0:20000, udp://0.0.0.0:20000] }\n')).toEqual([
      'c.yaml:1:38: sip.listen[1]: lies within media.rtp_ports; move one of the two',
    ]);
  });

  it('sees two sockets on one port', () => {
    expect(
      errorsOf(
        'webhook: { listen: 127.0.0.1:80 }\nadmin: { listen: 127.0.0.1:80 }\nsip: { listen: [udp://0.0.0.0:80, tcp://0.0.0.0:80, "udp://[::]:80"] }\n',
      ),
    ).toEqual([
      'c.yaml:2:18: admin.listen: is the socket of webhook.listen; choose another port',
      'c.yaml:3:35: sip.listen[1]: is the socket of webhook.listen; choose another port',
      'c.yaml:3:53: sip.listen[2]: is the socket of sip.listen; choose another port',
    ]);
    expect(errorsOf('webhook: { listen: 127.0.0.1:0 }\nadmin: { listen: 127.0.0.1:0 }\n')).toEqual([]);
    expect(errorsOf('webhook: { listen: 127.0.0.2:80 }\nadmin: { listen: 127.0.0.1:80 }\n')).toEqual([]);
  });

  it('wants a token for an admin listener that others can reach', () => {
    expect(errorsOf('admin: { listen: 0.0.0.0:8081 }\n')).toEqual([
      'c.yaml:1:18: admin.listen: can be reached from other machines, and there is no admin.token; set admin.token to ${env:NAME}, or listen on 127.0.0.1',
    ]);
    expect(errorsOf('admin: { listen: 0.0.0.0:8081, token: "${env:T}" }\n', { env: { T: 'x'.repeat(20) } })).toEqual(
      [],
    );
    expect(errorsOf('admin: { listen: "[::1]:8081" }\n')).toEqual([]);
    expect(errorsOf('', { env: { SIP2WA_ADMIN_LISTEN: '0.0.0.0:8081' } })).toHaveLength(1);
  });
});

describe('trunks', () => {
  it.each([
    [['codecs: [PCMA, pcmu]'], 6, 20, 'codecs[1]: must be one of PCMA | PCMU | G722 | opus; did you mean PCMU?'],
    [
      ['accept_from: [pbx.example.com]'],
      6,
      19,
      'accept_from[0]: must be an address or a network; write for example 10.0.0.5 or 10.0.0.0/24',
    ],
    [['accept_from: 10.0.0.5'], 6, 18, 'accept_from: must be a list; write [A, B], or begin each item with "- "'],
    [['max_calls: 0'], 6, 16, 'max_calls: must be a whole number; write a number from 1 to 100000'],
    [
      ['media_networks: [phones]'],
      6,
      22,
      'media_networks[0]: must be an address or a network; write for example 10.0.0.5 or 10.0.0.0/24',
    ],
    [['register: "yes"'], 6, 15, 'register: must be true or false; write true or false, without quotes'],
    [
      ['srtp: required'],
      6,
      11,
      'srtp: needs TLS, or its keys could be read on the way; write transport: tls, or srtp_without_tls: true if the network is private',
    ],
    [
      ['register: true'],
      6,
      15,
      'register: needs auth: its username is what is registered; add auth: { username, password }',
    ],
    [
      ['from: account'],
      6,
      11,
      'from: is account, which needs auth: its username is who calls; add auth: { username, password }, or write from: caller',
    ],
    [['from: user'], 6, 11, 'from: must be one of caller | account; write one of them'],
    [['auth: { username: u }'], 6, 5, 'auth.password: is missing; add it'],
    [['auth: { username: u, password: }'], 6, 26, 'auth.password: has no value; give it one, or remove the line'],
    [
      ['auth: { username: u, password: "" }'],
      6,
      36,
      'auth.password: is needed with a username; write ${env:NAME} or ${file:/path}',
    ],
    [['auth: u'], 6, 11, 'auth: must be a block of keys; write KEY: VALUE lines below it'],
  ])('%j', (trunk, line, column, expected) => {
    expect(errorsOf(working({ trunk }))).toEqual([
      `c.yaml:${line}:${column}: trunks[0].${expected}`.replace(
        'auth.password: is missing',
        'auth.password: is missing',
      ),
    ]);
  });

  it.each(['rfc4733', 'info', 'inband'])('dtmf: %s is taken, of a trunk and of the defaults', (dtmf) => {
    for (const text of [
      working({ trunk: [`dtmf: ${dtmf}`] }),
      working({ top: [`trunk_defaults: { dtmf: ${dtmf} }`] }),
    ]) {
      expect(warningsOf(text)).toEqual([]);
      expect(configOf(text).trunks[0]).toMatchObject({ dtmf });
    }
  });

  it('srtp: optional without TLS is warned of, and with srtp_without_tls it is not', () => {
    expect(warningsOf(working({ trunk: ['srtp: optional'] }))).toEqual([
      'c.yaml:6:11: warning: trunks[0].srtp: has no effect without TLS: keys are not sent in the clear; write transport: tls, or srtp_without_tls: true if the network is private',
    ]);
    const [trunk] = configOf(working({ trunk: ['srtp: required', 'srtp_without_tls: true'] })).trunks;
    expect(trunk).toMatchObject({ srtp: 'required', srtpWithoutTls: true });
  });

  it('the timers of RFC 3261 reach the configuration', () => {
    expect(configOf(working({ top: ['sip: { timer_t1: 50ms }'] })).sip.timers).toEqual({
      t1Ms: 50,
      t2Ms: 4_000,
      t4Ms: 5_000,
    });
  });

  it.each([
    [
      '{ hostname: 10.0.0.5, transport: tls }',
      '5:48: trunks[0].servers[0].transport: is TLS, and sip.listen has no tls:// socket; add tls://0.0.0.0:5061 to sip.listen, and sip.tls, or use another port for UDP',
    ],
    [
      '{ hostname: "10.0.0.5:5060" }',
      '5:27: trunks[0].servers[0].hostname: must be a host name or an IP address; write it without port and without brackets',
    ],
    ['{ port: 5060 }', '5:15: trunks[0].servers[0].hostname: is missing; add it'],
    ['{ hostname: a, port: 70000 }', '5:36: trunks[0].servers[0].port: must be a port; write a number from 1 to 65535'],
    [
      '{ hostname: a, request_uri_user_params: { a: "b;c" } }',
      '5:55: trunks[0].servers[0].request_uri_user_params: must be a block of KEY: VALUE, each text without blanks and ; = @; write for example { tgrp: whatsapp }, at most 128 characters each',
    ],
    ['a', '5:15: trunks[0].servers[0]: must be a block of keys; write KEY: VALUE lines below it'],
  ])('server %s', (server, expected) => {
    expect(errorsOf(working().replace('[{ hostname: 10.0.0.5 }]', `[${server}]`))).toEqual([`c.yaml:${expected}`]);
  });

  it('reads every key of a server, text as it is written', () => {
    const server =
      '{ hostname: pbx.example.com, port: 5070, transport: tcp, priority: 2, weight: 0, request_uri_user_params: { tgrp: 0042 } }';
    const text = working().replace('[{ hostname: 10.0.0.5 }]', `[${server}]`);
    expect(configOf(text).trunks[0]?.servers).toEqual([
      {
        hostname: 'pbx.example.com',
        port: 5070,
        transport: 'tcp',
        priority: 2,
        weight: 0,
        requestUriUserParams: { tgrp: '0042' },
      },
    ]);
  });

  it('take from trunk_defaults what they do not say', () => {
    const top = [
      'trunk_defaults: { codecs: [PCMU], dtmf: rfc4733, max_calls: 7, auth: { username: u, password: "${env:P}" } }',
    ];
    const config = configOf(working({ trunk: ['max_calls: 8'], top }), { env: { P: 'pass-1' } });
    expect(config.trunks[0]).toMatchObject({
      codecs: ['PCMU'],
      dtmf: 'rfc4733',
      maxCalls: 8,
      auth: { username: 'u', password: 'pass-1', algorithms: ['SHA-256', 'MD5'] },
    });
  });

  it.each([
    [[], [], 30_000],
    [['qualify: 0s'], [], undefined],
    [[], ['trunk_defaults: { qualify: 2m }'], 120_000],
    [['qualify: 1s'], ['trunk_defaults: { qualify: 0s }'], 1_000],
  ])('with %j and %j ask their servers every %s ms', (trunk, top, qualifyMs) => {
    expect(configOf(working({ trunk, top })).trunks[0]).toMatchObject({ qualifyMs });
  });

  it.each(['500ms', '2h', '30'])('do not ask their servers every %s', (qualify) => {
    expect(errorsOf(working({ trunk: [`qualify: ${qualify}`] }))).toHaveLength(1);
  });

  it('have limits only where the file says so', () => {
    expect(configOf(working()).trunks[0]).toMatchObject({ maxCalls: 100, destinations: undefined });
    expect(configOf(working()).trunks[0]).toMatchObject({ maxCallsPerSecond: undefined, maxCallsPerDay: undefined });
    const top = ['trunk_defaults: { max_calls_per_second: 5, max_calls_per_day: 500, destinations: [] }'];
    const trunk = ['max_calls_per_second: 0', 'destinations: [+4915112345678, +49*, "US.*", "*"]'];
    expect(configOf(working({ trunk, top })).trunks[0]).toMatchObject({
      maxCallsPerSecond: undefined,
      maxCallsPerDay: 500,
      destinations: ['+4915112345678', '+49*', 'US.*', '*'],
    });
    expect(configOf(working({ top })).trunks[0]).toMatchObject({ maxCallsPerSecond: 5, destinations: [] });
    for (const wrong of ['0049*', '+49*1', '49*', 'us.*', '+0*', '""']) {
      expect(errorsOf(working({ trunk: [`destinations: [${wrong}]`] }))).toHaveLength(1);
    }
  });

  it('read how they say who they are, and who their callers are', () => {
    const trunk = [
      'auth: { username: u, password: "${env:P}", realm: R, algorithms: [SHA-512-256, SHA-256, SHA-256], uri: host }',
      'accept_auth: { username: v, password: "${env:Q}", realm: S, algorithms: [MD5] }',
    ];
    const options = { env: { P: 'pass-1', Q: 'pass-2' } };
    const written = configOf(working({ trunk }), options).trunks[0];
    expect(written?.auth).toEqual({
      ...{ username: 'u', password: 'pass-1', realm: 'R', uri: 'host' },
      algorithms: ['SHA-512-256', 'SHA-256'],
    });
    expect(written?.acceptAuth).toEqual({ username: 'v', password: 'pass-2', realm: 'S', algorithms: ['MD5'] });
    const short = ['auth: { username: u, password: "${env:P}" }', 'accept_auth: { username: v, password: "${env:Q}" }'];
    const byDefault = configOf(working({ trunk: short }), options).trunks[0];
    expect(byDefault?.auth).toMatchObject({ realm: undefined, algorithms: ['SHA-256', 'MD5'], uri: 'request' });
    expect(byDefault?.acceptAuth).toMatchObject({ realm: 'sip2wa', algorithms: ['SHA-256', 'MD5'] });
  });

  it.each([
    ['auth: { username: u, password: p }', ['trunks[0].auth']],
    ['auth: { username: u, password: p, algorithms: [SHA-256] }', []],
    ['accept_auth: { username: u, password: p, algorithms: [SHA-256, MD5] }', ['trunks[0].accept_auth']],
  ])('with MD5 over UDP are warned of: %s', (trunk, expected) => {
    const md5 = (text: string): string[] =>
      warningsOf(text)
        .filter((line) => line.includes('MD5'))
        .map((line) => /warning: ([^:]*): lets MD5 be used over UDP/.exec(line)?.[1] ?? line);
    expect(md5(working({ trunk: [trunk] }))).toEqual(expected);
    const [block = ''] = trunk.split(':');
    const inDefaults = expected.map(() => `trunk_defaults.${block}`);
    expect(md5(working({ top: [`trunk_defaults: { ${trunk} }`] }))).toEqual(inDefaults);
    const overTcp = working({ trunk: [trunk] }).replace('{ hostname: 10.0.0.5 }', '{ hostname: a, transport: tcp }');
    expect(md5(overTcp)).toEqual([]);
  });

  it('that nothing names are warned of', () => {
    const text = working().replace('numbers:', '  - { name: spare, servers: [{ hostname: b }] }\nnumbers:');
    expect(warningsOf(text)).toEqual([
      'c.yaml:6:13: warning: trunks[1].name: is used by no number and no route, so calls from it are refused and none go to it; name it as the trunk of a number, or remove it',
    ]);
    expect(warningsOf(`${text}routes: [{ trunk: spare, hours: closed }]\n`)).toEqual([]);
  });

  it('that take calls from the same network are warned of, however it is written', () => {
    const spare =
      '  - { name: spare, servers: [{ hostname: b }], accept_from: [10.0.1.0/24, 10.0.0.77/24, "2001:DB8:0::5"] }';
    const text = (own: string) =>
      working({ trunk: [`accept_from: [${own}]`], top: ['routes: [{ trunk: spare, hours: closed }]'] }).replace(
        'numbers:',
        `${spare}\nnumbers:`,
      );
    const told = (place: string) =>
      `c.yaml:7:${place} is accepted by trunk pbx too, so only From or X-WA-Number-Id tells whose call it is; let one trunk serve both numbers, or let the PBX name the number in each call`;
    expect(warningsOf(text('10.0.0.0/24'))).toEqual([told('75: warning: trunks[1].accept_from[1]:')]);
    expect(warningsOf(text('"2001:db8::5/128"'))).toEqual([told('89: warning: trunks[1].accept_from[2]:')]);
    expect(warningsOf(text('10.0.0.0/25, 10.0.1.1, "::/0"'))).toEqual([]);
  });

  it('have names of their own', () => {
    const text = working({ top: ['routes: []'] }).replace(
      'numbers:',
      '  - { name: pbx, servers: [{ hostname: b }] }\nnumbers:',
    );
    expect(errorsOf(text)).toEqual([
      'c.yaml:6:13: trunks[1].name: is used by an earlier item of trunks too; choose another',
    ]);
    expect(errorsOf('trunks: [{ name: a b, servers: [{ hostname: a }] }]\n')).toEqual([
      'c.yaml:1:18: trunks[0].name: must be a short name; use letters, digits, . _ - only, at most 63, for example sales',
    ]);
  });
});

describe('numbers', () => {
  it('take an unquoted phone number and id, keep the digits and warn', () => {
    const text = working().replace('"+15551112222"', '+15551112222').replace('"105615555715855"', '105615555715855');
    expect(warningsOf(text)).toEqual([
      'c.yaml:7:9: warning: numbers[0].id: is not quoted, so YAML reads it as a number; the digits are kept; quote it',
      'c.yaml:8:13: warning: numbers[0].number: is not quoted, so YAML reads it as a number; the digits are kept; quote it',
    ]);
    expect(configOf(text).numbers[0]).toMatchObject({ id: '105615555715855', number: '+15551112222' });
  });

  it.each(['0015551112222', '1.5e10', '0x1F', '15551112222', '+1555_111_2222'])(
    'refuse %s, whatever number YAML sees in it',
    (number) => {
      expect(errorsOf(working().replace('"+15551112222"', number))).toEqual([
        'c.yaml:8:13: numbers[0].number: must be a phone number in international form; write it in quotes with + and country code, for example "+15551112222"',
      ]);
    },
  );

  it('say where the real id is found', () => {
    for (const id of ['"+15551112222"', '+15551112222']) {
      expect(errorsOf(working().replace('"105615555715855"', id))).toEqual([
        'c.yaml:7:9: numbers[0].id: looks like a phone number, not like an id; write the number under "number"; its phone_number_id stands in the App Dashboard under WhatsApp > API Setup, and in WhatsApp Manager',
      ]);
    }
  });

  it('are unique in id, number and name', () => {
    const more = ['  - { id: "105615555715855", number: "+1 555 1112222", name: sales, trunk: pbx }'];
    expect(errorsOf(working({ top: more }))).toEqual([
      'c.yaml:11:11: numbers[1].id: is used by an earlier item of numbers too; choose another',
      'c.yaml:11:38: numbers[1].number: is used by an earlier item of numbers too; choose another',
      'c.yaml:11:62: numbers[1].name: is used by an earlier item of numbers too; choose another',
    ]);
  });

  it('are called by their id when they have no name', () => {
    expect(configOf(working().replace('    name: sales\n', '')).numbers[0]?.name).toBe('105615555715855');
  });

  it('refuse signaling: sip as reserved', () => {
    expect(errorsOf(working({ number: ['signaling: sip'] }))).toEqual([
      'c.yaml:11:16: numbers[0].signaling: sip is reserved: calls that Meta signals by SIP itself are not in this version; write signaling: graph',
    ]);
  });

  it.each(['check', 'ask'])('permission: %s holds for the number, or for all numbers of its trunk', (permission) => {
    expect(configOf(working({ number: [`permission: ${permission}`] })).numbers[0]?.permission).toBe(permission);
    expect(configOf(working({ trunk: [`permission: ${permission}`] })).numbers[0]?.permission).toBe(permission);
    const both = working({ trunk: [`permission: ${permission}`], number: ['permission: none'] });
    expect(configOf(both).numbers[0]?.permission).toBe('none');
  });

  it('want a trunk of the file', () => {
    expect(errorsOf(working().replace('trunk: pbx', 'trunk: pbxx'))).toEqual([
      'c.yaml:10:12: numbers[0].trunk: names no trunk of this file; did you mean pbx?',
    ]);
    expect(errorsOf(working().replace('trunk: pbx', 'trunk: other'))).toEqual([
      'c.yaml:10:12: numbers[0].trunk: names no trunk of this file; write one of: pbx',
    ]);
    expect(errorsOf(working().replace('trunk: pbx', 'trunk: "a b"'))).toHaveLength(1);
    expect(errorsOf(working().replace('    trunk: pbx\n', ''))).toEqual([
      'c.yaml:7:5: numbers[0]: has neither a trunk nor SIP servers in its settings; add trunk: NAME, or settings.calling.sip.servers with a hostname',
    ]);
  });

  it('need the secrets of Meta', () => {
    expect(
      errorsOf(
        working()
          .replace(/^graph.*\n/, 'graph: {}\n')
          .replace(/webhook.*/, 'log: {}'),
      ),
    ).toEqual([
      'c.yaml:1:1: graph.access_token: is needed when there are numbers; write ${env:NAME} or ${file:/path}',
      'c.yaml:1:1: graph.app_secret: is needed when there are numbers; write ${env:NAME} or ${file:/path}',
      'c.yaml:1:1: webhook.verify_token: is needed when there are numbers; write ${env:NAME} or ${file:/path}',
    ]);
  });
});

describe('settings of a number', () => {
  const settings = (...lines: string[]) => ['settings:', '  calling:', ...lines.map((line) => `    ${line}`)];

  it('refuses sip.status: ENABLED for a number on Graph signalling', () => {
    expect(errorsOf(working({ number: settings('sip: { status: ENABLED }') }))).toEqual([
      'c.yaml:13:24: numbers[0].settings.calling.sip.status: would stop Graph calls and call webhooks of this number, which signaling: graph relies on; write DISABLED, or leave it out',
    ]);
  });

  it.each([
    [
      settings('status: enabled'),
      '13:17: numbers[0].settings.calling.status: must be one of ENABLED | DISABLED; did you mean ENABLED?',
    ],
    [
      settings('sip: on'),
      '13:14: numbers[0].settings.calling.sip: must be a block of keys; write KEY: VALUE lines below it',
    ],
    [
      settings('sip: { servers: { hostname: a } }'),
      '13:25: numbers[0].settings.calling.sip.servers: must be a list; write [A, B], or begin each item with "- "',
    ],
    [
      settings('sip: { servers: [{ port: 5060 }] }'),
      '13:26: numbers[0].settings.calling.sip.servers[0].hostname: is missing; add it',
    ],
    [['settings: [calling]'], '11:15: numbers[0].settings: must be a block of keys; write KEY: VALUE lines below it'],
  ])('%j', (number, expected) => expect(errorsOf(working({ number }))).toEqual([`c.yaml:${expected}`]));

  it('are what Meta is told, keys as Meta spells them', () => {
    const config = configOf(
      working({ number: settings('status: ENABLED'), top: ['settings: { push: report, poll: 0s }'] }),
    );
    expect(config.numbers[0]?.settings).toEqual({ status: 'ENABLED' });
    expect(config.settings).toEqual({ push: 'report', pollMs: undefined });
    expect(configOf(working()).settings).toEqual({ push: 'apply', pollMs: 900_000 });
  });

  it('without a trunk, its SIP servers are the trunk', () => {
    const number = settings(
      'sip: { servers: [{ hostname: pbx.example.com, port: 5060, request_uri_user_params: { tgrp: wa } }] }',
    );
    const text = working({
      number,
      top: ['trunk_defaults: { codecs: [PCMU], max_calls: 5 }', 'settings: { push: off }'],
    }).replace('    trunk: pbx\n', '');
    const config = configOf(text);
    expect(config.numbers[0]?.trunk).toBe('settings:sales');
    expect(config.trunks[1]).toEqual({
      name: 'settings:sales',
      permission: 'none',
      qualifyMs: 30_000,
      servers: [
        {
          hostname: 'pbx.example.com',
          port: 5060,
          transport: 'udp',
          priority: 1,
          weight: 1,
          requestUriUserParams: { tgrp: 'wa' },
        },
      ],
      acceptFrom: [],
      acceptFromServers: true,
      codecs: ['PCMU'],
      auth: undefined,
      register: false,
      dtmf: 'rfc4733',
      srtp: 'off',
      maxCalls: 5,
    });
  });

  it.each([
    ['port: 5061', 55],
    ['app_id: 1', 26],
  ])('port 5061, Meta’s default, is TLS and needs a socket for it (%s)', (line, column) => {
    const number = settings(`sip: { servers: [{ hostname: a.example, ${line} }] }`);
    expect(errorsOf(working({ number }).replace('    trunk: pbx\n', ''))).toEqual([
      `c.yaml:12:${column}: numbers[0].settings.calling.sip.servers[0].port: is TLS, and sip.listen has no tls:// socket; add tls://0.0.0.0:5061 to sip.listen, and sip.tls, or use another port for UDP`,
    ]);
    expect(errorsOf(working({ number }))).toEqual([]);
  });
});

describe('call hours', () => {
  const hours = (rest: string) => [`settings: { calling: { call_hours: { ${rest} } } }`];
  const good =
    'status: ENABLED, timezone_id: Europe/Berlin, weekly_operating_hours: [{ day_of_week: MONDAY, open_time: 0400, close_time: 10:20 }]';

  it('take both forms of a time, quoted or not, as HHMM', () => {
    expect(configOf(working({ number: hours(good) })).numbers[0]?.callHours).toEqual({
      status: 'ENABLED',
      timezoneId: 'Europe/Berlin',
      weekly: [{ day: 'MONDAY', open: '0400', close: '1020' }],
      holidays: [],
    });
  });

  it.each([
    [
      'MONDAY',
      'monday',
      '11:127: weekly_operating_hours[0].day_of_week: must be one of MONDAY | TUESDAY | WEDNESDAY | THURSDAY | FRIDAY | SATURDAY | SUNDAY; did you mean MONDAY?',
    ],
    [
      '0400',
      '2400',
      '11:146: weekly_operating_hours[0].open_time: must be a time of day; write four digits in quotes from "0000" to "2359"',
    ],
    [
      '10:20',
      '9:20',
      '11:164: weekly_operating_hours[0].close_time: must be a time of day; write four digits in quotes from "0000" to "2359"',
    ],
    ['Europe/Berlin', 'Europe/Berlim', '11:72: timezone_id: must be a time zone; did you mean Europe/Berlin?'],
    ['status: ENABLED', 'status: ON', '11:50: status: must be one of ENABLED | DISABLED; write one of them'],
    ['status: ENABLED, ', '', '11:28: status: is missing; add it'],
  ])('%s as %s', (from, to, expected) => {
    const [place = '', key = '', ...rest] = expected.split(': ');
    expect(errorsOf(working({ number: hours(good.replace(from, to)) }))).toEqual([
      `c.yaml:${place}: numbers[0].settings.calling.call_hours.${key}: ${rest.join(': ')}`,
    ]);
  });

  it('refuse an empty week, and a date that is none', () => {
    const number = hours(
      'status: ENABLED, timezone_id: UTC, weekly_operating_hours: [], holiday_schedule: [{ date: 2027-02-30, start_time: "0000", end_time: "2359" }]',
    );
    expect(
      errorsOf(working({ number })).map((line) => line.replace('numbers[0].settings.calling.call_hours.', '')),
    ).toEqual([
      'c.yaml:11:101: weekly_operating_hours: needs at least one entry; add { day_of_week: MONDAY, open_time: "0900", close_time: "1700" }',
      'c.yaml:11:132: holiday_schedule[0].date: must be a date; write it as "2027-01-01"',
    ]);
  });
});

describe('routes', () => {
  it.each([
    ['{ trunk: pbxx }', 19, 'trunk: names no trunk of this file; did you mean pbx?'],
    ['{ number: sale, trunk: pbx }', 20, 'number: names no number of this file; did you mean sales?'],
    ['{ number: support, trunk: pbx }', 20, 'number: names no number of this file; write one of: sales'],
    ['{ number: sales }', 10, 'trunk: is missing; add it'],
    ['{ trunk: pbx, hours: open-ish }', 31, 'hours: must be one of open | closed; write one of them'],
    [
      '{ trunk: pbx, from: anna }',
      30,
      'from: must be a caller in international form; write it in quotes with + and country code; a * at the end stands for the rest, for example "+49*"',
    ],
    [
      '{ trunk: pbx, to: "a@b" }',
      28,
      'to: must be the user part of a SIP address; write for example "600" or "+15551112222"',
    ],
  ])('%s', (route, column, expected) => {
    expect(errorsOf(working({ top: [`routes: [${route}]`] }))).toEqual([
      `c.yaml:${TOP_LINE}:${column}: routes[0].${expected}`,
    ]);
  });

  it('take numbers without quotes as they are written', () => {
    const text = working({
      top: ['routes:', '  - { from: +4930*, to: 0600, trunk: pbx }', '  - { from: +4930, to: 600, trunk: pbx }'],
    });
    expect(configOf(text).routes.map(({ from, to }) => [from, to])).toEqual([
      ['+4930*', '0600'],
      ['+4930', '600'],
    ]);
    expect(warningsOf(text)).toEqual([
      'c.yaml:12:25: warning: routes[0].to: is not quoted, so YAML reads it as a number; the digits are kept; quote it',
      'c.yaml:13:13: warning: routes[1].from: is not quoted, so YAML reads it as a number; the digits are kept; quote it',
    ]);
  });

  it('warn of those behind one that takes every call', () => {
    const text = working({ top: ['routes:', '  - { from: "*", trunk: pbx }', '  - { number: sales, trunk: pbx }'] });
    expect(warningsOf(text)).toEqual([
      'c.yaml:13:5: warning: routes[1]: is never reached: route 1 of the list takes every call; move it further up',
    ]);
    expect(configOf(text).routes[0]?.from).toBeUndefined();
  });

  it('take every call only while the number is open, or only while it is closed', () => {
    const route = (more: string): string => `  - { ${more}trunk: pbx }`;
    const routes = ['', 'hours: closed, ', 'number: sales, hours: open, ', 'from: +49*, hours: closed, '].map(route);
    expect(warningsOf(working({ top: ['routes:', ...routes] })).filter((line) => line.includes('never'))).toEqual([
      'c.yaml:14:5: warning: routes[2]: is never reached: route 1 of the list takes every call; move it further up',
      'c.yaml:15:5: warning: routes[3]: is never reached: route 2 of the list takes every call; move it further up',
    ]);
  });
});

describe('media workers', () => {
  it('are as many as the file says, or one per core', () => {
    expect(configOf(working({ top: ['media: { workers: 4 }'] })).media.workers).toBe(4);
    expect(configOf(working()).media.workers).toBe('auto');
  });

  it('are not more than there are ports', () => {
    expect(errorsOf('media: { workers: 4, rtp_ports: 20000-20005 }\n')).toEqual([
      'c.yaml:1:19: media.workers: are more than rtp_ports and webrtc_ports have ports for; widen the ranges, or write workers: auto, which takes no more workers than they are good for',
    ]);
  });
});

describe('what is not in this version', () => {
  it.each([
    [
      'webhook: { tls: { cert: a, key: b } }',
      'c.yaml:1:12: webhook.tls: TLS is not in this version; remove it and end TLS in front, in a reverse proxy',
    ],
  ])('%s is an error', (text, expected) => expect(errorsOf(`${text}\n`)).toEqual([expected]));

  it.each([
    [
      'media: { workers: 2, rtp_ports: 20000-20050 }',
      'c.yaml:1:19: warning: media.workers: leave each worker ports for 12 calls at a time: rtp_ports 20000-20023, 20024-20049; webrtc_ports 10000-14999, 15000-19999; widen the ranges, or write workers: auto, which takes no more workers than they are good for',
    ],
    [
      'calls: { answer_timeout: 45s }',
      'c.yaml:1:26: warning: calls.answer_timeout: is longer than the 30 s after which WhatsApp may give up; write 30s or less',
    ],
  ])('%s is a warning', (text, expected) => {
    expect(warningsOf(`${text}\n`)).toContain(expected);
    const result = load(`${text}\n`);
    expect(result.ok && [result.config.calls.preAccept, result.config.media.workers]).toEqual([
      'immediate',
      text.includes('workers') ? 2 : 'auto',
    ]);
  });
});
