import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JournalEntry } from '../../../src/call/journal.js';
import { startWebhookListener } from '../../../src/http/webhook-listener.js';
import type { HttpListener } from '../../../src/http/http-listener.js';
import type { WebhookEvent } from '../../../src/whatsapp/webhook-events.js';
import { eventually, settled } from '../../support/eventually.js';
import { readFixture } from '../../support/fixtures.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const secrets = ['canary-new-secret', 'canary-old-secret'];
const verifyToken = 'canary-verify-token';
const body = readFixture('webhooks/user-initiated-connect.json');

let listener: HttpListener;
let logger: RecordingLogger;
let entries: JournalEntry[];
let journalFails: Error | undefined;
let deliveries: (readonly WebhookEvent[])[];
let onDelivery: (events: readonly WebhookEvent[]) => void;
/** What happened, in order. */
let order: string[];
let refused: string[];

beforeEach(async () => {
  logger = new RecordingLogger();
  entries = [];
  journalFails = undefined;
  deliveries = [];
  order = [];
  refused = [];
  onDelivery = (events) => {
    order.push('delivered');
    deliveries.push(events);
  };
  listener = await startWebhookListener({
    listen: { host: '127.0.0.1', port: 0 },
    path: '/hooks/meta',
    verifyToken,
    appSecrets: () => secrets,
    onDelivery: (events) => onDelivery(events),
    journal: {
      append: async (entry) => {
        await settled();
        if (journalFails) throw journalFails;
        order.push('journalled');
        entries.push(entry);
      },
    },
    onRefused: (reason) => refused.push(reason),
    logger,
  });
});
afterEach(async () => {
  await listener.close();
  expect(logger.text()).not.toMatch(/canary/);
});

const sign = (text: string | Buffer, secret = secrets[0]!): string =>
  `sha256=${createHmac('sha256', secret).update(text).digest('hex')}`;
const url = (path = '/hooks/meta'): string => `http://127.0.0.1:${listener.port}${path}`;

function post(text: string | Buffer, headers: Record<string, string> = {}): Promise<Response> {
  const signed = { 'content-type': 'application/json', 'x-hub-signature-256': sign(text), ...headers };
  return fetch(url(), { method: 'POST', body: text, headers: signed });
}

async function nothingHappened(): Promise<void> {
  await settled();
  expect(order).toEqual([]);
}

