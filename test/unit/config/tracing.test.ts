import { describe, expect, it } from 'vitest';
import { reloaded } from '../../../src/config/reload-keys.js';
import { configOf, errorsOf, load, warningsOf, working } from './load.js';

const withTracing = (...lines: string[]): string => working({ top: ['tracing:', ...lines.map((line) => `  ${line}`)] });
const tracingOf = (...lines: string[]) => configOf(withTracing(...lines)).tracing;

describe('tracing', () => {
  it('is off without a collector, and its secret is not looked at', () => {
    expect(configOf(working()).tracing).toBeUndefined();
    expect(tracingOf('headers: ${env:NOT_THERE}', 'sample_ratio: 0.5')).toBeUndefined();
  });

  it.each([
    ['http://127.0.0.1:4318', 'http://127.0.0.1:4318/v1/traces'],
    ['http://127.0.0.1:4318/', 'http://127.0.0.1:4318/v1/traces'],
    ['https://otlp.example.com/otlp/v1/traces', 'https://otlp.example.com/otlp/v1/traces'],
    ['http://[::1]:4318', 'http://[::1]:4318/v1/traces'],
  ])('a collector at %s gets its traces at %s', (written, url) => {
    expect(tracingOf(`otlp_url: "${written}"`)).toEqual({ otlpUrl: url, sampleRatio: 1, headers: {} });
  });

  it.each(['collector:4318', 'ftp://collector', 'http://user:pass@collector', 'http://collector/?key=1', '4318'])(
    'refuses %s for a collector',
    (url) => {
      expect(errorsOf(withTracing(`otlp_url: "${url}"`))).toEqual([
        expect.stringMatching(/tracing\.otlp_url: must be a URL without user, query and fragment, or empty; write /),
      ]);
    },
  );

  it.each([0, 0.25, 1])('takes a share of %d', (ratio) => {
    expect(tracingOf('otlp_url: http://127.0.0.1:4318', `sample_ratio: ${ratio}`)?.sampleRatio).toBe(ratio);
  });

  it.each(['1.1', '-0.1', '"0.5"', '10%', '.nan'])('refuses a share of %s', (ratio) => {
    expect(errorsOf(withTracing(`sample_ratio: ${ratio}`))).toEqual([
      expect.stringMatching(/tracing\.sample_ratio: must be a number from 0 to 1; /),
    ]);
  });

  it('headers are one secret: names and values, the values as in URLs, and each value is a secret itself', () => {
    const text = withTracing('otlp_url: http://127.0.0.1:4318', 'headers: ${env:OTLP_HEADERS}');
    const env = { OTLP_HEADERS: 'Authorization=Bearer%20abc%2Cdef, x-scope-orgid = calls ' };
    const result = load(text, { env });
    if (!result.ok) throw new Error(JSON.stringify(result.errors));
    expect(result.config.tracing?.headers).toEqual({ authorization: 'Bearer abc,def', 'x-scope-orgid': 'calls' });
    expect(result.secrets).toEqual(expect.arrayContaining([env.OTLP_HEADERS, 'Bearer abc,def', 'abc,def']));
    expect(result.secrets).not.toContain('Bearer');
    // A tenant's name: every line with the word would be blacked out.
    expect(result.secrets).not.toContain('calls');
  });

  it('warns of headers that go to another machine in plain http', () => {
    const headers = 'headers: "x-scope-orgid=calls"';
    const warned = (url: string, ...more: string[]) => warningsOf(withTracing(`otlp_url: ${url}`, ...more));
    expect(warned('http://collector.example.com', headers)).toEqual([
      expect.stringMatching(
        /tracing\.otlp_url: is plain http: whoever is on the way can read tracing\.headers; write https/,
      ),
    ]);
    expect(warned('http://collector.example.com')).toEqual([]);
    expect(warned('https://collector.example.com', headers)).toEqual([]);
    expect(warned('http://127.0.0.1:4318', headers)).toEqual([]);
  });

  it.each(['no-value-at-all', 'two words=c', 'empty-one=', 'bad-one=%zz', 'broken=b%0d%0ax-b:c', 'gap=b,,gap=d'])(
    'refuses headers like %s, without repeating them',
    (headers) => {
      const errors = errorsOf(withTracing('otlp_url: http://127.0.0.1:4318', `headers: "${headers}"`));
      expect(errors).toEqual([
        expect.stringMatching(/tracing\.headers: are not NAME=VALUE, with commas in between; write /),
      ]);
      expect(errors[0]).not.toContain(headers);
    },
  );

  it('a change of it needs a restart, and no header is named', () => {
    const before = configOf(withTracing('otlp_url: http://127.0.0.1:4318', 'headers: x-a=1'));
    const after = configOf(withTracing('otlp_url: http://127.0.0.1:4319', 'sample_ratio: 0.5', 'headers: x-b=2'));
    const { config, changed, restart } = reloaded(before, after);
    expect([changed, restart]).toEqual([[], ['tracing.otlp_url', 'tracing.sample_ratio', 'tracing.headers']]);
    expect(config.tracing).toEqual(before.tracing);
    expect(reloaded(configOf(working()), before).restart).toEqual(['tracing']);
  });
});
