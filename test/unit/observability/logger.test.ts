import { describe, expect, it } from 'vitest';
import type { LogLevel } from '../../../src/lib/logger.js';
import { createLogger } from '../../../src/observability/logger.js';
import { Lines } from '../../support/lines.js';

const NOW = Date.UTC(2026, 10, 22, 11, 30, 15, 123);

function logger(level: LogLevel = 'debug', format: 'json' | 'pretty' = 'json') {
  const out = new Lines();
  return { out, log: createLogger({ level, format, stream: out, now: () => NOW }) };
}

describe('a line', () => {
  it('is one JSON object with time, level, message and fields', () => {
    const { out, log } = logger();
    log.info('leg answered', { sipStatus: 200, setupMs: 1234.5, secure: false, none: null, gone: undefined });
    expect(out.text).toBe(
      '{"time":"2026-11-22T11:30:15.123Z","level":"info","msg":"leg answered","sipStatus":200,"setupMs":1234.5,"secure":false,"none":null}\n',
    );
  });

  it('carries the fields of the children above it', () => {
    const { out, log } = logger();
    const leg = log.child({ call: '01ABC' }).child({ leg: 'a' });
    leg.warn('late', { ms: 3 });
    log.error('alone');
    expect(out.records.map(({ time: _, ...rest }) => rest)).toEqual([
      { level: 'warn', msg: 'late', call: '01ABC', leg: 'a', ms: 3 },
      { level: 'error', msg: 'alone' },
    ]);
  });

  it('keeps its own fields whatever the caller sends', () => {
    const { out, log } = logger();
    log.info('real', { level: 'error', msg: 'fake', time: 'never' });
    expect(out.records).toEqual([
      {
        time: '2026-11-22T11:30:15.123Z',
        level: 'info',
        msg: 'real',
        field_level: 'error',
        field_msg: 'fake',
        field_time: 'never',
      },
    ]);
  });

  it('for people has time, level, message and pairs', () => {
    const { out, log } = logger('info', 'pretty');
    log.warn('trunk down', { trunk: 'pbx', status: 503, text: 'Try "later"', servers: ['a'], gone: undefined });
    expect(out.text).toBe('11:30:15.123 WARN  trunk down trunk=pbx status=503 text="Try \\"later\\"" servers=["a"]\n');
  });
});

describe('levels', () => {
  it.each([
    ['error', ['error']],
    ['warn', ['error', 'warn']],
    ['info', ['error', 'warn', 'info']],
    ['debug', ['error', 'warn', 'info', 'debug']],
  ] as const)('%s lets %j through', (level, expected) => {
    const { out, log } = logger(level);
    for (const each of ['error', 'warn', 'info', 'debug'] as const) log.child({})[each]('x');
    expect(out.records.map((record) => record['level'])).toEqual(expected);
  });

  it('can be changed while it runs, children included, and for one call alone', () => {
    const { out, log } = logger('info');
    const one = log.child({ call: 'ONE' });
    const two = log.child({ call: 'TWO' });
    log.setCallLevel('ONE', 'debug');
    one.debug('1 seen');
    one.child({ leg: 'b' }).debug('2 seen');
    two.debug('not seen');
    log.setCallLevel('ONE', undefined);
    one.debug('not seen');
    log.setLevel('debug');
    two.debug('3 seen');
    log.setCallLevel('TWO', 'error');
    two.info('not seen');
    expect(out.records.map((record) => record['msg'])).toEqual(['1 seen', '2 seen', '3 seen']);
  });
});

describe('errors', () => {
  it('are written with name, code, message, stack and cause', () => {
    const { out, log } = logger();
    const cause = Object.assign(new TypeError('inner'), { code: 'ECONNREFUSED' });
    log.error('failed', { err: new Error('outer', { cause }) });
    expect(out.records[0]?.['err']).toMatchObject({
      name: 'Error',
      message: 'outer',
      stack: expect.stringContaining('Error: outer') as string,
      cause: { name: 'TypeError', code: 'ECONNREFUSED', message: 'inner' },
    });
  });

  it('that cause themselves end somewhere', () => {
    const { out, log } = logger();
    const err = new Error('round');
    err.cause = err;
    log.error('failed', { err });
    expect(out.lines).toHaveLength(1);
    expect(out.text).toContain('[deeper]');
  });
});

