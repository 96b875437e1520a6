import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import fastify from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAdminListener } from '../../../src/http/admin-listener.js';
import { EventStreams } from '../../../src/http/event-streams.js';
import { listenOn, type HttpListener } from '../../../src/http/http-listener.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { deferred } from '../../../src/lib/deferred.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { EventBus } from '../../../src/observability/event-bus.js';
import type { PermissionEvent } from '../../../src/whatsapp/permissions/permission-event.js';
import { until } from '../../support/until.js';

const token = 'admin-token';
let bus: EventBus;
let listener: HttpListener;

/** An open stream: what has come so far, and when it is over. */
class Stream {
  text = '';
  readonly over = deferred<string>();

  constructor(readonly response: IncomingMessage) {
    response.setEncoding('utf8');
    response.on('data', (part: string) => (this.text += part));
    response.on('end', () => this.over.resolve('ended'));
    response.on('error', () => this.over.resolve('cut off'));
  }

  get events(): { id: string; event: string; data: unknown }[] {
    const field = (block: string, name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
    const blocks = this.text.split('\n\n').filter((block) => block.startsWith('id: '));
    return blocks.map((block) => ({
      ...{ id: field(block, 'id'), event: field(block, 'event') },
      data: JSON.parse(field(block, 'data')) as unknown,
    }));
  }
}

function ask(headers: Record<string, string> = {}, method = 'GET'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: listener.port, path: '/v1/events', method, headers, agent: false });
    sent.on('response', resolve).on('error', reject).end();
  });
}

async function open(headers: Record<string, string> = {}): Promise<Stream> {
  const stream = new Stream(await ask(headers));
  expect(stream.response.statusCode).toBe(200);
  await until(() => stream.text !== '', 'the first bytes');
  return stream;
}

const reply = (name: string): PermissionEvent => ({
  ...{ number: 'sales', numberId: '105615555715855', name, response: 'accept', permanent: false, context: 'none' },
});
const permission = (name: string) => ({ type: 'permission' as const, data: reply(name) });

beforeEach(() => {
  bus = new EventBus();
});
afterEach(() => listener.close());

describe('GET /v1/events of the admin listener', () => {
  beforeEach(async () => {
    const metrics = () => Promise.resolve({ contentType: 'text/plain', text: '' });
    const listen = { host: '127.0.0.1', port: 0 };
    listener = await startAdminListener({
      listen,
      token: () => token,
      checks: () => [],
      metrics,
      events: bus,
      logger: silentLogger,
    });
  });

  it('tells each reader every event as it happens, as one JSON line', async () => {
    const first = await open();
    expect(first.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
    });
    bus.publish(permission('line\nbreak'));
    const second = await open({ authorization: `Bearer ${token}` });
    bus.publish(permission('+4930123456'));
    await until(() => first.events.length === 2 && second.events.length === 1, 'the events');
    expect(first.events).toEqual([
      { id: '1', event: 'permission', data: reply('line\nbreak') },
      { id: '2', event: 'permission', data: reply('+4930123456') },
    ]);
    expect(second.events).toEqual(first.events.slice(1));
  });

  it('is closed to pages whose domain was rebound to this address, and to HEAD', async () => {
    expect((await ask({ host: 'evil.example.com' })).statusCode).toBe(421);
    expect((await ask({}, 'HEAD')).statusCode).toBe(404);
    expect(bus.size).toBe(0);
  });

  it('lets go of a reader that goes away', async () => {
    const stream = await open();
    expect(bus.size).toBe(1);
    stream.response.destroy();
    await until(() => bus.size === 0, 'the subscription to end');
  });

  it('ends the streams when the listener closes', async () => {
    const stream = await open();
    bus.publish(permission('last'));
    await until(() => stream.events.length === 1, 'the last event');
    await listener.close();
    expect(await stream.over.promise).toBe('ended');
    expect(bus.size).toBe(0);
  });

  it('takes no more than 32 readers', async () => {
    await Promise.all(Array.from({ length: 32 }, () => open()));
    expect((await ask()).statusCode).toBe(503);
    expect(bus.size).toBe(32);
  });
});

describe('a stream', () => {
  let clock: FakeClock;

  /** The routes alone, with a clock of the test's own. */
  async function serve(options: { token: string; queueCap?: number }): Promise<void> {
    bus = new EventBus(options.queueCap);
    clock = new FakeClock();
    const app = fastify({ forceCloseConnections: true });
    const streams = new EventStreams({
      feed: bus,
      token: () => options.token,
      logger: silentLogger,
      clock,
      stallMs: 30_000,
    });
    streams.mount(app);
    listener = await listenOn(app, { host: '127.0.0.1', port: 0 });
  }

  it('says every 15 s that it is still there', async () => {
    await serve({ token });
    const stream = await open();
    const heartbeats = (): number => stream.text.split(': still here\n\n').length - 1;
    clock.advance(14_999);
    bus.publish(permission('+4930123456'));
    await until(() => stream.events.length === 1, 'an event');
    expect(heartbeats()).toBe(0);
    clock.advance(1);
    await until(() => heartbeats() === 1, 'a heartbeat');
    clock.advance(15_000);
    await until(() => heartbeats() === 2, 'another');
    stream.response.destroy();
    await until(() => bus.size === 0, 'the subscription to end');
    await until(() => clock.armed === 0, 'the heartbeat to stop');
  });

  it('refuses whoever has no token and comes by a domain', async () => {
    await serve({ token });
    for (const authorization of ['', 'Bearer ', 'Bearer wrong', `Basic ${token}`]) {
      const response = await ask({ host: 'bridge.example.com', authorization });
      expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    }
    expect(bus.size).toBe(0);
    expect((await open({ host: 'bridge.example.com', authorization: `Bearer ${token}` })).text).toContain('events');
  });

  /** A reader that takes nothing, once its socket and ours are full. */
  async function stalledReader() {
    const socket = connect(listener.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await until(() => bus.size === 1, 'the subscription');
    const big = 'x'.repeat(64 * 1024);
    // loopback buffers take a few megabytes; the queue of four overflows soon after
    for (let i = 0; i < 1_000 && bus.size > 0; i++) {
      bus.publish(permission(big));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(bus.size).toBe(0);
    return socket;
  }

  it('tells a reader that was too slow, as its last event, what it missed', async () => {
    await serve({ token, queueCap: 4 });
    const socket = await stalledReader();
    let text = '';
    let isOver = false;
    socket.setEncoding('utf8').on('data', (part: string) => (text = (text + part).slice(-300)));
    socket.on('end', () => (isOver = true));
    await until(() => text.includes('event: dropped'), 'the last event');
    expect(text).toMatch(/event: dropped\ndata: \{"missed":5\}\n\n/);
    // the response is over; the connection may be kept
    await until(() => isOver || text.endsWith('0\r\n\r\n'), 'the end of the stream');
    socket.destroy();
  });

  it('cuts a reader off that takes nothing for 30 s', async () => {
    await serve({ token, queueCap: 4 });
    const socket = await stalledReader();
    const closed = once(socket, 'close');
    socket.on('error', () => undefined);
    clock.advance(30_000);
    socket.resume();
    await closed;
    expect(clock.armed).toBe(0);
  });
});
