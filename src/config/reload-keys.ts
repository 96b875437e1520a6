import type { Config } from './config.js';

/** Values that count as soon as a configuration is read anew. What is not named here needs a restart. */
const LIVE: ReadonlySet<string> = new Set([
  ...['graph.accessToken', 'graph.appSecrets', 'graph.secretFiles', 'webhook.verifyToken', 'admin.token'],
  ...['trunks', 'numbers', 'routes', 'settings.push', 'settings.pollMs', 'log.level', 'cdr.httpUrl', 'cdr.httpToken'],
  ...['answerTimeoutMs', 'ringTimeoutMs', 'maxDurationMs', 'drainTimeoutMs', 'preAccept'].map((key) => `calls.${key}`),
]);

/** Blocks that are compared whole. */
const WHOLE: ReadonlySet<string> = new Set([
  'webhook.listen',
  'admin.listen',
  'sip.tls',
  'graph.secretFiles',
  'hep.receiver',
  'tracing.headers',
]);

/** Where the key of the file is called otherwise. */
const NAMES: Readonly<Record<string, string>> = {
  'graph.appSecrets': 'graph.app_secret',
  'hep.receiver': 'hep.address',
  'cdr.httpSpoolMaxBytes': 'cdr.http_spool_max_mib',
  'sip.timers.t1Ms': 'sip.timer_t1',
  'sip.timers.t2Ms': 'sip.timer_t2',
  'sip.timers.t4Ms': 'sip.timer_t4',
};

/** A configuration that was read anew, against the one in use. Keys are named as in the file. */
export interface Reloaded {
  /** The new one, with the values in use wherever a new one needs a restart. */
  readonly config: Config;
  readonly changed: readonly string[];
  /** Keys whose value in the file is another one than that in use, which stays until a restart. */
  readonly restart: readonly string[];
}

/** Puts the new values that can be taken while the daemon runs into the configuration in use. Neither is changed. */
export function reloaded(running: Config, next: Config): Reloaded {
  const changed: string[] = [];
  const restart: string[] = [];
  const merge = (before: unknown, after: unknown, path: readonly string[]): unknown => {
    const key = path.join('.');
    if (isBlock(before) && isBlock(after) && !WHOLE.has(key)) {
      const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
      return Object.fromEntries(names.map((name) => [name, merge(before[name], after[name], [...path, name])]));
    }
    const isLive = LIVE.has(key);
    if (!isSame(before, after)) (isLive ? changed : restart).push(fileKey(key));
    return isLive ? after : before;
  };
  const config = merge(running, next, []) as Config;
  return { config, changed: unique(changed), restart: unique(restart) };
}

const unique = (keys: readonly string[]): string[] => [...new Set(keys.filter((key) => key !== ''))];

const isBlock = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** `calls.answerTimeoutMs` is `calls.answer_timeout` in the file; a file's secret moving elsewhere is no news by itself. */
function fileKey(key: string): string {
  if (key === 'graph.secretFiles') return '';
  const snake = key.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return NAMES[key] ?? snake;
}
