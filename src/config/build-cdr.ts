import { resolve } from 'node:path';
import type { Config } from './config.js';
import { isLoopback } from './formats.js';
import type { Findings, KeyPath } from './issue.js';
import type { Scalars } from './scalars.js';
import type { Secrets } from './secrets.js';

const bytesOfMib = 1024 * 1024;
const tokenPath: KeyPath = ['cdr', 'http_token'];

/** Where call records go, with what is wrong between its keys. The token is resolved only if it is in use. */
export function buildCdr(scalars: Scalars, secrets: Secrets, findings: Findings): Config['cdr'] {
  const httpUrl = String(scalars['cdr.http_url']);
  const cdr = {
    file: String(scalars['cdr.file']),
    csvFile: String(scalars['cdr.csv_file']),
    httpUrl,
    httpToken: httpUrl === '' ? '' : secrets.optional(tokenPath, String(scalars['cdr.http_token'])),
    httpSpoolDir: String(scalars['cdr.http_spool_dir']),
    httpSpoolMaxBytes: Number(scalars['cdr.http_spool_max_mib']) * bytesOfMib,
  };
  checkPlaces(cdr, String(scalars['journal.dir']), findings);
  checkToken(cdr, String(scalars['cdr.http_token']), findings);
  return cdr;
}

/** Two writers in one place would make it unreadable for both. */
function checkPlaces({ file, csvFile, httpSpoolDir }: Config['cdr'], journalDir: string, findings: Findings): void {
  if (csvFile !== '' && resolve(csvFile) === resolve(file)) {
    findings.error(['cdr', 'csv_file'], { message: 'is the file of cdr.file', cure: 'name another file' });
  }
  if (resolve(httpSpoolDir) === resolve(journalDir)) {
    const message = 'is the directory of the journal';
    findings.error(['cdr', 'http_spool_dir'], { message, cure: 'name another directory' });
  }
}

function checkToken({ httpUrl, httpToken }: Config['cdr'], written: string, findings: Findings): void {
  if (httpUrl === '') {
    const message = 'is not used without cdr.http_url';
    if (written !== '') findings.warn(tokenPath, { message, cure: 'set cdr.http_url, or remove it' });
    return;
  }
  if (written === '' && URL.canParse(httpUrl) && !isLoopback(new URL(httpUrl).hostname)) {
    const message = 'is posted to without a token, so its owner cannot tell our records from forged ones';
    findings.warn(['cdr', 'http_url'], { message, cure: 'set cdr.http_token' });
  }
  if (httpToken !== '' && !/^[\x21-\x7e]+$/.test(httpToken)) {
    const message = 'has a space or another character that cannot stand in a header';
    findings.error(tokenPath, { message, cure: 'use letters, digits and punctuation of ASCII only' });
  }
}
