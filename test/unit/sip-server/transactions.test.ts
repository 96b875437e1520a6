import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { SipResponse } from '../../../src/sip-server/sip/message.js';
import { NO_BODY } from '../../../src/sip-server/sip/message.js';
import { DEFAULT_TIMERS } from '../../../src/sip-server/timers.js';
import type { ReceivedResponse } from '../../../src/sip-server/transaction/invite-client.js';
import { EndedTransactions } from '../../../src/sip-server/transaction/ended-transactions.js';
import type { TransactionEnvironment } from '../../../src/sip-server/transaction/environment.js';
import { InviteClientTransaction } from '../../../src/sip-server/transaction/invite-client.js';
import { InviteServerTransaction } from '../../../src/sip-server/transaction/invite-server.js';
import { NonInviteClientTransaction } from '../../../src/sip-server/transaction/non-invite-client.js';
import { NonInviteServerTransaction } from '../../../src/sip-server/transaction/non-invite-server.js';
import { TwoHundred } from '../../../src/sip-server/dialog/two-hundred.js';
import type { Flow } from '../../../src/sip-server/transport/flow.js';

/** A flow that notes what is sent, and when. */
class NotedFlow implements Flow {
  readonly protocol;
  readonly remote = { host: '192.0.2.1', port: 5060 };
  readonly local = { host: '192.0.2.2', port: 5060 };
  readonly sent: { text: string; atMs: number }[] = [];
  open = true;
  released = 0;
  #failed: ((error: Error) => void) | undefined;

  constructor(
    private readonly clock: FakeClock,
    readonly reliable: boolean,
  ) {
    this.protocol = reliable ? ('tcp' as const) : ('udp' as const);
  }

  send(bytes: Buffer): void {
    this.sent.push({ text: bytes.toString(), atMs: this.clock.monotonicMs() });
  }

