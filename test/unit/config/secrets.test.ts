import { describe, expect, it } from 'vitest';
import { configOf, errorsOf, load, warningsOf, working } from './load.js';

const withToken = (written: string) => working().replace('token-1', written);

describe('references', () => {
  it('are resolved from environment and files, one line break at the end trimmed', () => {
    const text = working().replace('token-1', '"${env:TOKEN}"').replace('secret-1', '["${file:/s/a}", "${file:b}"]');
    const config = configOf(text, {
      env: { TOKEN: 'from env ' },
      files: { '/s/a': 'one\n', '/etc/sip2wa/b': 'two\r\n' },
    });
    expect(config.graph.accessToken).toBe('from env ');
    expect(config.graph.appSecrets).toEqual(['one', 'two']);
    expect(config.graph.secretFiles).toEqual({ accessToken: undefined, appSecrets: ['/s/a', '/etc/sip2wa/b'] });
  });

  it('of the app prove themselves in requests only where that is asked for', () => {
    expect(configOf(working()).graph.appsecretProof).toBe(false);
    const text = working().replace('app_secret:', 'appsecret_proof: true, app_secret:');
    expect(configOf(text).graph.appsecretProof).toBe(true);
  });

  it.each([
    ['${env:NOPE}', 'environment variable NOPE is not set; set NOPE before starting'],
    ['${env:EMPTY}', 'environment variable EMPTY is empty; set EMPTY before starting'],
    ['${env:a b}', 'refers to no valid variable name; write ${env:NAME}'],
    ['${file:/nope}', 'file /nope cannot be read (ENOENT); create it, readable by the user that runs sip2wa'],
    ['${file:/empty}', 'is empty where it points to; put the secret there'],
    ['${file:/lines}', 'has a line break or control character in it; keep the secret on one line'],
    [
      'Bearer ${env:X}',
      'is neither a reference nor plain text; write only ${env:NAME} or ${file:/path}, with nothing around it',
    ],
    [
      '${vault:x}',
      'is neither a reference nor plain text; write only ${env:NAME} or ${file:/path}, with nothing around it',
    ],
    ['', 'is needed when there are numbers; write ${env:NAME} or ${file:/path}'],
  ])('%j', (written, expected) => {
    const surroundings = { env: { EMPTY: '' }, files: { '/empty': '\n', '/lines': 'a\nb\n' } };
    expect(errorsOf(withToken(`"${written}"`), surroundings)).toEqual([`c.yaml:1:24: graph.access_token: ${expected}`]);
  });

  it('read unquoted digits as text', () => {
    expect(configOf(withToken('0123456789012345678901')).graph.accessToken).toBe('0123456789012345678901');
  });

  it.each(['{ a: b }', '[a]'])('want text, not %s', (written) => {
    expect(errorsOf(withToken(written))).toEqual([
      'c.yaml:1:24: graph.access_token: must be text; write ${env:NAME} or ${file:/path}, or quote the value',
    ]);
  });

  it('want a value or no line', () => {
    expect(errorsOf(withToken(' '))).toEqual([
      'c.yaml:1:10: graph.access_token: has no value; give it one, or remove the line',
    ]);
  });
});

