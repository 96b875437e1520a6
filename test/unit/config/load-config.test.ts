import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatIssue } from '../../../src/config/issue.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { configOf, errorsOf, load, warningsOf, working } from './load.js';

const exampleEnv = {
  SIP2WA_VERIFY_TOKEN: 'verify-canary',
  SIP2WA_ADMIN_TOKEN: 'admin-canary',
  PBX_PASSWORD: 'pbx-canary',
};
const exampleFiles = {
  '/run/secrets/whatsapp_token': 'token-canary\n',
  '/run/secrets/whatsapp_app_secret': 'app-canary\r\n',
};

describe('files shipped', () => {
  it('default.yaml starts without any secret and says that numbers are missing', () => {
    const result = loadConfig({ file: 'config/default.yaml', env: {} });
    expect(result.ok && result.config.numbers).toEqual([]);
    expect(result.warnings.map((issue) => formatIssue(issue, 'warning'))).toEqual([
      expect.stringMatching(
        /^config\/default\.yaml:\d+:1: warning: numbers: no numbers are configured, so no calls can be made; add one; config\/example\.yaml shows how$/,
      ),
    ]);
  });

  it('default.yaml says what the schema says anyway', () => {
    const result = loadConfig({ file: 'config/default.yaml', env: {} });
    expect(result.ok && result.config).toEqual(configOf(''));
  });

  it('example.yaml is good once its secrets are there', () => {
    const text = readFileSync('config/example.yaml', 'utf8');
    const config = configOf(text, { env: exampleEnv, files: exampleFiles });
    expect(config.graph).toEqual({
      baseUrl: 'https://graph.facebook.com',
      version: 'v23.0',
      accessToken: 'token-canary',
      appSecrets: ['app-canary'],
      secretFiles: { accessToken: '/run/secrets/whatsapp_token', appSecrets: ['/run/secrets/whatsapp_app_secret'] },
      appsecretProof: false,
      timeoutMs: 10_000,
    });
    expect(config.webhook).toEqual({
      listen: { host: '0.0.0.0', port: 8080 },
      path: '/webhook',
      verifyToken: 'verify-canary',
    });
    expect(config.admin).toEqual({ listen: { host: '127.0.0.1', port: 8081 }, token: 'admin-canary' });
    expect(config.sip.listen).toEqual([
      { transport: 'udp', host: '0.0.0.0', port: 5060 },
      { transport: 'tcp', host: '0.0.0.0', port: 5060 },
    ]);
    expect(config.media).toMatchObject({
      rtpPorts: [20_000, 29_999],
      webrtcPorts: [10_000, 19_999],
      workers: 'auto',
      remoteNetworks: 'public',
    });
    expect(config.trunks).toEqual([
      {
        name: 'pbx',
        servers: [
          { hostname: '10.0.0.5', port: 5060, transport: 'udp', priority: 1, weight: 1, requestUriUserParams: {} },
        ],
        acceptFrom: ['10.0.0.0/24'],
        acceptFromServers: false,
        codecs: ['PCMA', 'PCMU'],
        auth: {
          ...{ username: 'sip2wa', password: 'pbx-canary', realm: undefined },
          ...{ algorithms: ['SHA-256'], uri: 'request' },
        },
        from: 'caller',
        register: false,
        registerExpiresMs: 600_000,
        outboundProxy: undefined,
        trustIdentity: false,
        dtmf: 'rfc4733',
        permission: 'none',
        srtp: 'off',
        srtpSuites: ['AEAD_AES_128_GCM', 'AES_CM_128_HMAC_SHA1_80', 'AES_CM_128_HMAC_SHA1_32'],
        srtpWithoutTls: false,
        mediaNetworks: [],
        symmetricRtp: false,
        maxCalls: 100,
        maxCallsPerSecond: 10,
        maxCallsPerDay: 2000,
        qualifyMs: 30_000,
        destinations: ['+1*', '+49*'],
      },
    ]);
    expect(config.numbers[0]).toMatchObject({
      id: '105615555715855',
      number: '+15551112222',
      name: 'sales',
      trunk: 'pbx',
    });
    expect(config.numbers[0]?.callHours).toEqual({
      status: 'ENABLED',
      timezoneId: 'America/Manaus',
      weekly: [{ day: 'MONDAY', open: '0400', close: '1020' }],
      holidays: [{ date: '2027-01-01', start: '0000', end: '2359' }],
    });
    expect(config.routes).toEqual([{ number: 'sales', from: '+49*', hours: 'open', trunk: 'pbx', to: '600' }]);
    expect(config.calls).toEqual({
      answerTimeoutMs: 25_000,
      ringTimeoutMs: 60_000,
      maxDurationMs: 14_400_000,
      drainTimeoutMs: 120_000,
      preAccept: 'immediate',
    });
    expect(config.settings).toEqual({ push: 'apply', pollMs: 900_000 });
    expect(config.journal).toEqual({ dir: './var/journal' });
    expect(config.cdr).toEqual({
      ...{ file: './var/cdr.jsonl', csvFile: '', httpUrl: '', httpToken: '' },
      ...{ httpSpoolDir: './var/cdr-spool', httpSpoolMaxBytes: 256 * 1024 * 1024 },
    });
  });

  it('example.yaml has every key of the schema, each with a comment', () => {
    const lines = readFileSync('config/example.yaml', 'utf8').split('\n');
    for (const key of [
      'base_url',
      'remote_networks',
      'advertised_ip',
      'pre_accept',
      'webrtc_ports',
      'max_calls',
      'max_calls_per_second',
      'max_calls_per_day',
      'destinations',
      'qualify',
      'permission',
    ]) {
      expect(lines.find((line) => line.trim().startsWith(`${key}:`))).toMatch(/ # \S/);
    }
  });
});

describe('which file is read', () => {
  it('takes SIP2WA_CONFIG when none is named', () => {
    const result = loadConfig({ env: { SIP2WA_CONFIG: '/nowhere/at/all.yaml' } });
    expect(result.ok ? [] : result.errors.map((issue) => formatIssue(issue))).toEqual([
      '/nowhere/at/all.yaml: the file cannot be read (ENOENT); name a readable file with --config or SIP2WA_CONFIG',
    ]);
  });

  it('takes config/default.yaml otherwise', () => {
    expect(loadConfig({ env: {} }).file).toBe('./config/default.yaml');
  });

  it('says that a directory cannot be read', () => {
    const result = loadConfig({ file: 'config', env: {} });
    expect(result.ok ? [] : result.errors.map((issue) => issue.message)).toEqual(['the file cannot be read (EISDIR)']);
  });
});

describe('YAML itself', () => {
  const syntax: [string, string, string][] = [
    ['a tab', 'log:\n\tlevel: info\n', 'c.yaml:2:1: a tab is used for indentation; indent with spaces'],
    ['an open bracket', 'trunks: [a, b\nlog:\n', 'c.yaml:2:1: '],
    [
      'an open quote',
      'log: { level: "info }\n',
      'c.yaml:2:1: a bracket, quote or colon is missing; close what was opened, or write KEY: VALUE',
    ],
    [
      'two documents',
      'log:\n  level: info\n---\nlog:\n',
      'c.yaml:3:1: the file holds more than one document; remove the --- between them',
    ],
    [
      'an unknown anchor',
      'log: *nope\n',
      'c.yaml:1:6: log: a * names no anchor; quote the value if the star is part of it',
    ],
  ];
  it.each(syntax)('%s is an error with its place', (_, text, expected) => {
    expect(errorsOf(text)[0]).toContain(expected);
  });

  it('never quotes the file in a syntax error', () => {
    const errors = errorsOf('graph:\n  access_token: "S3CRET-canary\n  app_secret: x\n');
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.join('\n')).not.toContain('S3CRET');
  });

  it('reports duplicate keys at the second, and goes on', () => {
    expect(errorsOf('log:\n  level: info\n  level: debug\ncdr: { file: 3 }\n')).toEqual([
      'c.yaml:3:3: log.level: is set twice in this block, first in line 2; keep one of the two',
      'c.yaml:4:14: cdr.file: must be the path of a file or directory; write it as plain text, for example ./var/journal',
    ]);
  });

  it('follows anchors, and refuses those that multiply', () => {
    expect(configOf('log: &l { level: debug }\n').log.level).toBe('debug');
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((key, i) => `${key}: &${key} [${`*${'abcdefg'[i]},`.repeat(10)}]`),
    ];
    const problems = errorsOf(`${bomb.join('\n')}\n`).filter((line) => line.includes('too large'));
    expect(problems).toHaveLength(1);
    expect(errorsOf('log: &l\n  level: *l\n').join()).toContain('too large or too deep');
  });

  it.each(['', '# nothing\n', '---\n', 'graph:\ntrunks:\nnumbers:\n'])('takes %j as all defaults', (text) => {
    expect(load(text).ok).toBe(true);
  });

  it.each(['- a\n', 'hello\n', '42\n'])('refuses %j', (text) => {
    expect(errorsOf(text)).toEqual(['c.yaml:1:1: the file must be a block of keys; see config/example.yaml']);
  });

  it('does not fall for keys of Object.prototype', () => {
    expect(errorsOf('__proto__: { level: x }\nconstructor: 1\nlog: { __proto__: 1, toString: 2 }\n')).toEqual([
      expect.stringContaining('c.yaml:1:1: __proto__: unknown key __proto__; remove it; known here: '),
      expect.stringContaining('c.yaml:2:1: constructor: unknown key constructor; remove it; known here: '),
      'c.yaml:3:8: log.__proto__: unknown key __proto__; remove it; known here: level, format',
      'c.yaml:3:22: log.?: unknown key; remove it; known here: level, format',
    ]);
  });
});

