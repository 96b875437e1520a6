import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { boundSocket } from './bound-socket.js';
import { PEER_SDP, PeerMessage, type PeerAddress } from './sip-script-peer.js';
import { sipText } from './sip-text.js';

/** Timers of RFC 3261 §17, milliseconds. */
export interface PhoneTimers {
  readonly t1Ms: number;
  readonly t2Ms: number;
}

/** One call as the telephone sees it. */
export class PhoneCall {
  /** How it stands on this side. */
  state: 'calling' | 'up' | 'refused' | 'ended' = 'calling';
  /** Answers to INVITE sent, ACKs heard (callee). */
  answered = false;
  acknowledged = false;
  finalStatus = 0;
  remote = { target: '', to: '', from: '' };
  cseq = 1;
  cancelled = false;
  ringing = false;

  constructor(
    readonly callId: string,
    readonly peer: PeerAddress,
    readonly invite: PeerMessage,
    readonly incoming: boolean,
  ) {}
}

/**
 * A telephone on UDP that keeps the rules: it repeats what is not answered (RFC 3261 §17), repeats its 200 until the ACK
 * comes (§13.3.1.4) and its ACK for each 200 (§13.2.2.4). It shares no code with the server under test.
 */
export class SipPhone {
  readonly calls = new Map<string, PhoneCall>();
  /** What is done with an incoming call; default: ring and answer. */
  onCall: (call: PhoneCall) => void = (call) => this.answer(call);
  readonly #repeats = new Map<string, NodeJS.Timeout>();
  readonly #answers = new Map<string, string>();
  readonly #acks = new Map<string, { readonly text: string; readonly to: PeerAddress }>();
  #closed = false;

  private constructor(
    private readonly socket: Socket,
    private readonly timers: PhoneTimers,
  ) {
    socket.on('message', (bytes, from) => {
      const message = new PeerMessage(bytes.toString(), { host: from.address, port: from.port }, undefined, 0);
      if (message.status === undefined) this.#request(message);
      else this.#response(message);
    });
  }