describe('values from outside', () => {
  it('cannot make a line of their own', () => {
    const { out, log } = logger();
    const pretty = logger('debug', 'pretty');
    const evil = 'Anna\r\n{"level":"error","msg":"forged"}\u2028\u2029\u0085\u001b[31m\u0000';
    for (const each of [log, pretty.log])
      each.child({ [`k${evil}`]: 1 }).info(`m${evil}`, { name: evil, deep: { [evil]: [evil] } });
    for (const text of [out.text, pretty.out.text]) {
      expect(text.slice(0, -1)).toMatch(/^[\x20-\x7e]*$/);
      expect(text.endsWith('\n')).toBe(true);
    }
    expect((out.records[0]?.['name'] as string).startsWith('Anna\r\n')).toBe(true);
  });

  it('are bounded in length and depth, and a getter that throws does no harm', () => {
    const { out, log } = logger();
    const ring: Record<string, unknown> = {};
    ring['ring'] = ring;
    log.info('big', {
      text: 'x'.repeat(100_000),
      list: Array.from({ length: 10_000 }, (_, i) => i),
      ring,
      bytes: Buffer.alloc(9),
      when: new Date(NOW),
      url: new URL('http://a/'),
    });
    const record = out.records[0];
    expect((record?.['text'] as string).length).toBe(16_384);
    expect(record?.['list']).toHaveLength(100);
    expect(record).toMatchObject({ bytes: '[9 bytes]', when: '2026-11-22T11:30:15.123Z', url: 'http://a/' });
    log.info('trap', {
      get bad(): string {
        throw new Error('no');
      },
    });
    log.info('after');
    expect(out.records.map((each) => each['msg'])).toEqual(['big', 'trap', 'after']);
  });
});

describe('secrets', () => {
  const secret = 'S3cret/+tok=en"x';

  it('that are known never appear, in any form or place', () => {
    const { out, log } = logger();
    const child = log.child({ bound: `a ${secret}` });
    log.redact([secret, '987654321', '', 'abc']);
    const err = new Error(`bad ${secret}`, { cause: new Error(secret) });
    child.info(`message ${secret}`, {
      err,
      url: `https://a/?t=${encodeURIComponent(secret)}`,
      basic: Buffer.from(secret).toString('base64'),
      deep: [{ [secret]: secret }],
      digits: 987_654_321,
      map: new Map([[secret, secret]]),
    });
    for (const form of [
      secret,
      'S3cret',
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
      '987654321',
    ]) {
      expect(out.text).not.toContain(form);
    }
    expect(out.records[0]?.['msg']).toBe('message [redacted]');
    log.info('too short to be one: abc');
    expect(out.records[1]?.['msg']).toBe('too short to be one: abc');
  });

  it('that are cut at the length limit leave nothing behind', () => {
    const { out, log } = logger();
    log.redact(['LongSecretValue']);
    log.info('x', { text: `${'x'.repeat(16_384 - 4)}LongSecretValue` });
    expect(out.text).not.toContain('Long');
  });

  it('are known by their field, and by the text around them', () => {
    const { out, log } = logger();
    log.info('x', {
      accessToken: 'aaaa1',
      app_secret: 'aaaa2',
      headers: { Authorization: 'aaaa3', cookie: 'ok' },
      sip: 'INVITE sip:a SIP/2.0\r\nProxy-Authorization: Digest response="aaaa4"\r\nFrom: b',
      sdp: 'a=ice-ufrag:u\r\na=ice-pwd:aaaa5\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:aaaa6\r\nm=audio',
      password: '',
      token_ok: true,
    });
    expect(out.text).not.toContain('aaaa');
    expect(out.records[0]).toMatchObject({
      accessToken: '[redacted]',
      app_secret: '[redacted]',
      password: '',
      token_ok: true,
    });
    expect(out.records[0]?.['sdp']).toContain('\r\nm=audio');
  });
});

describe('telephone numbers', () => {
  it('are cut to their last four digits', () => {
    const { out, log } = logger();
    log.info('call from +15551112222', {
      from: '+15551112222',
      to: '15551112222',
      user: 'US.13491208655302741918',
      number: 15_551_112_222,
      uri: 'sip:15551112222@10.0.0.5:5060;user=phone',
      tel: '<tel:+15551112222>',
    });
    expect(out.text).not.toContain('1112222');
    expect(out.records[0]).toMatchObject({
      msg: 'call from …2222',
      from: '…2222',
      to: '…2222',
      user: 'US.…1918',
      number: '…2222',
      uri: 'sip:…2222@10.0.0.5:5060;user=phone',
      tel: '<tel:…2222>',
    });
  });

  it.each([
    ['Recipient 15551112222 is not a WhatsApp user', 'Recipient …2222 is not a WhatsApp user'],
    ['The phone number: 15551112222 cannot be called', 'The phone number: …2222 cannot be called'],
    ["user ('15551112222')", "user ('…2222')"],
    ['15551112222 has not allowed this', '…2222 has not allowed this'],
    ['wa_id=5551112', 'wa_id=…1112'],
  ])('are cut where Meta quotes them without a plus: %s', (details, shown) => {
    const { out, log } = logger();
    log.warn('refused', { details, err: new Error(details) });
    expect(out.records[0]).toMatchObject({ details: shown, err: { message: shown } });
    expect(out.text).not.toContain('555111');
  });

  it('leave other facts alone', () => {
    const { out, log } = logger();
    const facts = {
      details:
        "Object with ID '105615555715855' does not exist; phone_number_id 105615555715855, code 138000, 10000000 bytes",
      number: 'sales',
      to: '600',
      trunk: 'pbx',
      numbers: 3,
      waCallId: 'wacid.HBgLMTIxODU1NTI4MjgVAgAS==',
      durationMs: 12_345_678,
      host: '10.0.0.5:5060',
    };
    log.info('x', facts);
    expect(out.records[0]).toMatchObject(facts);
  });
});
