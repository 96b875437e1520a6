import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import { Exchange } from '../../../src/sandbox/graph/exchange.js';
import { BrowserPhone } from '../../../src/sandbox/rehearsal/browser-phone.js';
import { PhonePage } from '../../../src/sandbox/rehearsal/phone-page.js';
import { browserSdp } from '../../support/browser-sdp.js';
import { until } from '../../support/until.js';

const user = '12025550173';

let exchange: Exchange;
let phone: BrowserPhone;
let page: PhonePage;
let url: string;
let rings: number;
const streams: EventStream[] = [];

const open = async (ringMe?: () => Promise<void>): Promise<void> => {
  exchange = new Exchange({
    number: { id: '105615555715855', digits: '12025550142' },
    clock: systemClock,
    send: () => undefined,
    answerWindowMs: 60_000,
  });
  phone = new BrowserPhone(exchange, user, 'Rehearsal');
  page = new PhonePage({ phone, businessNumber: '+12025550142', ...(ringMe && { ringMe }) });
  url = await page.listen(0);
};
beforeEach(async () => {
  rings = 0;
  await open(() => {
    rings += 1;
    return Promise.resolve();
  });
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  exchange.stop();
  await page.close();
});

/** What the page hears. */
class EventStream {
  readonly events: Record<string, unknown>[] = [];
  isOver = false;
  readonly #abort = new AbortController();

  static async open(): Promise<EventStream> {
    const stream = new EventStream();
    streams.push(stream);
    const response = await fetch(`${url}events`, { signal: stream.#abort.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    void stream.#read(response).catch(() => undefined);
    await stream.event('hello');
    return stream;
  }

  async event(type: string): Promise<Record<string, unknown>> {
    const find = () => this.events.find((one) => one['type'] === type);
    await until(() => find() !== undefined, `${type} on the page`);
    return find()!;
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    let pending = '';
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (pending + part).split('\n\n');
      pending = blocks.pop() ?? '';
      for (const block of blocks.filter((one) => one.startsWith('data: '))) {
        this.events.push(JSON.parse(block.slice('data: '.length)) as Record<string, unknown>);
      }
    }
    this.isOver = true;
  }
}

const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

/** As a browser sends it that was led astray: with any Host. */
const getAs = (host: string, path = '/'): Promise<number> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(url);
    request({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });

describe('the page of the rehearsal phone', () => {
  it('is served on localhost, with a policy that lets nothing else in', async () => {
    expect(url).toMatch(/^http:\/\/localhost:\d+\/$/);
    const response = await fetch(url);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self';/);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const html = await response.text();
    for (const [, name] of html.matchAll(/(?:href|src)="\/?([\w/]+\.css)"/g)) {
      expect((await fetch(url + (name ?? ''))).headers.get('content-type')).toBe('text/css; charset=utf-8');
    }
    // Inline code would not run under the policy.
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|<style|style="/);
  });

  it.each([
    'phone/../../../package.json',
    'phone/%2e%2e/%2e%2e/package.json',
    'dashboard/index.html',
    'phone/phone.ts',
  ])('has no file %s', async (path) => {
    expect((await fetch(url + path)).status).toBe(404);
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80', '192.0.2.1'])(
    'is refused for the name %j, as of a site that had it bound to this address',
    async (host) => {
      expect(await getAs(host)).toBe(403);
      expect(await getAs(host, '/events')).toBe(403);
    },
  );

  it.each([
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'content-type': 'text/plain' }],
    [{ 'content-type': 'application/x-www-form-urlencoded' }],
  ])('refuses what another site’s page can send: %j', async (headers) => {
    expect((await post('permission', { status: 'permanent' }, headers)).status).toBe(403);
    expect(phone.permission).toBe('no_permission');
  });

  it('is greeted with who it is; a second page takes over from the first, whose calls end', async () => {
    const first = await EventStream.open();
    expect(first.events[0]).toEqual({
      type: 'hello',
      business: '+12025550142',
      user: `+${user}`,
      permission: 'no_permission',
      canRing: true,
    });
    const { body } = await post('calls', { sdp: browserSdp() });
    const second = await EventStream.open();
    await until(() => first.isOver, 'the end of the first page');
    expect(exchange.calls.find(body['call']).state).toBe('ended');
    await post('permission', { status: 'temporary' });
    await second.event('permission');
    expect(first.events.map(({ type }) => type)).toEqual(['hello']);
  });

  it('that is closed ends its call', async () => {
    const stream = await EventStream.open();
    const { body } = await post('calls', { sdp: browserSdp() });
    stream.close();
    await until(() => exchange.calls.find(body['call']).state === 'ended', 'the end of the call');
    expect(phone.tell).toBeUndefined();
  });

  it('shows the steps between Meta and the bridge', async () => {
    const stream = await EventStream.open();
    page.show({ from: 'Meta', text: 'webhook connect: answered 200' });
    expect(await stream.event('step')).toMatchObject({ from: 'Meta', text: 'webhook connect: answered 200' });
  });
});

