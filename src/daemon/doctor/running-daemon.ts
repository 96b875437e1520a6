import type { Config, ListenAddress } from '../../config/config.js';
import type { Clock } from '../../lib/clock.js';
import { uriHost } from '../../sip/sip-uri.js';
import { askHttp } from './http-ask.js';

/** The daemon of this configuration, running on this machine. */
export interface RunningDaemon {
  readonly isReady: boolean;
  /** Names of the parts that are not ready, as far as it tells. */
  readonly waiting: readonly string[];
}

/** Where a listener on this machine is reached from this machine. */
export function localUrl({ host, port }: ListenAddress): string {
  const any: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return `http://${uriHost(any[host] ?? host)}:${port}`;
}

/** Asks at `admin.listen` whether a daemon runs there. Undefined if none does; never rejects. */
export async function findRunning(
  { admin }: Pick<Config, 'admin'>,
  askMs: number,
  clock: Clock,
): Promise<RunningDaemon | undefined> {
  if (admin.listen.port === 0) return undefined;
  const base = localUrl(admin.listen);
  const headers = admin.token === '' ? {} : { authorization: `Bearer ${admin.token}` };
  try {
    // Without the token: whatever else listens there shall not see it.
    const alive = await askHttp({ url: `${base}/livez`, method: 'GET' }, askMs, clock);
    if (alive.status !== 200 || alive.text !== 'ok\n') return undefined;
    const ready = await askHttp({ url: `${base}/readyz?verbose`, method: 'GET', headers }, askMs, clock);
    const waiting = [...ready.text.matchAll(/^\[-\] (.*)$/gm)].map(([, name = '']) => name);
    return { isReady: ready.status === 200, waiting };
  } catch {
    return undefined;
  }
}
