import { describe, expect, it } from 'vitest';
import { configOf, errorsOf, warningsOf, working } from './load.js';

const aboutCdr = (lines: readonly string[]): string[] => lines.filter((line) => line.includes(': cdr.'));
const env = { CDR_TOKEN: 'token-of-billing' };
const withToken = 'http_token: "${env:CDR_TOKEN}"';

describe('where call records go', () => {
  it('is one file unless more is written', () => {
    expect(configOf(working({})).cdr).toMatchObject({
      file: './var/cdr.jsonl',
      csvFile: '',
      httpUrl: '',
      httpToken: '',
    });
  });

  it('may be three places', () => {
    const keys = 'csv_file: ./var/cdr.csv, http_url: "https://billing.example/in?tenant=7", http_spool_max_mib: 2';
    expect(configOf(`cdr: { ${keys}, ${withToken}, http_spool_dir: ./var/s }\n`, { env }).cdr).toEqual({
      ...{ file: './var/cdr.jsonl', csvFile: './var/cdr.csv', httpUrl: 'https://billing.example/in?tenant=7' },
      ...{ httpToken: 'token-of-billing', httpSpoolDir: './var/s', httpSpoolMaxBytes: 2 * 1024 * 1024 },
    });
  });

  it.each(['http://127.0.0.1:9000/in', 'http://localhost/in', 'http://[::1]:1/'])(
    'may be %s, on this machine',
    (url) => {
      expect(
        aboutCdr([...errorsOf(`cdr: { http_url: "${url}" }\n`), ...warningsOf(`cdr: { http_url: "${url}" }\n`)]),
      ).toEqual([]);
    },
  );

  it.each([
    ['http://billing.example/', 'plain http is for loopback addresses only; write https://, records name people'],
    ...['billing.example', 'ftp://x/', 'https://user:pass@x/', 'https://x/#part'].map((url) => [
      url,
      'must be a URL without user and fragment, or empty; write https://HOST/PATH, and the secret, if there is one, as cdr.http_token',
    ]),
  ])('is not %s', (url, said) => {
    expect(errorsOf(`cdr:\n  http_url: "${url}"\n`)).toEqual([`c.yaml:2:13: cdr.http_url: ${said}`]);
  });

  it('is two places, not one that two write to', () => {
    expect(errorsOf('cdr:\n  csv_file: ./var/../var/cdr.jsonl\n  http_spool_dir: ./var/journal\n')).toEqual([
      'c.yaml:2:13: cdr.csv_file: is the file of cdr.file; name another file',
      'c.yaml:3:19: cdr.http_spool_dir: is the directory of the journal; name another directory',
    ]);
  });

  it('takes a token that can stand in a header', () => {
    const text = `cdr:\n  http_url: https://x.example/\n  ${withToken}\n`;
    expect(errorsOf(text, { env: { CDR_TOKEN: 'two words' } })).toEqual([
      'c.yaml:3:15: cdr.http_token: has a space or another character that cannot stand in a header; use letters, digits and punctuation of ASCII only',
    ]);
    expect(errorsOf(text, { env: {} })).toEqual([
      'c.yaml:3:15: cdr.http_token: environment variable CDR_TOKEN is not set; set CDR_TOKEN before starting',
    ]);
  });

  it('is warned of without a token, and of a token without an address', () => {
    expect(aboutCdr(warningsOf('cdr:\n  http_url: https://x.example/\n'))).toEqual([
      'c.yaml:2:13: warning: cdr.http_url: is posted to without a token, so its owner cannot tell our records from forged ones; set cdr.http_token',
    ]);
    expect(aboutCdr(warningsOf(`cdr:\n  ${withToken}\n`, { env: {} }))).toEqual([
      'c.yaml:2:15: warning: cdr.http_token: is not used without cdr.http_url; set cdr.http_url, or remove it',
    ]);
  });

  it('has a spool of bounded size', () => {
    expect(errorsOf('cdr: { http_spool_max_mib: 0 }\n')).toEqual([
      'c.yaml:1:28: cdr.http_spool_max_mib: must be a whole number; write a number from 1 to 1000000',
    ]);
  });
});