describe('deliveries', () => {
  it('are journalled, answered with 200 and handed over, in this order', async () => {
    const response = await post(body);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
    await eventually(() => deliveries.length === 1, 'delivery');
    expect(order).toEqual(['journalled', 'delivered']);
    expect(deliveries[0]).toMatchObject([{ kind: 'user_connect', user: { name: 'Ana "Nina" Ñandú 🙂' } }]);
    expect(entries).toMatchObject([
      { event: 'webhook', data: { kind: 'user_connect', numberId: '106540352242922', timestampMs: '1671644824000' } },
    ]);
    expect(JSON.stringify(entries)).not.toMatch(/ice-pwd|Nina|13057765456/);
  });

  it('are taken under the older of two secrets, and whatever the content type says', async () => {
    expect((await post(body, { 'x-hub-signature-256': sign(body, secrets[1]) })).status).toBe(200);
    expect((await post(body, { 'content-type': 'text/plain' })).status).toBe(200);
    await eventually(() => deliveries.length === 2, 'both deliveries');
  });

  it.each([
    ['a wrong signature', { 'x-hub-signature-256': sign('{}') }],
    ['another secret', { 'x-hub-signature-256': sign(body, 'guess') }],
    ['an empty signature', { 'x-hub-signature-256': '' }],
    ['a short signature', { 'x-hub-signature-256': 'sha256=00' }],
    ['the older SHA-1 header alone', { 'x-hub-signature-256': '', 'x-hub-signature': 'sha1=00' }],
  ])('with %s get 401 and change nothing', async (_, headers) => {
    expect((await post(body, headers)).status).toBe(401);
    await nothingHappened();
  });

  it('without a signature get 401 and change nothing', async () => {
    expect((await fetch(url(), { method: 'POST', body })).status).toBe(401);
    expect((await fetch(url(), { method: 'POST' })).status).toBe(401);
    await nothingHappened();
    expect(refused).toEqual(['signature', 'signature']);
  });

  it('that are signed but not readable get 400 and are logged', async () => {
    for (const bad of ['{"entry":', '[]', '[['.repeat(100_000), Buffer.from([0xff, 0xfe])]) {
      expect((await post(bad)).status).toBe(400);
    }
    await nothingHappened();
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(4);
    expect(refused).toEqual(['body', 'body', 'body', 'body']);
  });

  it('that are compressed are not inflated', async () => {
    const packed = gzipSync(body);
    expect((await post(packed, { 'content-encoding': 'gzip' })).status).toBe(400);
    await nothingHappened();
  });

  it('over 1 MiB get 413 without being hashed', async () => {
    const big = 'x'.repeat(1024 * 1024 + 1);
    expect((await post(big)).status).toBe(413);
    await nothingHappened();
    expect(refused).toEqual(['request']);
  });

  it('that cannot be journalled get 503 and are not acted on', async () => {
    journalFails = new Error('disk full');
    expect((await post(body)).status).toBe(503);
    await nothingHappened();
    journalFails = undefined;
    expect((await post(body)).status).toBe(200);
    await eventually(() => deliveries.length === 1, 'the repeated delivery');
    expect(refused).toEqual(['journal']);
  });

  it('that make their receiver throw were answered all the same', async () => {
    onDelivery = () => {
      order.push('thrown');
      throw new Error('receiver broke');
    };
    expect((await post(body)).status).toBe(200);
    await eventually(() => logger.lines.some(({ message }) => message === 'webhook delivery failed'), 'log line');
  });

  it('are all handed over when 50 come at once', async () => {
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await post(body)).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    await eventually(() => deliveries.length === 50, '50 deliveries');
  });

  it('over a slow connection are cut off', async () => {
    const impatient = await startWebhookListener({
      listen: { host: '127.0.0.1', port: 0 },
      path: '/',
      verifyToken,
      appSecrets: () => secrets,
      onDelivery: (events) => onDelivery(events),
      journal: { append: () => Promise.resolve() },
      logger,
      timeouts: { headersMs: 100, requestMs: 200 },
    });
    const socket = connect(impatient.port, '127.0.0.1');
    const closed = new Promise<string>((resolve) => {
      let heard = '';
      socket.on('data', (data) => (heard += data.toString('latin1')));
      socket.on('error', () => resolve(heard));
      socket.on('close', () => resolve(heard));
    });
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Le');
    expect(await closed).toMatch(/^(HTTP\/1\.1 408|$)/);
    await impatient.close();
    await nothingHappened();
  });
});

describe('verification', () => {
  const query = (token: string): string =>
    `/hooks/meta?${new URLSearchParams({ 'hub.mode': 'subscribe', 'hub.verify_token': token, 'hub.challenge': '4711' }).toString()}`;

  it('answers the bare challenge', async () => {
    const response = await fetch(url(query(verifyToken)));
    expect([response.status, await response.text()]).toEqual([200, '4711']);
    expect(response.headers.get('content-type')).toContain('text/plain');
  });

  it('refuses a wrong token, and after five of them any token for a minute', async () => {
    for (let i = 0; i < 5; i++) expect((await fetch(url(query('guess')))).status).toBe(403);
    expect((await fetch(url(query(verifyToken)))).status).toBe(403);
  });
});

describe('everything else', () => {
  it('is not there', async () => {
    expect((await fetch(url('/'))).status).toBe(404);
    expect((await fetch(url('/livez'))).status).toBe(404);
    expect((await fetch(url(), { method: 'PUT', body: 'x' })).status).toBe(404);
  });

  it('malformed requests get an answer without a word about the inside', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(url(), { method: 'POST', headers: { 'content-length': '10', 'content-type': '\u0001' } });
      sent.on('response', (response) => resolve(response.resume().statusCode));
      sent.on('error', reject);
      sent.end('0123456789');
    }).catch(() => 400);
    expect(status).toBeGreaterThanOrEqual(400);
    await nothingHappened();
  });

  it('a taken port is a typed error', async () => {
    const second = startWebhookListener({
      listen: { host: '127.0.0.1', port: listener.port },
      path: '/',
      verifyToken,
      appSecrets: () => secrets,
      onDelivery: () => undefined,
      journal: { append: () => Promise.resolve() },
      logger,
    });
    await expect(second).rejects.toMatchObject({ code: 'SIP2WA_LISTEN' });
  });
});
