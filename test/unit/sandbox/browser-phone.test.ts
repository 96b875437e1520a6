import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { WaCall } from '../../../src/sandbox/graph/call-book.js';
import { Exchange } from '../../../src/sandbox/graph/exchange.js';
import { BrowserPhone, type PageEvent } from '../../../src/sandbox/rehearsal/browser-phone.js';
import { browserSdp } from '../../support/browser-sdp.js';
import { settled } from '../../support/eventually.js';

const user = '12025550173';
const candidate = 'a=candidate:1 1 udp 2113937151 192.0.2.9 4000 typ host\r\n';

let clock: FakeClock;
let exchange: Exchange;
let phone: BrowserPhone;
/** Names of the webhooks that went out. */
let webhooks: string[];
let told: PageEvent[];

beforeEach(() => {
  clock = new FakeClock();
  webhooks = [];
  told = [];
  exchange = new Exchange({
    number: { id: '105615555715855', digits: '12025550142' },
    clock,
    send: ({ name }) => webhooks.push(name),
    answerWindowMs: 60_000,
  });
  phone = new BrowserPhone(exchange, user, 'Rehearsal');
  phone.tell = (event) => told.push(event);
});
afterEach(() => {
  exchange.stop();
  expect(clock.armed).toBe(0);
});

const types = (): string[] => told.map(({ type }) => type);
const refused = (status: number, text: RegExp): unknown =>
  expect.objectContaining({ code: 'SIP2WA_SANDBOX_PAGE', status, message: expect.stringMatching(text) as string });
/** What a call throws. */
const thrown = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe('a call from the page', () => {
  const dialled = (): WaCall => exchange.calls.find(phone.call(browserSdp()));

  it('goes out as a connect webhook, and both may talk once the business has answered and the page has set its answer', async () => {
    const call = dialled();
    expect(webhooks).toEqual(['connect']);
    const answer = browserSdp('active').replace('a=ice-ufrag', `${candidate}a=ice-ufrag`);
    let isPreAccepted = false;
    const preAccept = exchange.preAccept(call, answer).then(() => (isPreAccepted = true));
    await settled();
    expect(isPreAccepted).toBe(false);
    const [event] = told;
    expect(event).toMatchObject({ type: 'answer', call: call.id });
    // An address in an SDP must never make the browser send to it.
    expect((event as { sdp: string }).sdp).not.toContain('a=candidate');
    phone.applied(call.id);
    await preAccept;
    await exchange.accept(call, answer, undefined);
    expect(types()).toEqual(['answer', 'accepted']);
    phone.hangUp(call.id);
    expect(told.slice(2)).toEqual([
      { type: 'ended', call: call.id, why: 'You hung up' },
      { type: 'permission', status: 'no_permission' },
    ]);
    expect(webhooks).toEqual(['connect', 'terminate']);
  });

  it('is one at a time', () => {
    dialled();
    expect(thrown(() => phone.call(browserSdp()))).toMatchObject({ code: 138003 });
  });

  it.each([
    ['nothing of an SDP', 'hello'],
    ['no address, as before the microphone is allowed', browserSdp().replace(/a=candidate.*\r\n/, '')],
  ])('is refused with 400 for %s', (_, sdp) => {
    expect(thrown(() => phone.call(sdp))).toEqual(refused(400, /^SDP: /));
    expect(webhooks).toEqual([]);
  });

  it('prepares the page’s own offer with the traits of Meta’s, or refuses what is none', () => {
    const prepared = phone.prepare(browserSdp());
    expect(prepared).toContain('a=ice-lite');
    expect(prepared).toContain('a=mid:audio');
    expect(prepared).not.toMatch(/red\/48000|PCMU/);
    expect(thrown(() => phone.prepare('hello'))).toEqual(refused(400, /^SDP: /));
  });

  it.each<[string, (call: WaCall) => void, string]>([
    ['the business declines', (call) => exchange.reject(call), 'The business declined'],
    ['the business hangs up', (call) => exchange.terminate(call), 'The business hung up'],
    ['nobody answers', () => clock.advance(60_000), 'Nobody answered'],
    ['the browser has no media', (call) => phone.failed(call.id), 'Client could not reach the relay (138020)'],
  ])('ends when %s', (_, end, why) => {
    const call = dialled();
    end(call);
    expect(told[0]).toEqual({ type: 'ended', call: call.id, why });
    expect(webhooks).toEqual(['connect', 'terminate']);
    expect(thrown(() => phone.hangUp(call.id))).toEqual(refused(404, /no such call/));
  });

  it('that ends while the page sets the answer leaves nobody waiting', async () => {
    const call = dialled();
    const preAccept = exchange.preAccept(call, browserSdp('active'));
    phone.hangUp(call.id);
    await expect(preAccept).rejects.toMatchObject({ code: 138008 });
    phone.applied(call.id);
    phone.failed(call.id);
    expect(types()).toEqual(['answer', 'ended', 'permission']);
  });
});