describe('unknown keys', () => {
  it.each([
    ['grap: {}\n', 'c.yaml:1:1: grap: unknown key grap; did you mean graph?'],
    ['log:\n  levle: info\n', 'c.yaml:2:3: log.levle: unknown key levle; did you mean level?'],
    ['graph: { baseUrl: x }\n', 'c.yaml:1:10: graph.baseUrl: unknown key baseUrl; did you mean base_url?'],
    ['sip:\n  drachtio: { hots: a }\n', 'c.yaml:2:15: sip.drachtio.hots: unknown key hots; did you mean host?'],
    [
      'media:\n  colour: red\n',
      'c.yaml:2:3: media.colour: unknown key colour; remove it; known here: engine, listen_ip, advertised_ip, rtp_ports, webrtc_ports, workers, remote_networks',
    ],
  ])('%j', (text, expected) => {
    expect(errorsOf(text)).toEqual([expected]);
  });

  it('in lists, and does not report the misspelt key as missing too', () => {
    expect(errorsOf(working({ trunk: ['code: [PCMA]'], number: ['nmae: x'] }))).toEqual([
      'c.yaml:6:5: trunks[0].code: unknown key code; did you mean codecs?',
      'c.yaml:12:5: numbers[0].nmae: unknown key nmae; did you mean name?',
    ]);
    expect(errorsOf('trunks:\n  - nam: pbx\n    servers: [{ hostnam: a }]\n')).toEqual([
      'c.yaml:2:5: trunks[0].nam: unknown key nam; did you mean name?',
      'c.yaml:3:17: trunks[0].servers[0].hostnam: unknown key hostnam; did you mean hostname?',
    ]);
  });
});

