import type { ListenAddress } from './config.js';
import { parseListen } from './formats.js';
import type { FileReader } from './file-reader.js';
import { systemFileReader } from './file-reader.js';
import { Findings, type ConfigIssue } from './issue.js';
import { isBlock } from './lists.js';
import { defaultConfigFile } from './load-config.js';
import { readScalars } from './scalars.js';
import { errorCode, Secrets } from './secrets.js';
import { YamlSource } from './yaml-source.js';

/** Where a daemon that runs with this file is asked, and with what token. */
export interface AdminAccess {
  readonly file: string;
  readonly listen: ListenAddress;
  /** Empty: none is written, or it cannot be had here, as `tokenIssue` says. */
  readonly token: string;
  readonly tokenIssue: ConfigIssue | undefined;
}

export interface AdminAccessOptions {
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly readFile?: FileReader;
}

/**
 * Reads the section `admin` alone, so that a daemon can be asked also while its file has errors elsewhere, or secrets that
 * whoever asks may not read. The issues if that cannot be done. Never throws.
 */
export function readAdminAccess(options: AdminAccessOptions): AdminAccess | readonly ConfigIssue[] {
  const { env, readFile = systemFileReader, file = defaultConfigFile(env) } = options;
  let text: string;
  let mode: number;
  try {
    ({ text, mode } = readFile(file));
  } catch (error) {
    const message = `the file cannot be read (${errorCode(error)})`;
    return [{ file, line: 0, column: 0, key: '', message, cure: 'name the file of the daemon with --config' }];
  }
  const source = new YamlSource(text);
  if (source.data === undefined) {
    return source.problems.map(({ line, column, message, cure }) => ({ file, line, column, key: '', message, cure }));
  }
  const findings = new Findings(file, (path, spot) => source.position(path, spot));
  const scalars = readScalars(isBlock(source.data) ? source.data : {}, env, findings);
  const issues = findings.errors.filter(({ key }) => key === 'admin.listen');
  const listen = parseListen(scalars['admin.listen']);
  if (!listen || issues.length > 0) return issues;
  const secrets = new Secrets(findings, env, readFile, { file, isPrivate: (mode & 0o077) === 0 });
  const token = secrets.optional(['admin', 'token'], String(scalars['admin.token']));
  return { file, listen, token, tokenIssue: findings.errors.find(({ key }) => key === 'admin.token') };
}
