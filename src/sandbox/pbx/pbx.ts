import { randomBytes } from 'node:crypto';
import { withDeadline } from '../../lib/deadline.js';
import type { G711Law } from '../audio/g711.js';
import type { Pcm } from '../audio/pcm.js';
import type { PbxAnswer, PbxBehaviour } from './pbx-behaviour.js';
import { PbxCall } from './pbx-call.js';
import type { DialogState } from './pbx-call.js';
import { dialogOf, refresh } from './pbx-dialog.js';
import { answerTo, pbxOffer, readAnswer } from './pbx-sdp.js';
import { RtpStream } from './rtp-stream.js';
import { header } from './sip-message.js';
import type { SipMessage } from './sip-message.js';
import { SipTransport } from './sip-transport.js';
import type { ClientTransaction, IncomingRequest, SipAddress } from './sip-transport.js';

export interface PbxOptions {
  /** Loopback address; default 127.0.0.1. */
  readonly host?: string;
  readonly port?: number;
  /** In order of preference. */
  readonly codecs?: readonly G711Law[];
  readonly onInvite?: (invite: SipMessage) => PbxBehaviour;
  /** Play back what is heard while nothing is being played. */
  readonly echo?: boolean;
}

export interface PbxDial {
  readonly to: SipAddress;
  /** User part of the Request-URI: the number dialled. */
  readonly user: string;
  readonly from?: string;
  readonly codecs?: readonly G711Law[];
  /** Sent instead of our own offer; an empty string sends an INVITE without SDP. */
  readonly sdp?: string;
  readonly headers?: readonly (readonly [string, string])[];
  /** The 200 is acknowledged only after so long. */
  readonly ackAfterMs?: number;
}

interface Incoming {
  readonly call: PbxCall;
  readonly request: IncomingRequest;
  readonly tag: string;
  timer: NodeJS.Timeout | undefined;
}

interface Outgoing {
  readonly branch: string;
  readonly dial: PbxDial;
  transaction: ClientTransaction | undefined;
  readonly ackTimers: NodeJS.Timeout[];
  cancelWanted: boolean;
  cancelled: boolean;
}

const ALLOW = ['Allow', 'INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE'] as const;

function newTag(): string {
  return randomBytes(4).toString('hex');
}

/**
 * A small SIP PBX on loopback: answers, refuses, stays silent, calls, hangs up, and plays and records G.711. It shares no
 * code with the daemon, so that each proves the other.
 */
export class Pbx {
  onInvite: (invite: SipMessage) => PbxBehaviour;
  readonly #calls = new Map<string, PbxCall>();
  readonly #incoming = new Map<PbxCall, Incoming>();
  readonly #outgoing = new Map<PbxCall, Outgoing>();
  readonly #ready: PbxCall[] = [];
  readonly #waiting: ((call: PbxCall) => void)[] = [];

  private constructor(
    readonly transport: SipTransport,
    private readonly options: PbxOptions,
  ) {
    this.onInvite = options.onInvite ?? (() => ({ do: 'answer' }));
    transport.onRequest = (request) => this.#request(request);
  }

  /** Binds a loopback socket. */
  static async start(options: PbxOptions = {}): Promise<Pbx> {
    return new Pbx(await SipTransport.bind(options.host, options.port), options);
  }

  get address(): SipAddress {
    return this.transport.address;
  }

  /** The next call that comes in, as soon as its INVITE is here. @throws DeadlineError */
  nextCall(deadlineMs: number): Promise<PbxCall> {
    const ready = this.#ready.shift();
    if (ready) return Promise.resolve(ready);
    const next = new Promise<PbxCall>((resolve) => {
      this.#waiting.push(resolve);
    });
    return withDeadline(next, deadlineMs, 'a call at the PBX');
  }