describe('secrets of what is not in use', () => {
  it('are not resolved', () => {
    const text = [
      'graph: { access_token: "${env:NOPE}", app_secret: "${file:/nope}" }',
      'webhook: { verify_token: "${env:NOPE}" }',
      'sip: { drachtio: { secret: "${env:NOPE}" } }',
      'trunk_defaults: { auth: { username: u, password: "${env:NOPE}" } }',
    ].join('\n');
    const config = configOf(text);
    const secretFiles = { accessToken: undefined, appSecrets: [] };
    expect(config.graph).toMatchObject({ accessToken: '', appSecrets: [], secretFiles });
    expect(config.sip.drachtio.secret).toBe('');
  });

  it('are resolved once they are in use', () => {
    expect(
      errorsOf('sip:\n  server: drachtio\n  drachtio:\n    secret: ${env:NOPE}\nadmin: { token: "${env:NOPE}" }\n'),
    ).toEqual([
      'c.yaml:4:13: sip.drachtio.secret: environment variable NOPE is not set; set NOPE before starting',
      'c.yaml:5:17: admin.token: environment variable NOPE is not set; set NOPE before starting',
    ]);
    expect(errorsOf('sip: { server: drachtio }\n')).toEqual([
      'c.yaml:1:1: sip.drachtio.secret: is needed when sip.server is drachtio; write ${env:NAME} or ${file:/path}',
    ]);
  });

  it('the well-known secret of drachtio is refused, wherever it comes from, when drachtio is in use', () => {
    const expected =
      'sip.drachtio.secret: is the well-known default of drachtio-server; choose another in drachtio.conf.xml and here, for example from: openssl rand -hex 24';
    expect(errorsOf('sip: { server: drachtio, drachtio: { secret: cymru } }\n')).toEqual([`c.yaml:1:46: ${expected}`]);
    expect(errorsOf('sip: { server: drachtio, drachtio: { secret: "${env:S}" } }\n', { env: { S: 'cymru' } })).toEqual([
      `c.yaml:1:46: ${expected}`,
    ]);
    expect(errorsOf('sip: { server: embedded, drachtio: { secret: cymru } }\n')).toEqual([]);
  });
});

describe('literal secrets', () => {
  it('are warned of unless only the owner can read the file', () => {
    const place = (line: number, column: number, key: string) =>
      `c.yaml:${line}:${column}: warning: ${key}: is a secret in a file that others can read; write \${env:NAME} or \${file:/path}, or chmod 600 the file`;
    const expected = [
      place(1, 24, 'graph.access_token'),
      place(1, 45, 'graph.app_secret'),
      place(2, 26, 'webhook.verify_token'),
    ];
    expect(warningsOf(working(), { mode: 0o644 })).toEqual(expected);
    expect(warningsOf(working(), { mode: 0o640 })).toEqual(expected);
    expect(warningsOf(working(), { mode: 0o600 })).toEqual([]);
    expect(warningsOf(working(), { mode: 0o400 })).toEqual([]);
  });

  it('files that everybody can read are warned of, Docker’s secrets are not', () => {
    const text = withToken('"${file:/s}"');
    expect(warningsOf(text, { files: { '/s': 'x' }, fileMode: 0o644 })).toEqual([
      'c.yaml:1:24: warning: graph.access_token: file /s can be read by everybody; chmod 600 the file',
    ]);
    expect(warningsOf(text, { files: { '/s': 'x' }, fileMode: 0o640 })).toEqual([]);
    expect(
      warningsOf(withToken('"${file:/run/secrets/s}"'), { files: { '/run/secrets/s': 'x' }, fileMode: 0o444 }),
    ).toEqual([]);
  });
});

describe('the list of secrets in use', () => {
  it('is handed on for redaction, and holds nothing else', () => {
    const result = load(
      working({ trunk: ['auth: { username: u, password: pass-1 }'], top: ['admin: { token: admin-1 }'] }),
    );
    expect(result.ok && [...result.secrets].sort()).toEqual(['admin-1', 'pass-1', 'secret-1', 'token-1', 'verify-1']);
  });

  it('what a drachtio-server cannot send is refused when drachtio is in use', () => {
    const yaml = (server: string): string =>
      `sip: { server: ${server}, drachtio: { secret: "\${env:S}" } }
trunks: [{ name: pbx, servers: [{ hostname: 10.0.0.5, request_uri_user_params: { tgrp: a } }] }]
`;
    const env = { S: 'not-the-well-known-one' };
    expect(errorsOf(yaml('drachtio'), { env })).toEqual([
      'c.yaml:2:55: trunks[0].servers[0].request_uri_user_params: cannot be sent by a drachtio-server, which refuses parameters in the user part; use sip.server: embedded, or leave them out',
    ]);
    expect(errorsOf(yaml('embedded'), { env })).toEqual([]);
  });
});
