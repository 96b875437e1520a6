import { describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/config.js';
import { reloaded } from '../../../src/config/reload-keys.js';
import { configOf, working } from './load.js';

const running = configOf(working({}));
const after = (change: (config: Config) => Config) => reloaded(running, change(running));

describe('a configuration that is read anew', () => {
  it('without a change changes nothing', () => {
    expect(reloaded(running, configOf(working({})))).toEqual({ config: running, changed: [], restart: [] });
  });

  it.each([
    ['calls.ring_timeout', (c: Config) => ({ ...c, calls: { ...c.calls, ringTimeoutMs: 1 } })],
    ['calls.drain_timeout', (c: Config) => ({ ...c, calls: { ...c.calls, drainTimeoutMs: 1 } })],
    ['routes', (c: Config) => ({ ...c, routes: [{ ...c.routes[0], trunk: 'x' } as Config['routes'][0]] })],
    ['trunks', (c: Config) => ({ ...c, trunks: [] })],
    ['numbers', (c: Config) => ({ ...c, numbers: [] })],
    ['graph.access_token', (c: Config) => ({ ...c, graph: { ...c.graph, accessToken: 'next' } })],
    ['graph.app_secret', (c: Config) => ({ ...c, graph: { ...c.graph, appSecrets: ['next'] } })],
    ['admin.token', (c: Config) => ({ ...c, admin: { ...c.admin, token: 'next' } })],
    ['webhook.verify_token', (c: Config) => ({ ...c, webhook: { ...c.webhook, verifyToken: 'next' } })],
    ['settings.poll', (c: Config) => ({ ...c, settings: { ...c.settings, pollMs: undefined } })],
    ['cdr.http_url', (c: Config) => ({ ...c, cdr: { ...c.cdr, httpUrl: 'https://x.example/' } })],
    ['cdr.http_token', (c: Config) => ({ ...c, cdr: { ...c.cdr, httpToken: 'next' } })],
    ['log.level', (c: Config) => ({ ...c, log: { ...c.log, level: 'debug' as const } })],
  ])('%s counts at once', (key, change) => {
    const next = change(running);
    expect(reloaded(running, next)).toEqual({ config: next, changed: [key], restart: [] });
  });

  it.each([
    ['webhook.listen', (c: Config) => ({ ...c, webhook: { ...c.webhook, listen: { host: 'x', port: 1 } } })],
    ['media.rtp_ports', (c: Config) => ({ ...c, media: { ...c.media, rtpPorts: [1, 2] as const } })],
    ['media.workers', (c: Config) => ({ ...c, media: { ...c.media, workers: 3 } })],
    ['sip.timer_t1', (c: Config) => ({ ...c, sip: { ...c.sip, timers: { ...c.sip.timers, t1Ms: 1 } } })],
    ['sip.advertised_host', (c: Config) => ({ ...c, sip: { ...c.sip, advertisedHost: 'x' } })],
    ['permissions.max_age', (c: Config) => ({ ...c, permissions: { ...c.permissions, maxAgeMs: 1 } })],
    ['log.format', (c: Config) => ({ ...c, log: { ...c.log, format: 'pretty' as const } })],
    ['cdr.file', (c: Config) => ({ ...c, cdr: { ...c.cdr, file: 'x' } })],
    ['cdr.csv_file', (c: Config) => ({ ...c, cdr: { ...c.cdr, csvFile: 'x' } })],
    ['cdr.http_spool_max_mib', (c: Config) => ({ ...c, cdr: { ...c.cdr, httpSpoolMaxBytes: 1 } })],
  ])('%s needs a restart, and the old value stays', (key, change) => {
    const { config, changed, restart } = after(change);
    expect(config).toEqual(running);
    expect(changed).toEqual([]);
    expect(restart).toContain(key);
  });

  it('takes what it can, and names the rest again with the next reload', () => {
    const next = { ...running, trunks: [], cdr: { ...running.cdr, file: 'x' } };
    const first = reloaded(running, next);
    expect(first).toMatchObject({ changed: ['trunks'], restart: ['cdr.file'] });
    expect(reloaded(first.config, next)).toMatchObject({ changed: [], restart: ['cdr.file'] });
  });
});