  onFailure(callback: (error: Error) => void): () => void {
    this.#failed = callback;
    return () => (this.#failed = undefined);
  }

  fail(): void {
    this.#failed?.(new Error('unreachable'));
  }

  release(): void {
    this.released++;
  }

  /** When this text left, milliseconds. */
  times(text: string): number[] {
    return this.sent.filter((entry) => entry.text === text).map((entry) => entry.atMs);
  }
}

class NotedUser {
  readonly txn = 'txn';
  readonly events: string[] = [];
  onResponse = ({ message }: ReceivedResponse): void => void this.events.push(String(message.status));
  onTimeout = (): void => void this.events.push('timeout');
  onTransportError = (): void => void this.events.push('transport error');
  onAckTimeout = (): void => void this.events.push('no ACK');
  onAcknowledged = (): void => void this.events.push('acknowledged');
  onUnanswered = (): void => void this.events.push('unanswered');
  onTerminated = (): void => void this.events.push('terminated');
}

let clock: FakeClock;
let user: NotedUser;
let udp: NotedFlow;
let tcp: NotedFlow;
let ended: EndedTransactions;
const env = (): TransactionEnvironment => ({ clock, timers: DEFAULT_TIMERS, ended });
const request = Buffer.from('request');

function response(status: number, flow: Flow = udp): ReceivedResponse {
  const message: SipResponse = { kind: 'response', status, reason: '', version: '2.0', headers: [], body: NO_BODY };
  return { message, flow, byteLength: 1 };
}

beforeEach(() => {
  clock = new FakeClock();
  ended = new EndedTransactions(clock, DEFAULT_TIMERS);
  user = new NotedUser();
  udp = new NotedFlow(clock, false);
  tcp = new NotedFlow(clock, true);
});

describe('INVITE client transaction', () => {
  const begin = (flow: NotedFlow): InviteClientTransaction => {
    const buildAck = (message: SipResponse): Buffer => Buffer.from(`ack ${message.status}`);
    const transaction = new InviteClientTransaction(env(), { request, flow, buildAck, user });
    transaction.start();
    return transaction;
  };

  it('repeats the request at T1 and a little, then doubling, until timer B', () => {
    begin(udp);
    clock.advance(40_000);
    expect(udp.times('request')).toEqual([0, 540, 1540, 3540, 7540, 15540, 31540]);
    expect(user.events).toEqual(['timeout', 'terminated']);
    expect(udp.released).toBe(1);
    expect(clock.armed).toBe(0);
  });

  it('repeats nothing over a reliable transport, but times out the same', () => {
    begin(tcp);
    clock.advance(31_999);
    expect(user.events).toEqual([]);
    clock.advance(1);
    expect(tcp.times('request')).toEqual([0]);
    expect(user.events).toEqual(['timeout', 'terminated']);
  });

  it('is silent and patient once a provisional response came', () => {
    const transaction = begin(udp);
    clock.advance(600);
    transaction.receive(response(180));
    clock.advance(600_000);
    transaction.receive(response(183));
    expect(udp.times('request')).toEqual([0, 540]);
    expect(user.events).toEqual(['180', '183']);
    expect(clock.armed).toBe(0);
  });

  it('acknowledges a refusal, and each copy of it, until timer D', () => {
    const transaction = begin(udp);
    transaction.receive(response(486));
    clock.advance(1000);
    transaction.receive(response(486));
    transaction.receive(response(180));
    expect(udp.times('ack 486')).toEqual([0, 1000]);
    clock.advance(30_999);
    expect(user.events).toEqual(['486']);
    clock.advance(1);
    expect(user.events).toEqual(['486', 'terminated']);
  });

  it('is over at once after a refusal over a reliable transport', () => {
    const transaction = begin(tcp);
    transaction.receive(response(503, tcp));
    clock.advance(0);
    expect(user.events).toEqual(['503', 'terminated']);
    expect(tcp.times('ack 503')).toEqual([0]);
  });

  it('passes up every 2xx for 64·T1 and nothing else (RFC 6026)', () => {
    const transaction = begin(udp);
    transaction.receive(response(200));
    clock.advance(500);
    transaction.receive(response(200));
    transaction.receive(response(486));
    transaction.receive(response(180));
    clock.advance(31_499);
    expect(transaction.state).toBe('accepted');
    clock.advance(1);
    expect(user.events).toEqual(['200', '200', 'terminated']);
    expect(udp.sent).toHaveLength(1);
  });

  it('fails when the peer is unreachable, but not after it has answered', () => {
    begin(udp);
    udp.fail();
    expect(user.events).toEqual(['transport error', 'terminated']);
    user.events.length = 0;
    const alive = begin(tcp);
    alive.receive(response(100, tcp));
    tcp.fail();
    expect(user.events).toEqual(['100']);
  });

  it('fails on the next tick when the way is dead from the start', () => {
    udp.open = false;
    begin(udp);
    expect(user.events).toEqual([]);
    clock.advance(0);
    expect(user.events).toEqual(['transport error', 'terminated']);
    expect(clock.armed).toBe(0);
  });
});

describe('non-INVITE client transaction', () => {
  const begin = (flow: NotedFlow): NonInviteClientTransaction => {
    const transaction = new NonInviteClientTransaction(env(), { request, flow, user });
    transaction.start();
    return transaction;
  };

  it('repeats with doubling intervals up to T2, until timer F', () => {
    begin(udp);
    clock.advance(32_000);
    expect(udp.times('request')).toEqual([0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
    expect(user.events).toEqual(['timeout', 'terminated']);
    expect(clock.armed).toBe(0);
  });

  it('repeats every T2 after a provisional response, and still times out', () => {
    const transaction = begin(udp);
    clock.advance(600);
    transaction.receive(response(100));
    clock.advance(40_000);
    expect(udp.times('request').slice(0, 4)).toEqual([0, 500, 1500, 5500]);
    expect(user.events).toEqual(['100', 'timeout', 'terminated']);
  });

  it('absorbs copies of the final response for T4', () => {
    const transaction = begin(udp);
    transaction.receive(response(200));
    transaction.receive(response(200));
    clock.advance(4999);
    expect(user.events).toEqual(['200']);
    clock.advance(1);
    expect(user.events).toEqual(['200', 'terminated']);
    expect(udp.sent).toHaveLength(1);
  });

  it('neither repeats nor lingers over a reliable transport', () => {
    const transaction = begin(tcp);
    clock.advance(20_000);
    transaction.receive(response(200, tcp));
    clock.advance(0);
    expect(tcp.sent).toHaveLength(1);
    expect(user.events).toEqual(['200', 'terminated']);
  });

  it('fails when the peer is unreachable', () => {
    begin(udp);
    udp.fail();
    expect(user.events).toEqual(['transport error', 'terminated']);
    expect(clock.armed).toBe(0);
  });
});

describe('INVITE server transaction', () => {
  const respond = (transaction: InviteServerTransaction, status: number): void =>
    transaction.respond(status, Buffer.from(String(status)));

  it('answers copies of the INVITE with the last provisional response', () => {
    const transaction = new InviteServerTransaction(env(), udp, user);
    transaction.receiveAgain();
    respond(transaction, 100);
    transaction.receiveAgain();
    respond(transaction, 180);
    transaction.receiveAgain();
    expect(udp.sent.map((entry) => entry.text)).toEqual(['100', '100', '180', '180']);
  });

  it('repeats a refusal by timer G until the ACK, then absorbs for T4', () => {
    const transaction = new InviteServerTransaction(env(), udp, user);
    respond(transaction, 486);
    clock.advance(8000);
    expect(udp.times('486')).toEqual([0, 500, 1500, 3500, 7500]);
    transaction.receiveAgain();
    transaction.receiveAck();
    clock.advance(4999);
    transaction.receiveAgain();
    transaction.receiveAck();
    expect(udp.times('486')).toHaveLength(6);
    expect(transaction.refused).toBe(true);
    clock.advance(1);
    expect(user.events).toEqual(['acknowledged', 'terminated']);
    expect(clock.armed).toBe(0);
  });

  it('gives up a refusal that is never acknowledged at timer H', () => {
    const transaction = new InviteServerTransaction(env(), udp, user);
    respond(transaction, 603);
    clock.advance(32_000);
    expect(user.events).toEqual(['no ACK', 'terminated']);
    expect(Math.max(...udp.times('603').map((at, index, list) => at - (list[index - 1] ?? at)))).toBe(4000);
    expect(clock.armed).toBe(0);
  });

  it('repeats no refusal over a reliable transport', () => {
    const transaction = new InviteServerTransaction(env(), tcp, user);
    respond(transaction, 486);
    clock.advance(10_000);
    expect(tcp.sent).toHaveLength(1);
    transaction.receiveAck();
    clock.advance(0);
    expect(user.events).toEqual(['acknowledged', 'terminated']);
  });

  it('absorbs INVITE copies after a 2xx until timer L, and takes no second final response', () => {
    const transaction = new InviteServerTransaction(env(), udp, user);
    respond(transaction, 200);
    transaction.receiveAgain();
    respond(transaction, 486);
    transaction.receiveAck();
    expect(udp.sent.map((entry) => entry.text)).toEqual(['200']);
    expect(transaction.refused).toBe(false);
    clock.advance(32_000);
    expect(user.events).toEqual(['terminated']);
  });
});

describe('non-INVITE server transaction', () => {
  it('is silent to copies before an answer, and repeats the answer after, until timer J', () => {
    const transaction = new NonInviteServerTransaction(env(), udp, user);
    transaction.receiveAgain();
    transaction.respond(200, Buffer.from('200'));
    transaction.receiveAgain();
    transaction.respond(500, Buffer.from('500'));
    expect(udp.sent.map((entry) => entry.text)).toEqual(['200', '200']);
    clock.advance(31_999);
    expect(user.events).toEqual([]);
    clock.advance(1);
    expect(user.events).toEqual(['terminated']);
  });

  it('is forgotten without an answer after 64·T1: a late 408 would help nobody', () => {
    const transaction = new NonInviteServerTransaction(env(), udp, user);
    clock.advance(32_000);
    expect(user.events).toEqual(['unanswered', 'terminated']);
    transaction.respond(200, Buffer.from('200'));
    expect(udp.sent).toEqual([]);
  });

  it('is over at once over a reliable transport', () => {
    new NonInviteServerTransaction(env(), tcp, user).respond(200, Buffer.from('200'));
    clock.advance(0);
    expect(user.events).toEqual(['terminated']);
    expect(clock.armed).toBe(0);
  });
});

describe('the 2xx to an INVITE', () => {
  const begin = (flow: NotedFlow, onTimeout: () => void): TwoHundred => {
    const bytes = Buffer.from('200');
    const it = new TwoHundred({ ...env(), flow, bytes, seq: 1, ackTxn: 'x', onTimeout });
    it.start();
    return it;
  };

  it.each([false, true])(
    'is repeated up to T2, whatever the transport (reliable: %s), and given up after 64·T1',
    (reliable) => {
      const flow = reliable ? tcp : udp;
      const events: string[] = [];
      begin(flow, () => events.push('timeout'));
      clock.advance(40_000);
      expect(flow.times('200')).toEqual([500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
      expect(events).toEqual(['timeout']);
      expect(clock.armed).toBe(0);
    },
  );

  it('stops with the ACK and lets the waiting BYE go', () => {
    const events: string[] = [];
    const ok = begin(udp, () => events.push('timeout'));
    ok.whenDone(() => events.push('BYE'));
    clock.advance(600);
    ok.stop();
    clock.advance(60_000);
    expect(udp.times('200')).toEqual([500]);
    expect(events).toEqual(['BYE']);
  });

  it('lets a waiting BYE go at the timeout, in place of the server’s own', () => {
    const events: string[] = [];
    begin(udp, () => events.push('timeout')).whenDone(() => events.push('BYE'));
    clock.advance(60_000);
    expect(events).toEqual(['BYE']);
  });
});
