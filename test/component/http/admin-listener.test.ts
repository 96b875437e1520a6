import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAdminListener, type ReadinessCheck } from '../../../src/http/admin-listener.js';
import type { HttpListener } from '../../../src/http/http-listener.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { EventBus } from '../../../src/observability/event-bus.js';

const token = 'admin-token';
const metrics = () => Promise.resolve({ contentType: 'text/plain; version=0.0.4; charset=utf-8', text: 'up 1\n' });
let listener: HttpListener;
let checks: ReadinessCheck[];
beforeEach(async () => {
  checks = [
    { name: 'sip', ok: true, detail: 'udp 127.0.0.1:5060' },
    { name: 'webhook', ok: true },
  ];
  const listen = { host: '127.0.0.1', port: 0 };
  listener = await startAdminListener({
    listen,
    token: () => token,
    checks: () => checks,
    metrics,
    events: new EventBus(),
    logger: silentLogger,
  });
});
afterEach(() => listener.close());

function get(path: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: listener.port, path, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString('utf8')));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('admin listener', () => {
  it.each(['/livez', '/healthz'])('%s is ok whatever the checks say', async (path) => {
    checks = [{ name: 'sip', ok: false }];
    expect(await get(path)).toEqual({ status: 200, text: 'ok\n' });
  });

  it('is ready when every check is', async () => {
    expect(await get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
    checks = [...checks, { name: 'drain', ok: false }];
    expect(await get('/readyz')).toEqual({ status: 503, text: 'not ready\n' });
  });

  it('lists the checks when asked', async () => {
    checks = [...checks, { name: 'graph', ok: false, detail: 'token refused' }];
    expect(await get('/readyz?verbose')).toEqual({
      status: 503,
      text: '[+] sip: udp 127.0.0.1:5060\n[+] webhook\n[-] graph: token refused\nnot ready\n',
    });
  });

  it('does not talk to a page whose domain was rebound to this address', async () => {
    expect((await get('/readyz?verbose', { host: 'evil.example.com' })).status).toBe(421);
    for (const host of ['localhost:8081', '127.0.0.1', '[::1]:8081', 'sip2wa']) {
      expect((await get('/readyz', { host })).status).toBe(200);
    }
  });

  it('shows the metrics in their own content type', async () => {
    expect(await get('/metrics')).toEqual({ status: 200, text: 'up 1\n' });
  });

  it('has nothing else', async () => {
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics/../v1/calls')).status).toBe(404);
  });
});
