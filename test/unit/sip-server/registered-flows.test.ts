import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { RegisteredFlows } from '../../../src/sip-server/core/registered-flows.js';
import type { SipRequest, SipResponse } from '../../../src/sip-server/sip/message.js';
import { header, NO_BODY } from '../../../src/sip-server/sip/message.js';
import type { Flow } from '../../../src/sip-server/transport/flow.js';

const CONTACT = 'sip:100@192.168.1.10:5060;transport=tcp';
const ALICE = '<sip:alice@pbx.example>';
const BOB = '<sip:bob@pbx.example>';

/** A connection that counts who waits for its end. */
class FakeFlow implements Flow {
  readonly protocol = 'tcp';
  readonly local = { host: '127.0.0.1', port: 5060 };
  readonly remote: Flow['remote'];
  readonly #waiting = new Set<(error: Error) => void>();
  open = true;

  constructor(
    port: number,
    readonly reliable = true,
  ) {
    this.remote = { host: '10.0.0.1', port };
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  send(): void {
    throw new Error('nothing is sent here');
  }

  onFailure(callback: (error: Error) => void): () => void {
    this.#waiting.add(callback);
    return () => this.#waiting.delete(callback);
  }

  release(): void {
    throw new Error('nothing is lent here');
  }

  fail(): void {
    this.open = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const callback of waiting) callback(new Error('connection closed'));
  }
}

const request = (of: string, contact: string, more: Readonly<Record<string, string>> = {}): SipRequest => ({
  ...{ kind: 'request', method: 'REGISTER', uri: 'sip:pbx.example', version: '2.0', body: NO_BODY },
  headers: Object.entries({ From: `${of};tag=1`, To: of, Contact: contact, ...more }).map(([name, value]) =>
    header(name, value),
  ),
});

const answer = (headers: Readonly<Record<string, string>> = {}, status = 200): SipResponse => ({
  ...{ kind: 'response', status, reason: 'OK', version: '2.0', body: NO_BODY },
  headers: Object.entries(headers).map(([name, value]) => header(name, value)),
});

function table() {
  const clock = new FakeClock();
  const flows = new RegisteredFlows(clock);
  const register = (flow: Flow, of = ALICE, contact = `<${CONTACT}>`, expires = '600'): void =>
    flows.granted(request(of, contact, { Expires: expires }), answer(), flow);
  return { clock, flows, register };
}