describe('a call of the business', () => {
  const offered = (): WaCall => {
    phone.decide('permanent');
    told.length = webhooks.length = 0;
    return exchange.connect(user, browserSdp(), undefined);
  };

  it('rings once the page has answered the SDP; who picks up is heard of by webhook', async () => {
    const call = offered();
    expect(types()).toEqual(['incoming']);
    expect(webhooks).toEqual([]);
    phone.answer(call.id, browserSdp('active'));
    await settled();
    expect(webhooks).toEqual(['connect', 'RINGING']);
    phone.accept(call.id);
    expect(webhooks.at(-1)).toBe('ACCEPTED');
    expect(types()).toEqual(['incoming', 'accepted']);
  });

  it('can be declined', async () => {
    const call = offered();
    phone.answer(call.id, browserSdp('active'));
    await settled();
    phone.decline(call.id);
    expect(webhooks.slice(2)).toEqual(['REJECTED', 'terminate']);
    expect(told[1]).toEqual({ type: 'ended', call: call.id, why: 'Declined' });
  });

  it('fails with no page open: the user is offline', async () => {
    phone.tell = undefined;
    const call = offered();
    await settled();
    expect(call.end).toMatchObject({ by: 'network', error: { code: 138008 } });
  });

  it('fails when the page does not answer within 15 s', async () => {
    vi.useFakeTimers();
    try {
      const call = offered();
      await vi.advanceTimersByTimeAsync(14_900);
      expect(call.state).toBe('offered');
      await vi.advanceTimersByTimeAsync(200);
      expect(call.end).toMatchObject({
        error: { code: 138008, details: expect.stringContaining('15000 ms') as string },
      });
    } finally {
      vi.useRealTimers();
    }
  });

  it('takes one answer, to what was asked, in a call that is there', async () => {
    const call = offered();
    expect(thrown(() => phone.answer(call.id, 'hello'))).toEqual(refused(400, /^SDP: /));
    phone.answer(call.id, browserSdp('active'));
    await settled();
    expect(thrown(() => phone.answer('wacid.none', browserSdp('active')))).toEqual(refused(404, /no such call/));
    const own = exchange.calls.all().at(-1);
    expect(own).toBe(call);
    expect(webhooks).toEqual(['connect', 'RINGING']);
  });
});

describe('the page itself', () => {
  it('is told of permission, and when the business asks for it', () => {
    phone.decide('temporary');
    expect(phone.permission).toBe('temporary');
    clock.advance(7 * 86_400_000);
    expect(phone.permission).toBe('no_permission');
    exchange.askPermission(user, 'May we call you?');
    expect(told).toEqual([
      { type: 'permission', status: 'temporary' },
      { type: 'asked', text: 'May we call you?' },
    ]);
    expect(webhooks).toEqual(['message']);
  });

  it('ends its calls when it goes, and is told nothing more', () => {
    const call = exchange.calls.find(phone.call(browserSdp()));
    phone.leave();
    expect(call.state).toBe('ended');
    expect(told).toEqual([]);
  });

  it('hears that nothing is awaited of a call of its own', () => {
    const id = phone.call(browserSdp());
    expect(thrown(() => phone.answer(id, browserSdp('active')))).toEqual(refused(409, /nothing is awaited/));
  });
});