  static async open(timers: PhoneTimers): Promise<SipPhone> {
    const socket = await boundSocket();
    return new SipPhone(socket, timers);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Calls under way on this side. */
  get live(): number {
    return [...this.calls.values()].filter(({ state }) => state === 'calling' || state === 'up').length;
  }

  call(uri: string, peer: PeerAddress): PhoneCall {
    const callId = `${randomBytes(8).toString('hex')}@phone`;
    const text = this.#text('INVITE', uri, 1, [
      `From: <sip:phone@127.0.0.1:${this.port}>;tag=${randomBytes(4).toString('hex')}`,
      `To: <${uri}>`,
      `Call-ID: ${callId}`,
    ]);
    const invite = new PeerMessage(text, peer, undefined, 0);
    const call = new PhoneCall(callId, peer, invite, false);
    this.calls.set(callId, call);
    this.#repeat(`${invite.branch}|INVITE`, text, peer, Number.POSITIVE_INFINITY);
    return call;
  }

  /** Gives up a call: CANCEL, or BYE if it was answered meanwhile. */
  cancel(call: PhoneCall): void {
    if (call.state === 'up') return this.hangUp(call);
    if (call.state !== 'calling') return;
    call.cancelled = true;
    const { invite } = call;
    const text = withoutBody(invite, `CANCEL ${invite.uri} SIP/2.0`, `CSeq: ${invite.cseq} CANCEL`, invite.get('To'));
    this.#repeat(`${invite.branch}|CANCEL`, text, call.peer, this.timers.t2Ms);
  }

  ring(call: PhoneCall): void {
    this.#answer(call.invite, 180, 'Ringing');
  }

  answer(call: PhoneCall): void {
    if (call.state !== 'calling') return;
    call.answered = true;
    call.state = 'up';
    const text = this.#answer(call.invite, 200, 'OK', PEER_SDP);
    this.#repeat(`${call.callId}|200`, text, call.peer, this.timers.t2Ms, false);
  }

  hangUp(call: PhoneCall): void {
    if (call.state !== 'up') return;
    call.state = 'ended';
    this.#stop(`${call.callId}|200`);
    const { target, from, to } = call.remote;
    const headers = [`From: ${from}`, `To: ${to}`, `Call-ID: ${call.callId}`];
    const text = this.#text('BYE', target, ++call.cseq, headers);
    const { branch } = new PeerMessage(text, call.peer, undefined, 0);
    this.#repeat(`${branch}|BYE`, text, call.peer, this.timers.t2Ms);
  }

  /** Requests that are still repeated. */
  get waiting(): number {
    return this.#repeats.size;
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#repeats.values()) clearTimeout(timer);
    this.socket.close();
  }

  #request(request: PeerMessage): void {
    if (request.method === 'ACK') return this.#acked(request);
    const key = `${request.branch}|${request.method}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return this.#send(known, request.from);
    const call = this.calls.get(request.get('Call-ID'));
    if (request.method === 'INVITE' && !call) return this.#called(request);
    if (request.method === 'CANCEL') return this.#cancelled(request, call);
    if (!call) return void this.#answer(request, 481, 'Unknown Call');
    if (request.method === 'BYE') {
      this.#stop(`${call.callId}|200`);
      call.state = 'ended';
    }
    this.#answer(request, 200, 'OK');
  }

  #called(invite: PeerMessage): void {
    const call = new PhoneCall(invite.get('Call-ID'), invite.from, invite, true);
    this.calls.set(call.callId, call);
    call.remote = { target: invite.contactUri, from: `${invite.get('To')};tag=${TAG}`, to: invite.get('From') };
    this.#answer(invite, 100, 'Trying');
    this.ring(call);
    this.onCall(call);
  }

  #cancelled(cancel: PeerMessage, call: PhoneCall | undefined): void {
    this.#answer(cancel, call ? 200 : 481, call ? 'OK' : 'Unknown Call');
    if (call?.state !== 'calling') return;
    call.state = 'refused';
    const text = this.#answer(call.invite, 487, 'Request Terminated');
    this.#repeat(`${call.callId}|200`, text, call.peer, this.timers.t2Ms, false);
  }

  #acked(ack: PeerMessage): void {
    const call = this.calls.get(ack.get('Call-ID'));
    if (!call) return;
    call.acknowledged = true;
    this.#stop(`${call.callId}|200`);
  }

  #response(response: PeerMessage): void {
    const method = response.get('CSeq').split(' ')[1] ?? '';
    const key = `${response.branch}|${method}`;
    const status = response.status ?? 0;
    // A provisional answer ends the repeating of an INVITE, of others not (RFC 3261 §17.1.1.2, §17.1.2.2).
    if (status >= 200 || method === 'INVITE') this.#stop(key);
    const call = this.calls.get(response.get('Call-ID'));
    if (method !== 'INVITE' || !call) return;
    if (status < 200) call.ringing ||= status === 180;
    else if (status < 300) this.#callAnswered(call, response);
    else this.#callRefused(call, response);
  }

  #callAnswered(call: PhoneCall, ok: PeerMessage): void {
    const known = this.#acks.get(call.callId);
    if (known) return this.#send(known.text, known.to);
    call.finalStatus = ok.status ?? 0;
    call.state = 'up';
    call.remote = { target: ok.contactUri, from: ok.get('From'), to: ok.get('To') };
    const headers = [`From: ${ok.get('From')}`, `To: ${ok.get('To')}`, `Call-ID: ${call.callId}`];
    const ack = { text: this.#text('ACK', ok.contactUri, call.invite.cseq, headers), to: call.peer };
    this.#acks.set(call.callId, ack);
    this.#send(ack.text, ack.to);
    if (call.cancelled) this.hangUp(call);
  }

  #callRefused(call: PhoneCall, response: PeerMessage): void {
    call.finalStatus = response.status ?? 0;
    if (call.state === 'calling') call.state = 'refused';
    const { invite } = call;
    const line = `ACK ${invite.uri} SIP/2.0`;
    this.#send(withoutBody(invite, line, `CSeq: ${invite.cseq} ACK`, response.get('To')), call.peer);
  }

  #answer(request: PeerMessage, status: number, reason: string, body = ''): string {
    const to = request.get('To');
    const text = sipText(
      `SIP/2.0 ${status} ${reason}`,
      [
        ...request.all('Via').map((value) => `Via: ${value}`),
        `From: ${request.get('From')}`,
        `To: ${/;tag=/.test(to) || status === 100 ? to : `${to};tag=${TAG}`}`,
        `Call-ID: ${request.get('Call-ID')}`,
        `CSeq: ${request.get('CSeq')}`,
        `Contact: <sip:phone@127.0.0.1:${this.port}>`,
      ],
      body,
    );
    this.#answers.set(`${request.branch}|${request.method}`, text);
    this.#send(text, request.from);
    return text;
  }

  #text(method: string, uri: string, cseq: number, headers: readonly string[]): string {
    const body = method === 'INVITE' ? PEER_SDP : '';
    return sipText(
      `${method} ${uri} SIP/2.0`,
      [
        `Via: SIP/2.0/UDP 127.0.0.1:${this.port};rport;branch=z9hG4bK${randomBytes(8).toString('hex')}`,
        'Max-Forwards: 70',
        ...headers,
        `CSeq: ${cseq} ${method}`,
        `Contact: <sip:phone@127.0.0.1:${this.port}>`,
      ],
      body,
    );
  }

  /** Sends at once (if `now`), then at T1, 2·T1, … up to `mostMs` apart, until stopped or 64·T1 have passed. */
  #repeat(key: string, text: string, to: PeerAddress, mostMs: number, now = true): void {
    if (now) this.#send(text, to);
    const endMs = performance.now() + 64 * this.timers.t1Ms;
    const arm = (delayMs: number): void => {
      const next = setTimeout(() => {
        if (performance.now() > endMs) return void this.#repeats.delete(key);
        this.#send(text, to);
        arm(Math.min(2 * delayMs, mostMs));
      }, delayMs);
      this.#repeats.set(key, next);
    };
    this.#stop(key);
    arm(this.timers.t1Ms);
  }

  #stop(key: string): void {
    clearTimeout(this.#repeats.get(key));
    this.#repeats.delete(key);
  }

  #send(text: string, to: PeerAddress): void {
    if (!this.#closed) this.socket.send(text, to.port, to.host);
  }
}

const TAG = 'phone';

/** CANCEL, or the ACK to a refusal: what belongs to the INVITE's own transaction. */
const withoutBody = (invite: PeerMessage, startLine: string, cseq: string, to: string): string =>
  [
    startLine,
    `Via: ${invite.get('Via')}`,
    'Max-Forwards: 70',
    `From: ${invite.get('From')}`,
    `To: ${to}`,
    `Call-ID: ${invite.get('Call-ID')}`,
    cseq,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