describe('connections that were registered over', () => {
  it('are waited for once, however often the registration is refreshed, and not at all once it is over', () => {
    const { clock, flows, register } = table();
    const flow = new FakeFlow(1);
    for (let refresh = 0; refresh < 50; refresh++) register(flow);
    expect([flow.waiting, clock.armed, flows.size]).toEqual([1, 1, 1]);
    register(flow, ALICE, `<${CONTACT}>`, '0');
    expect([flow.waiting, clock.armed, flows.size]).toEqual([0, 0, 0]);
    register(flow);
    clock.advance(600_000);
    expect([flow.waiting, clock.armed, flows.size]).toEqual([0, 0, 0]);
    register(flow);
    flow.fail();
    expect([clock.armed, flows.size]).toEqual([0, 0]);
    register(new FakeFlow(2));
    flows.clear();
    expect([clock.armed, flows.size]).toEqual([0, 0]);
  });

  it('are left alone when the registration moves to another one, or to datagrams', () => {
    const { flows, register } = table();
    const [before, after] = [new FakeFlow(1), new FakeFlow(2)];
    register(before);
    register(after);
    expect(flows.to(CONTACT, ALICE)).toBe(after);
    expect(before.waiting).toBe(0);
    before.fail();
    expect(flows.to(CONTACT, ALICE)).toBe(after);
    register(new FakeFlow(3, false));
    expect([flows.to(CONTACT, ALICE), after.waiting]).toEqual([undefined, 0]);
  });

  it('are those of the address that is called, where two phones have the same private contact', () => {
    const { flows, register } = table();
    const [ofAlice, ofBob] = [new FakeFlow(1), new FakeFlow(2)];
    register(ofAlice);
    register(ofBob, BOB);
    expect(flows.to(CONTACT, '"Alice" <sip:alice@PBX.example:5060>;tag=9')).toBe(ofAlice);
    expect(flows.to(CONTACT, BOB)).toBe(ofBob);
    // Whose it is cannot be told: nobody gets the other's call.
    expect(flows.to(CONTACT, `<${CONTACT}>`)).toBeUndefined();
    expect(flows.to(CONTACT, undefined)).toBeUndefined();
    ofBob.fail();
    expect(flows.to(CONTACT, undefined)).toBe(ofAlice);
  });

  it('serve two addresses with one contact on one connection, whoever is called', () => {
    const { flows, register } = table();
    const flow = new FakeFlow(1);
    register(flow);
    register(new FakeFlow(1), BOB);
    expect(flows.to(CONTACT, undefined)).toBe(flow);
  });

  it('replace each other where the instance is the same, though its contact is another', () => {
    const { flows, register } = table();
    const moved = 'sip:100@192.168.1.10:5999;transport=tcp';
    const of = (uri: string, regId = 1): string => `<${uri}>;+sip.instance="<urn:uuid:1>";reg-id=${regId}`;
    const [before, after, second] = [new FakeFlow(1), new FakeFlow(2), new FakeFlow(3)];
    register(before, ALICE, of(CONTACT));
    register(after, ALICE, of(moved));
    expect([flows.to(CONTACT, ALICE), flows.to(moved, ALICE), flows.size]).toEqual([undefined, after, 1]);
    register(second, ALICE, of(moved, 2));
    expect(flows.size).toBe(2);
    second.fail();
    expect(flows.to(moved, ALICE)).toBe(after);
  });

  it('are all taken back by a Contact of *, those of others are not', () => {
    const { flows, register } = table();
    const flow = new FakeFlow(1);
    register(flow);
    register(flow, ALICE, '<sip:alice@10.0.0.9>');
    register(flow, BOB);
    register(flow, ALICE, '*', '0');
    expect(flows.size).toBe(1);
    expect(flows.to(CONTACT, BOB)).toBe(flow);
  });

  it.each<[string, Readonly<Record<string, string>>, string, Readonly<Record<string, string>>, number]>([
    ['the answer’s word on the contact', { Expires: '100' }, '', { Contact: `<${CONTACT}>;expires=60` }, 60],
    ['the answer’s word on all', { Expires: '100' }, '', { Expires: '70' }, 70],
    ['what the contact asks', { Expires: '100' }, ';expires=80', {}, 80],
    ['what the request asks', { Expires: '100' }, '', {}, 100],
    ['an hour', {}, '', {}, 3_600],
    ['nothing, when it is taken back', {}, ';expires=0', { Expires: '7200' }, 0],
  ])('last as long as %s', (_what, asked, params, told, seconds) => {
    const { clock, flows } = table();
    const flow = new FakeFlow(1);
    flows.granted(request(ALICE, `<${CONTACT}>${params}`, asked), answer(told), flow);
    clock.advance(seconds * 1_000 - 1);
    expect(flows.size).toBe(seconds > 0 ? 1 : 0);
    clock.advance(1);
    expect(flows.size).toBe(0);
  });

  it('are forgotten from the oldest on when there are too many', () => {
    const { clock, flows, register } = table();
    const flow = new FakeFlow(1);
    for (let index = 0; index < 10_001; index++) register(flow, ALICE, `<sip:${index}@10.0.0.9>`);
    expect([flows.size, flow.waiting, clock.armed]).toEqual([10_000, 10_000, 10_000]);
    expect(flows.to('sip:0@10.0.0.9', ALICE)).toBeUndefined();
    expect(flows.to('sip:10000@10.0.0.9', ALICE)).toBe(flow);
  });

  it('are not made of a refusal, of another method, or of one that is gone already', () => {
    const { flows, register } = table();
    const flow = new FakeFlow(1);
    flows.granted(request(ALICE, `<${CONTACT}>`), answer({}, 403), flow);
    flows.granted({ ...request(ALICE, `<${CONTACT}>`), method: 'INVITE' }, answer(), flow);
    flow.open = false;
    register(flow);
    expect([flows.size, flow.waiting]).toEqual([0, 0]);
  });
});
