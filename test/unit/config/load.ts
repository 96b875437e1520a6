import type { Config } from '../../../src/config/config.js';
import { formatIssue } from '../../../src/config/issue.js';
import type { LoadResult } from '../../../src/config/load-config.js';
import { loadConfig } from '../../../src/config/load-config.js';

export interface Surroundings {
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
  /** Permission bits of the configuration file; by default only its owner can read it. */
  readonly mode?: number;
  readonly fileMode?: number;
}

/** Loads a configuration from text, under the name `c.yaml` in the directory `/etc/sip2wa`. */
export function load(text: string, surroundings: Surroundings = {}): LoadResult {
  const file = '/etc/sip2wa/c.yaml';
  return loadConfig({
    file,
    env: surroundings.env ?? {},
    readFile: (path) => {
      if (path === file) return { text, mode: surroundings.mode ?? 0o600 };
      const found = surroundings.files?.[path];
      if (found === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      return { text: found, mode: surroundings.fileMode ?? 0o600 };
    },
  });
}

/** Errors as printed, without the directory. */
export function errorsOf(text: string, surroundings: Surroundings = {}): string[] {
  const result = load(text, surroundings);
  return result.ok ? [] : result.errors.map((issue) => short(formatIssue(issue)));
}

/** Warnings as printed, without the directory. */
export function warningsOf(text: string, surroundings: Surroundings = {}): string[] {
  return load(text, surroundings).warnings.map((issue) => short(formatIssue(issue, 'warning')));
}

/** The configuration; fails with its errors if there are any. */
export function configOf(text: string, surroundings: Surroundings = {}): Config {
  const result = load(text, surroundings);
  if (!result.ok) throw new Error(result.errors.map((issue) => formatIssue(issue)).join('\n'));
  return result.config;
}

function short(line: string): string {
  return line.replace('/etc/sip2wa/', '');
}

/** Secrets, one number and one trunk: the least that takes calls. `number`, `trunk` and `top` are more lines for each. */
export function working({
  number = [],
  trunk = [],
  top = [],
}: Partial<Record<'number' | 'trunk' | 'top', string[]>> = {}): string {
  return [
    'graph: { access_token: token-1, app_secret: secret-1 }',
    'webhook: { verify_token: verify-1 }',
    'trunks:',
    '  - name: pbx',
    '    servers: [{ hostname: 10.0.0.5 }]',
    ...trunk.map((line) => `    ${line}`),
    'numbers:',
    '  - id: "105615555715855"',
    '    number: "+15551112222"',
    '    name: sales',
    '    trunk: pbx',
    ...number.map((line) => `    ${line}`),
    ...top,
    '',
  ].join('\n');
}

/** Lines of `working()` up to its first `trunk` and `number` line. */
export const TRUNK_LINE = 6;
export const NUMBER_LINE = 11;