  /** Places a call; what becomes of it is on the handle. */
  async call(dial: PbxDial): Promise<PbxCall> {
    const rtp = await this.#openRtp();
    const call = new PbxCall('out', undefined, rtp, { hangup: (which) => this.#hangup(which) });
    const { host, port } = this.address;
    const uri = `sip:${dial.user}@${dial.to.host}:${dial.to.port}`;
    const dialog: DialogState = {
      callId: `${randomBytes(8).toString('hex')}@${host}`,
      local: `<sip:${dial.from ?? 'pbx'}@${host}:${port}>;tag=${newTag()}`,
      remote: `<${uri}>`,
      target: uri,
      routes: [],
      sequence: 1,
      nextHop: dial.to,
    };
    call.dialog = dialog;
    this.#calls.set(dialog.callId, call);
    const branch = `z9hG4bK${randomBytes(8).toString('hex')}`;
    const state: Outgoing = {
      branch,
      dial,
      transaction: undefined,
      ackTimers: [],
      cancelWanted: false,
      cancelled: false,
    };
    this.#outgoing.set(call, state);
    const body = dial.sdp ?? pbxOffer(host, rtp.port, dial.codecs ?? this.#codecs);
    const fields = [...this.#fields(dialog, 'INVITE'), this.#contact, ALLOW, ...(dial.headers ?? [])];
    const options = { destination: dial.to, body, branch };
    state.transaction = this.transport.request('INVITE', uri, fields, options, (response) =>
      this.#inviteResponse(call, state, response),
    );
    return call;
  }

  /** Ends all calls at once and closes the socket. */
  async stop(): Promise<void> {
    for (const { timer } of this.#incoming.values()) clearTimeout(timer);
    for (const { ackTimers } of this.#outgoing.values()) ackTimers.forEach((timer) => clearTimeout(timer));
    for (const call of this.#calls.values()) {
      call.hangup();
      call.over({ by: 'pbx', status: undefined, message: undefined });
    }
    this.#calls.clear();
    await this.transport.close();
  }

  get #codecs(): readonly G711Law[] {
    return this.options.codecs ?? ['PCMA', 'PCMU'];
  }

  get #contact(): readonly [string, string] {
    return ['Contact', `<sip:pbx@${this.address.host}:${this.address.port}>`];
  }

  async #openRtp(): Promise<RtpStream> {
    const rtp = await RtpStream.open(this.address.host);
    rtp.echo = this.options.echo ?? false;
    return rtp;
  }

  #fields(dialog: DialogState, method: string): (readonly [string, string])[] {
    return [
      ...dialog.routes.map((route) => ['Route', route] as const),
      ['From', dialog.local],
      ['To', dialog.remote],
      ['Call-ID', dialog.callId],
      ['CSeq', `${dialog.sequence} ${method}`],
    ];
  }

  #request(request: IncomingRequest): void {
    const { message } = request;
    const call = this.#calls.get(header(message, 'call-id'));
    if (message.method === 'INVITE' && !call) {
      void this.#invited(request);
      return;
    }
    if (message.method === 'OPTIONS' && !call) {
      this.transport.respond(request, 200, 'OK', { toTag: newTag(), fields: [ALLOW] });
      return;
    }
    if (call) this.#withinCall(call, request);
    else if (message.method !== 'ACK') {
      this.transport.respond(request, 481, 'Call/Transaction Does Not Exist', { toTag: newTag() });
    }
  }

  async #invited(request: IncomingRequest): Promise<void> {
    const { message } = request;
    const behaviour = this.onInvite(message);
    if (behaviour.do === 'silent') return;
    this.transport.respond(request, 100, 'Trying');
    const rtp = await this.#openRtp();
    const call = new PbxCall('in', message, rtp, { hangup: (which) => this.#hangup(which) });
    const incoming: Incoming = { call, request, tag: newTag(), timer: undefined };
    call.dialog = dialogOf(request, incoming.tag);
    this.#calls.set(header(message, 'call-id'), call);
    this.#incoming.set(call, incoming);
    const waiting = this.#waiting.shift();
    if (waiting) waiting(call);
    else this.#ready.push(call);
    this.#behave(incoming, behaviour);
  }

  #behave(incoming: Incoming, behaviour: Exclude<PbxBehaviour, { do: 'silent' }>): void {
    const { call, request, tag } = incoming;
    const early = behaviour.do === 'answer' ? behaviour.early : undefined;
    const rings = behaviour.do === 'ring' || (behaviour.do === 'answer' && behaviour.ring !== false);
    if (early) this.#progress(incoming, early);
    else if (rings) {
      this.transport.respond(request, 180, 'Ringing', { toTag: tag, fields: [this.#contact] });
      call.nowRinging(180);
    }
    if (behaviour.do === 'ring') return;
    const act = (): void => {
      if (behaviour.do === 'answer') this.#answer(incoming, behaviour);
      else this.#refuse(incoming, behaviour.status, behaviour.reason);
    };
    if (behaviour.afterMs === undefined) act();
    else incoming.timer = setTimeout(act, behaviour.afterMs);
  }

  /** 183 with SDP: what is played from now on is early media (RFC 3960). */
  #progress({ call, request, tag }: Incoming, early: Pcm): void {
    const answer = answerTo(request.message.body, this.address.host, call.rtp.port, this.#codecs);
    if (!answer) return;
    const fields = [this.#contact];
    this.transport.respond(request, 183, 'Session Progress', { toTag: tag, fields, body: answer.sdp });
    call.nowRinging(183);
    call.play(early);
    call.rtp.connect(answer.remote);
  }

  #answer(incoming: Incoming, behaviour: PbxAnswer): void {
    const { call, request, tag } = incoming;
    if (call.isEnded || call.isAnswered) return;
    speak(call, behaviour);
    const { host } = this.address;
    const offered = request.message.body !== '';
    const answer = offered ? answerTo(request.message.body, host, call.rtp.port, this.#codecs) : undefined;
    if (offered && !answer) {
      this.#refuse(incoming, 488, 'Not Acceptable Here');
      return;
    }
    const body = behaviour.bare ? '' : (answer?.sdp ?? pbxOffer(host, call.rtp.port, this.#codecs));
    this.transport.respond(request, 200, 'OK', { toTag: tag, fields: [this.#contact, ALLOW], body });
    if (!answer) return; // late offer: the answer comes in the ACK
    call.rtp.connect(answer.remote);
    call.nowAnswered();
  }

  #refuse({ call, request, tag }: Incoming, status: number, reason: string): void {
    if (call.isEnded || call.isAnswered) return;
    this.transport.respond(request, status, reason, { toTag: tag });
    call.over({ by: 'pbx', status, message: undefined });
  }

  #withinCall(call: PbxCall, request: IncomingRequest): void {
    const { message } = request;
    call.requests.push(message);
    switch (message.method) {
      case 'ACK':
        this.#acknowledged(call, message);
        return;
      case 'CANCEL':
        this.#cancelled(call, request);
        return;
      case 'INVITE':
        this.#reinvited(call, request);
        return;
      case 'BYE':
        this.transport.respond(request, 200, 'OK');
        call.over({ by: 'peer', status: undefined, message });
        return;
      default:
        this.transport.respond(request, 200, 'OK');
    }
  }

  /** The answer to a late offer comes with the ACK (RFC 3261 §13.2.1). */
  #acknowledged(call: PbxCall, ack: SipMessage): void {
    const remote = ack.body === '' || call.isAnswered ? undefined : readAnswer(ack.body);
    if (!remote) return;
    call.rtp.connect(remote);
    call.nowAnswered();
  }

  #cancelled(call: PbxCall, request: IncomingRequest): void {
    const incoming = this.#incoming.get(call);
    const matches = incoming?.request.key === request.key;
    this.transport.respond(request, matches ? 200 : 481, matches ? 'OK' : 'Call/Transaction Does Not Exist');
    if (!matches || call.isAnswered || call.isEnded) return;
    clearTimeout(incoming.timer);
    this.transport.respond(incoming.request, 487, 'Request Terminated', { toTag: incoming.tag });
    call.over({ by: 'peer', status: 487, message: request.message });
  }

  #reinvited(call: PbxCall, request: IncomingRequest): void {
    const answer = answerTo(request.message.body, this.address.host, call.rtp.port, this.#codecs);
    if (!answer) {
      this.transport.respond(request, 488, 'Not Acceptable Here');
      return;
    }
    this.transport.respond(request, 200, 'OK', { fields: [this.#contact, ALLOW], body: answer.sdp });
    call.rtp.connect(answer.remote);
  }

  #inviteResponse(call: PbxCall, state: Outgoing, response: SipMessage | undefined): void {
    if (!response) call.over({ by: 'peer', status: 408, message: undefined });
    else if (response.status < 200) this.#provisional(call, state, response);
    else if (response.status < 300) this.#accepted(call, state, response);
    else call.over({ by: state.cancelWanted ? 'pbx' : 'peer', status: response.status, message: response });
  }

  #provisional(call: PbxCall, state: Outgoing, response: SipMessage): void {
    call.nowRinging(response.status);
    if (state.cancelWanted) this.#sendCancel(call, state);
  }

  /** A 2xx, or its repetition: acknowledged every time; one that crossed our CANCEL is hung up (RFC 3261 §9.1). */
  #accepted(call: PbxCall, state: Outgoing, response: SipMessage): void {
    const { dialog } = call;
    if (!dialog) return;
    refresh(dialog, response, state.dial.to);
    const ack = { ...dialog, sequence: 1 };
    const lateOffer = state.dial.sdp === '';
    const ours = lateOffer ? answerTo(response.body, this.address.host, call.rtp.port, this.#codecs) : undefined;
    const remote = lateOffer ? ours?.remote : readAnswer(response.body);
    const acknowledge = (): void => {
      call.times.acknowledgedAtMs ??= performance.now();
      this.transport.sendOnce('ACK', dialog.target, this.#fields(ack, 'ACK'), dialog.nextHop, ours?.sdp);
    };
    if (state.dial.ackAfterMs === undefined) acknowledge();
    else state.ackTimers.push(setTimeout(acknowledge, state.dial.ackAfterMs));
    if (call.isAnswered || call.isEnded) return;
    if (remote) call.rtp.connect(remote);
    call.nowAnswered();
    if (state.cancelWanted || !remote) call.hangup();
  }

  #hangup(call: PbxCall): void {
    const incoming = this.#incoming.get(call);
    const outgoing = this.#outgoing.get(call);
    if (call.isAnswered) this.#bye(call);
    else if (incoming) this.#refuse(incoming, 480, 'Temporarily Unavailable');
    else if (outgoing) {
      outgoing.cancelWanted = true;
      if (call.provisional.length > 0) this.#sendCancel(call, outgoing);
    }
  }

  #bye(call: PbxCall): void {
    const { dialog } = call;
    if (!dialog) return;
    dialog.sequence++;
    const options = { destination: dialog.nextHop };
    this.transport.request('BYE', dialog.target, this.#fields(dialog, 'BYE'), options, () => undefined);
    call.over({ by: 'pbx', status: undefined, message: undefined });
  }

  #sendCancel(call: PbxCall, state: Outgoing): void {
    if (state.cancelled || !call.dialog) return;
    state.cancelled = true;
    const options = { destination: state.dial.to, branch: state.branch };
    this.transport.request('CANCEL', call.dialog.target, this.#fields(call.dialog, 'CANCEL'), options, () => undefined);
  }
}

/** Early media ends with the answer, and speech begins. */
function speak(call: PbxCall, { early, says, echo = false }: PbxAnswer): void {
  if (early) call.rtp.hush();
  if (says) call.play(says);
  call.rtp.echo ||= echo;
}
