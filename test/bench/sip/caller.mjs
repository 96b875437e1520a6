import { createSocket } from 'node:dgram';
import { randomBytes } from 'node:crypto';
import { ack, bye, invite, isWhole, statusOf, valueOf } from './messages.mjs';
import { atRate } from './pace.mjs';
import { bindClient, percentile, Tally } from './sampling.mjs';

const HOLD_MS = 200;
const RESEND_SCAN_MS = 20;
/** A call that takes longer than this has failed. The server's own limit is 64·T1. */
const PATIENCE_MS = 8_000;
/** A trial is over when calls wait for their answer for about this long. */
const HOPELESS_MS = 400;
const T1_MS = 500;
const T2_MS = 4000;

/**
 * A PBX that calls: INVITE, 100, 200, ACK, a pause, BYE, 200, each call with a Call-ID of its own. Requests are repeated
 * as RFC 3261 §17.1 has it, and every answer is checked: what is not as it must be counts as a failed call.
 */
export class Caller {
  #socket;
  #target;
  #calls = new Map();
  #held = [];
  #sequence = 0;
  #nextScanMs = 0;
  #tally = new Tally();
  #run = randomBytes(4).toString('hex');
  /** Bytes of the answers to one call, by the method they answer: what the echo imitates. */
  answerSizes;

