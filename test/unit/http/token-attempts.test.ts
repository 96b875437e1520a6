import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAdminApp } from '../../../src/http/admin-listener.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { EventBus } from '../../../src/observability/event-bus.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const TOKEN = 'admin-token-of-the-test';
const WRONG = 'wrong-token-of-somebody';

let app: FastifyInstance;
let clock: FakeClock;
let logger: RecordingLogger;
let token: string;
beforeEach(() => {
  [clock, logger, token] = [new FakeClock(), new RecordingLogger(), TOKEN];
  app = createAdminApp({
    ...{ listen: { host: '0.0.0.0', port: 0 }, token: () => token, checks: () => [], events: new EventBus() },
    ...{ metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'up 1\n' }), clock, logger },
  });
});
afterEach(() => app.close());

const ask = (shown: string | undefined, remoteAddress = '10.0.0.9', url = '/metrics') =>
  app.inject({
    ...{ url, remoteAddress },
    headers: { host: '10.0.0.1:8081', ...(shown === undefined ? {} : { authorization: `Bearer ${shown}` }) },
  });
const statuses = async (count: number, shown: string): Promise<number[]> => {
  const seen: number[] = [];
  for (let at = 0; at < count; at++) seen.push((await ask(shown)).statusCode);
  return seen;
};
const times = (count: number, status: number): number[] => Array.from({ length: count }, () => status);

describe('wrong tokens at the admin listener', () => {
  it('after 20 from one address no token from there is looked at, not even the right one, until 10 s are over', async () => {
    expect(await statuses(20, WRONG)).toEqual(times(20, 401));
    const refused = await ask(WRONG);
    expect([refused.statusCode, refused.headers['retry-after']]).toEqual([429, '10']);
    expect(refused.json()).toMatchObject({ code: 'too_many_attempts', type: 'urn:sip2wa:problem:too_many_attempts' });
    expect((await ask(TOKEN)).statusCode).toBe(429);
    clock.advance(9_999);
    expect((await ask(TOKEN)).statusCode).toBe(429);
    clock.advance(1);
    expect((await ask(TOKEN)).statusCode).toBe(200);
  });

  it('of one address are nothing to others, nor to whoever shows none', async () => {
    await statuses(21, WRONG);
    expect((await ask(TOKEN, '10.0.0.8')).statusCode).toBe(200);
    expect((await ask(undefined)).statusCode).toBe(401);
    expect((await ask(undefined, '10.0.0.9', '/livez')).statusCode).toBe(200);
  });

  it('that trickle in shut nobody out: a monitor with an old token, beside who has the right one', async () => {
    for (let at = 0; at < 50; at++) {
      expect((await ask(WRONG)).statusCode).toBe(401);
      expect((await ask(TOKEN)).statusCode).toBe(200);
      clock.advance(1_000);
    }
  });

  it('are logged with their address, for a ban, and without the token', async () => {
    await statuses(25, WRONG);
    const said = logger.lines.filter(({ message }) => message === 'wrong token at the admin listener');
    expect(said).toHaveLength(20);
    expect(said[0]).toMatchObject({ level: 'warn', fields: { remote: '10.0.0.9' } });
    expect(logger.text()).not.toContain(WRONG);
  });

  it('are none where no token is configured', async () => {
    token = '';
    expect(await statuses(30, WRONG)).toEqual(times(30, 401));
    expect(logger.lines).toEqual([]);
  });

  it('count by the token of this moment', async () => {
    await statuses(19, WRONG);
    token = 'the-next-token';
    expect((await ask(TOKEN)).statusCode).toBe(401);
    expect((await ask('the-next-token')).statusCode).toBe(429);
  });
});
