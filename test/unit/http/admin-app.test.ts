import { describe, expect, it } from 'vitest';
import { createAdminApp } from '../../../src/http/admin-listener.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { EventBus } from '../../../src/observability/event-bus.js';

const token = 'admin-token';
const metrics = () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'up 1\n' });
const checks = [{ name: 'sip', ok: true }];

async function status(listenHost: string, path: string, headers: Record<string, string>, remoteAddress = '127.0.0.1') {
  const listen = { host: listenHost, port: 0 };
  const app = createAdminApp({
    listen,
    token: () => token,
    checks: () => checks,
    metrics,
    events: new EventBus(),
    logger: silentLogger,
  });
  const { statusCode } = await app.inject({ url: path, headers, remoteAddress });
  await app.close();
  return statusCode;
}

const authorization = `Bearer ${token}`;

describe('admin listener on every address', () => {
  it.each(['/metrics', '/v1/events'])('tells nobody %s who has not shown the token', async (path) => {
    expect(await status('0.0.0.0', path, { host: '10.0.0.1' }, '10.0.0.9')).toBe(401);
    expect(await status('0.0.0.0', path, { host: '10.0.0.1', authorization: 'Bearer x' }, '10.0.0.9')).toBe(401);
    expect(await status('0.0.0.0', path, { host: 'evil.example.com' }, '127.0.0.1')).toBe(401);
  });

  it('shows metrics to whoever has', async () => {
    expect(await status('0.0.0.0', '/metrics', { host: 'sip2wa.example.com', authorization }, '10.0.0.9')).toBe(200);
    expect(await status('0.0.0.0', '/metrics', { host: '127.0.0.1:8081' }, '127.0.0.1')).toBe(200);
  });

  it.each([
    ['yes or no, by any name', '/readyz', { host: 'sip2wa.example.com' }, '10.0.0.9', 200],
    ['details without the token', '/readyz?verbose', { host: '10.0.0.1' }, '10.0.0.9', 401],
    ['details with a wrong token', '/readyz?verbose', { host: '10.0.0.1', authorization: 'Bearer x' }, '10.0.0.9', 401],
    ['details with the token', '/readyz?verbose', { host: 'sip2wa.example.com', authorization }, '10.0.0.9', 200],
    ['details on this machine', '/readyz?verbose', { host: '127.0.0.1:8081' }, '127.0.0.1', 200],
    ['details through a rebound domain', '/readyz?verbose', { host: 'evil.example.com' }, '127.0.0.1', 401],
  ])('%s', async (_, path, headers, remote, expected) => {
    expect(await status('0.0.0.0', path, headers, remote)).toBe(expected);
  });
});

describe('admin listener on loopback', () => {
  it('answers to no domain at all', async () => {
    expect(await status('127.0.0.1', '/livez', { host: 'evil.example.com' })).toBe(421);
    expect(await status('127.0.0.1', '/livez', { host: 'localhost' })).toBe(200);
  });
});