  constructor(socket, target) {
    this.#socket = socket;
    this.#target = target;
    socket.on('message', (bytes) => this.#receive(bytes));
  }

  static async start(port) {
    return new Caller(await bindClient(createSocket, port), `127.0.0.1:${port}`);
  }

  close() {
    this.#socket.close();
  }

  /**
   * Calls at this rate for so long; resolves when every call is over. With `isTrial` it stops once the server has fallen
   * behind for good, so that no call is lost to the search for its limit.
   */
  async load({ perSecond, seconds, isTrial = false }) {
    const tally = (this.#tally = new Tally());
    const mostUnderWay = isTrial ? (perSecond * (HOLD_MS + HOPELESS_MS)) / 1000 : Infinity;
    const begunMs = await atRate({
      perSecond,
      seconds,
      begin: (nowMs) => this.#begin(nowMs),
      tick: (nowMs) => this.#tick(nowMs),
      isBusy: () => this.#calls.size > 0,
      patienceMs: PATIENCE_MS,
      isHopeless: () => this.#calls.size > mostUnderWay,
    });
    for (const call of [...this.#calls.values()]) this.#fail(call, `no answer to ${call.phase}`);
    this.#held.length = 0;
    const answersMs = tally.answersMs.sort((a, b) => a - b);
    return {
      offered: tally.offered,
      completed: tally.completed,
      failed: tally.failed,
      failures: Object.fromEntries(tally.failures),
      repeatedByUs: tally.repeatedByUs,
      repeatedByServer: tally.repeatedByServer,
      stray: tally.stray,
      perSecond: (1000 * tally.completed) / Math.max(begunMs, tally.spanMs - HOLD_MS),
      answerMs: { p50: percentile(answersMs, 0.5), p99: percentile(answersMs, 0.99), max: answersMs.at(-1) ?? 0 },
    };
  }

  #begin(nowMs) {
    const key = `${this.#run}${(this.#sequence++).toString(36)}`;
    const { port } = this.#socket.address();
    const call = {
      key,
      here: `127.0.0.1:${port}`,
      number: String(10_000_000 + (this.#sequence % 90_000_000)),
      callId: `${key}@bench.invalid`,
      fromTag: `f${key}`,
      uri: `sip:+49301234567@${this.#target}`,
      target: '',
      to: '',
      phase: 'INVITE',
      isTrying: false,
      request: undefined,
      startMs: nowMs,
      resendMs: nowMs + T1_MS,
      intervalMs: T1_MS,
      acked: undefined,
      sizes: { INVITE: [], ACK: [], BYE: [] },
    };
    this.#calls.set(call.callId, call);
    this.#tally.begin(nowMs);
    this.#request(call, invite(call));
  }

  #request(call, bytes) {
    call.request = bytes;
    this.#socket.send(bytes);
  }

  #tick(nowMs) {
    let due = 0;
    while (due < this.#held.length && this.#held[due].byeMs <= nowMs) {
      const { call } = this.#held[due];
      due += 1;
      if (!this.#calls.has(call.callId)) continue;
      call.phase = 'BYE';
      call.intervalMs = T1_MS;
      call.resendMs = nowMs + T1_MS;
      this.#request(call, bye(call));
    }
    if (due > 0) this.#held.splice(0, due);
    if (nowMs >= this.#nextScanMs) this.#scan(nowMs);
  }

  /** Timers A and E (RFC 3261 §17.1.1.2, §17.1.2.2), for all calls at once. */
  #scan(nowMs) {
    this.#nextScanMs = nowMs + RESEND_SCAN_MS;
    for (const call of this.#calls.values()) {
      if (nowMs - call.startMs > PATIENCE_MS) this.#fail(call, `no answer to ${call.phase}`);
      else if (nowMs >= call.resendMs) {
        call.intervalMs *= 2;
        if (call.phase === 'BYE') call.intervalMs = Math.min(call.intervalMs, T2_MS);
        call.resendMs = nowMs + call.intervalMs;
        this.#tally.repeatedByUs += 1;
        this.#socket.send(call.request);
      }
    }
  }

  #receive(bytes) {
    const message = bytes.toString('latin1');
    const call = this.#calls.get(valueOf(message, 'Call-ID'));
    const status = statusOf(message);
    if (!call || status === 0) return this.#tally.onStray();
    const method = valueOf(message, 'CSeq').slice(2);
    if (!isWhole(message)) return this.#fail(call, 'damaged answer');
    call.sizes[method]?.push(bytes.length);
    if (method === 'INVITE') return this.#onInviteAnswer(call, status, message);
    if (method !== 'BYE' || call.phase !== 'BYE') return this.#fail(call, `unexpected answer to ${method}`);
    if (status !== 200) return this.#fail(call, `${status} to BYE`);
    if (valueOf(message, 'To') !== call.to) return this.#fail(call, 'another To in the answer to BYE');
    this.#calls.delete(call.callId);
    if (call.sizes.INVITE.length === 2) this.answerSizes = call.sizes;
    this.#tally.complete();
  }

  #onInviteAnswer(call, status, message) {
    if (status < 200) {
      if (status === 100) call.isTrying = true;
      if (call.phase === 'INVITE') call.resendMs = Infinity;
      return;
    }
    if (status !== 200) return this.#fail(call, `${status} to INVITE`);
    if (call.acked) {
      this.#tally.repeatedByServer += 1;
      this.#socket.send(call.acked);
      return;
    }
    const problem = problemOf(call, message);
    if (problem) return this.#fail(call, problem);
    const nowMs = performance.now();
    this.#tally.answersMs.push(nowMs - call.startMs);
    call.to = valueOf(message, 'To');
    call.target = valueOf(message, 'Contact').slice(1, -1);
    call.phase = 'ACK';
    call.resendMs = Infinity;
    call.acked = ack(call);
    this.#socket.send(call.acked);
    this.#held.push({ call, byeMs: nowMs + HOLD_MS });
  }

  #fail(call, reason) {
    this.#calls.delete(call.callId);
    this.#tally.fail(reason);
  }
}

/** What is wrong with a 200 to INVITE. */
function problemOf(call, message) {
  if (!call.isTrying) return '200 without 100 before it';
  if (!valueOf(message, 'To').startsWith(`<${call.uri}>;tag=`)) return '200 without To tag';
  if (!/^<sip:[^>]+>$/.test(valueOf(message, 'Contact'))) return '200 without Contact';
  return message.includes('\r\nm=audio ') ? undefined : '200 without SDP';
}