describe('what the page asks for', () => {
  it('prepares, calls and hangs up', async () => {
    const stream = await EventStream.open();
    const prepared = await post('prepare', { sdp: browserSdp() });
    expect(prepared).toMatchObject({ status: 200, body: { sdp: expect.stringContaining('a=ice-lite') as string } });
    const { body } = await post('calls', { sdp: browserSdp() });
    expect(await post('call/hangup', { call: body['call'] })).toEqual({ status: 200, body: {} });
    expect(await stream.event('ended')).toMatchObject({ call: body['call'], why: 'You hung up' });
  });

  it('answers a call of the business, which rings, and picks it up', async () => {
    const stream = await EventStream.open();
    await post('permission', { status: 'permanent' });
    const call = exchange.connect(user, browserSdp(), undefined);
    expect(await stream.event('incoming')).toMatchObject({ call: call.id });
    expect((await post('call/answer', { call: call.id, sdp: browserSdp('active') })).status).toBe(200);
    expect((await post('call/accept', { call: call.id })).status).toBe(200);
    await stream.event('accepted');
    expect(call.state).toBe('accepted');
    expect((await post('call/failed', { call: call.id })).status).toBe(200);
    expect(await stream.event('ended')).toMatchObject({ why: expect.stringContaining('138020') as string });
  });

  it.each<[string, unknown, number, RegExp]>([
    ['calls', {}, 400, /^sdp is missing$/],
    ['calls', { sdp: 7 }, 400, /^sdp is missing$/],
    ['calls', null, 400, /^sdp is missing$/],
    ['calls', { sdp: 'hello' }, 400, /^SDP: /],
    ['calls', '{', 400, /JSON/],
    ['call/hangup', { call: 'wacid.none' }, 404, /no such call/],
    ['call/accept', {}, 400, /^call is missing$/],
    ['call/applied', { call: 'wacid.none' }, 200, /^undefined$/],
    ['permission', { status: 'for ever' }, 400, /^status is temporary, permanent or no_permission$/],
    ['no-such-thing', {}, 404, /not found/i],
  ])('%s with %j: %i', async (path, body, status, text) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(status);
    expect(String(answer.body['error'] ?? answer.body['message'])).toMatch(text);
  });

  it('takes no body beyond what a description may be', async () => {
    expect((await post('calls', { sdp: 'x'.repeat(300_000) })).status).toBe(413);
  });

  it('hears what Meta would refuse, as 409', async () => {
    await post('calls', { sdp: browserSdp() });
    const second = await post('calls', { sdp: browserSdp() });
    expect(second).toMatchObject({ status: 409, body: { error: expect.stringContaining('138003') as string } });
  });

  it('lets the built-in PBX ring, and says why that did not work', async () => {
    expect((await post('ring-me', {})).status).toBe(200);
    expect(rings).toBe(1);
    await page.close();
    await open(() => Promise.reject(new Error('the bridge refused the PBX’s call with 403')));
    expect(await post('ring-me', {})).toMatchObject({
      status: 500,
      body: { error: expect.stringContaining('403') as string },
    });
  });

  it('with a PBX of one’s own there is nothing to ring', async () => {
    await page.close();
    await open();
    expect((await EventStream.open()).events[0]).toMatchObject({ canRing: false });
    expect(await post('ring-me', {})).toMatchObject({ status: 409 });
  });
});