describe('environment', () => {
  it('overrides the file, and an empty variable does not', () => {
    const env = {
      SIP2WA_LOG_LEVEL: 'debug',
      SIP2WA_LOG_FORMAT: '',
      SIP2WA_DRACHTIO_PORT: '9023',
      SIP2WA_WEBHOOK_LISTEN: '[::1]:80',
    };
    const config = configOf('log: { level: error, format: pretty }\n', { env });
    expect(config.log).toEqual({ level: 'debug', format: 'pretty' });
    expect(config.sip.drachtio.port).toBe(9023);
    expect(config.webhook.listen).toEqual({ host: '::1', port: 80 });
  });

  it('is named as the place of an error', () => {
    expect(
      errorsOf('log: { level: info }\n', { env: { SIP2WA_LOG_LEVEL: 'inof', SIP2WA_DRACHTIO_PORT: '90x' } }),
    ).toEqual([
      'environment variable SIP2WA_DRACHTIO_PORT: sip.drachtio.port: must be a port; write a number from 1 to 65535',
      'environment variable SIP2WA_LOG_LEVEL: log.level: must be one of error | warn | info | debug; did you mean info?',
    ]);
  });
});

describe('everything in one run', () => {
  it('finds errors of all kinds together, in the order of the file', () => {
    const text = working({
      trunk: ['codecs: [G711]', 'srtp: required'],
      number: ['signaling: sip', 'trnk: x'],
      top: ['log: { level: loud }', 'calls: { ring_timeout: 60 }', 'routes: [{ number: sale, trunk: pbx }]'],
    });
    expect(errorsOf(text).map((line) => line.split(': ').slice(0, 2).join(': '))).toEqual([
      'c.yaml:6:14: trunks[0].codecs[0]',
      'c.yaml:7:11: trunks[0].srtp',
      'c.yaml:13:16: numbers[0].signaling',
      'c.yaml:14:5: numbers[0].trnk',
      'c.yaml:15:15: log.level',
      'c.yaml:16:24: calls.ring_timeout',
      'c.yaml:17:20: routes[0].number',
    ]);
    expect(warningsOf(working())).toEqual([]);
  });
});
