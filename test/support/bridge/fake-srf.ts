import type {
  SrfApi,
  SrfDialog,
  SrfHeaders,
  SrfRequest,
  SrfResponse,
  SrfUacOptions,
  SrfUacProgress,
} from '../../../src/sip/drachtio-types.js';
import { answerTo, asRequest, asResponse, Emitter, Message } from './fake-srf-message.js';
import type { Wire } from './wire.js';

/*
 * drachtio-srf and the SIP server behind it, without sockets: a test says what the far end does, the fake keeps the rules of
 * the SIP server (CANCEL held until a 1xx, 487 by itself, late frames refused) and of srf's callbacks. Frames towards the
 * server wait in a queue until `drain`, so that what crosses on the way can be tried.
 */

class SipError extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly res?: SrfResponse,
  ) {
    super(`${status} ${reason}`);
  }
}

const unknownTransaction = (): Error => new Error('Response not sent due to unknown transaction');

/** A request inside a dialog that the bridge has to answer, once. */
export class DialogRequest {
  answers = 0;
  readonly response: SrfResponse;
  readonly request: SrfRequest;

  constructor(
    readonly dialog: FakeDialog,
    readonly method: string,
    body: string,
  ) {
    const headers =
      body === '' ? {} : { 'Content-Type': method === 'INFO' ? 'application/dtmf-relay' : 'application/sdp' };
    this.request = asRequest(method, new Message(headers, body));
    const { srf } = dialog;
    const send = (status: number): void => {
      srf.mustBeUp();
      if (this.answers > 0 && status >= 200) throw new Error('second final response');
      if (status >= 200) this.answers++;
      Object.assign(this.response, { finalResponseSent: status >= 200 });
      srf.wire.note('sip', `${status}>`, dialog.of, { to: method });
    };
    this.response = answerTo(send);
  }
}

/** A dialog as srf hands it out, and as the SIP server knows it. */
export class FakeDialog extends Emitter {
  readonly id: string;
  readonly sip: SrfDialog['sip'];
  readonly local = { uri: 'sip:bridge@127.0.0.1', contact: '<sip:bridge@127.0.0.1>' };
  readonly remote = { uri: 'sip:pbx@127.0.0.1' };
  acked: boolean;
  /** Who sent BYE. */
  readonly byes = new Set<'ours' | 'theirs' | 'server'>();
  lost = false;
  readonly requests: DialogRequest[] = [];
  #byeCallback: ((error: unknown, response: SrfResponse | undefined) => void) | undefined;

  constructor(
    readonly srf: FakeSrf,
    readonly type: 'uac' | 'uas',
    readonly of: string,
    readonly req: SrfRequest,
    readonly res: SrfResponse,
  ) {
    super();
    this.id = `dialog-${of}`;
    this.sip = { callId: req.get('call-id') ?? of, localTag: 'ours', remoteTag: 'theirs' };
    this.acked = type === 'uac';
  }

  /** Neither side has hung up, and the SIP server knows it. */
  get isUp(): boolean {
    return this.byes.size === 0 && !this.lost;
  }

  /** Our BYE waits for its response. */
  get isByeOpen(): boolean {
    return this.#byeCallback !== undefined && !this.lost;
  }

  request(
    options: { method: string; headers?: SrfHeaders; body?: string },
    callback: (error: unknown, response: SrfResponse | undefined) => void,
  ): void {
    this.srf.mustBeUp();
    if (options.method !== 'BYE') throw new Error(`${options.method} in a dialog is not of this test`);
    this.srf.wire.note('sip', 'asks BYE', this.of);
    this.srf.frame(() => {
      this.srf.wire.note('sip', 'BYE>', this.of);
      const known = this.byes.size === 0;
      this.byes.add('ours');
      if (known) this.#byeCallback = callback;
      else callback(null, asResponse(481, 'Call/Transaction Does Not Exist', {}, '', ''));
    });
  }

  answerBye(status: number): void {
    const callback = this.#byeCallback;
    this.#byeCallback = undefined;
    this.srf.wire.note('sip', `${status}<`, this.of, { to: 'BYE' });
    callback?.(null, asResponse(status, '', {}, '', status === 408 ? '' : '127.0.0.1'));
  }

  ack(body: string): void {
    this.acked = true;
    this.srf.wire.note('sip', 'ACK<', this.of);
    this.emit('ack', asRequest('ACK', new Message({}, body)));
  }

  /** BYE from the far end, or from the SIP server in its name. */
  hangUp(by: 'theirs' | 'server'): void {
    this.byes.add(by);
    this.srf.wire.note('sip', 'BYE<', this.of, { by });
    const source = by === 'server' ? 'application' : 'network';
    this.emit('destroy', asRequest('BYE', new Message({}), { source }), '');
  }

  ask(method: 'INVITE' | 'INFO' | 'UPDATE', body: string): void {
    const asked = new DialogRequest(this, method, body);
    this.requests.push(asked);
    this.srf.wire.note('sip', `re-${method}<`, this.of);
    const event = ({ INVITE: 'modify', UPDATE: 'update', INFO: 'info' } as const)[method];
    // srf refuses by itself what nobody listens for.
    if (!this.emit(event, asked.request, asked.response)) asked.answers++;
  }
}

/** An INVITE of the bridge's, as the SIP server knows it. */
export class OutgoingInvite {
  state: 'sent' | 'proceeding' | 'final' | 'lost' = 'sent';
  cancelAsked = false;
  /** The server has sent it. */
  isBegun = false;
  status = 0;
  dialog: FakeDialog | undefined;
  readonly request: SrfRequest;
  #isCancelHeld = false;

  constructor(
    private readonly srf: FakeSrf,
    readonly of: string,
    readonly call: string,
    readonly uri: string,
    options: SrfUacOptions,
    private readonly progress: SrfUacProgress,
    private readonly callback: (error: unknown, dialog: SrfDialog | undefined) => void,
  ) {
    const message = new Message({
      From: '<sip:x@localhost>',
      To: '<sip:y@localhost>',
      CSeq: '1 INVITE',
      ...options.headers,
    });
    this.request = asRequest('INVITE', message, {
      uri,
      cancel: (_options: unknown, done: (error: unknown) => void) => this.#cancel(done),
    });
  }

  get isOpen(): boolean {
    return this.state === 'sent' || this.state === 'proceeding';
  }

  begin(): void {
    this.isBegun = true;
    this.srf.wire.note('sip', 'INVITE>', this.of, { call: this.call, uri: this.uri });
    this.progress.cbRequest(null, this.request);
  }

  provisional(status: number, sdp: string): void {
    this.srf.wire.note('sip', `${status}<`, this.of);
    this.state = 'proceeding';
    if (this.#isCancelHeld) this.#sendCancel();
    if (status > 100) this.progress.cbProvisional(asResponse(status, '', {}, sdp, '127.0.0.1'));
  }

  refuse(status: number, isLocal: boolean): void {
    this.#final(status);
    const res = asResponse(status, 'No', {}, '', isLocal ? '' : '127.0.0.1');
    this.callback(new SipError(status, 'No', res), undefined);
  }

  answer(sdp: string): void {
    this.#final(200);
    const dialog = new FakeDialog(
      this.srf,
      'uac',
      this.of,
      this.request,
      asResponse(200, 'OK', { To: '<sip:y@localhost>;tag=theirs' }, sdp, '127.0.0.1'),
    );
    this.dialog = dialog;
    this.srf.dialogs.push(dialog);
    this.callback(null, dialog);
  }

  #final(status: number): void {
    this.srf.wire.note('sip', `${status}<`, this.of);
    this.state = 'final';
    this.status = status;
  }

  #cancel(done: (error: unknown) => void): void {
    this.srf.mustBeUp();
    this.cancelAsked = true;
    this.srf.frame(() => {
      if (this.state === 'final') return done(new Error('unable to cancel unknown transaction'));
      if (this.state === 'proceeding') this.#sendCancel();
      else this.#isCancelHeld = true;
      done(null);
    });
  }

  #sendCancel(): void {
    this.#isCancelHeld = false;
    this.srf.wire.note('sip', 'CANCEL>', this.of);
  }
}

/** An INVITE of the PBX's, as the SIP server knows it. */
export class IncomingInvite {
  state: 'open' | 'cancelled' | 'refused' | 'answered' | 'lost' = 'open';
  dialog: FakeDialog | undefined;
  readonly request: SrfRequest;
  readonly response: SrfResponse;

  constructor(
    private readonly srf: FakeSrf,
    readonly of: string,
    offer: string,
  ) {
    const headers = {
      'Call-ID': of,
      From: '<sip:100@127.0.0.1>;tag=theirs',
      To: '<sip:bridge@127.0.0.1>',
      CSeq: '1 INVITE',
      Contact: '<sip:100@127.0.0.1>',
    };
    this.request = asRequest('INVITE', new Message(headers, offer));
    const send = (status: number, _options?: unknown, done?: (error: unknown, sent: undefined) => void): void => {
      srf.mustBeUp();
      Object.assign(this.response, { finalResponseSent: status >= 200 });
      srf.frame(() => this.#send(status, done));
    };
    this.response = answerTo(send);
  }

  cancel(): void {
    this.srf.wire.note('sip', 'CANCEL<', this.of);
    this.srf.wire.note('sip', '487>', this.of, { by: 'server' });
    this.state = 'cancelled';
    (this.request as unknown as Emitter).emit('cancel', new Message({}));
  }

  answered(callback: (error: unknown, dialog: SrfDialog | undefined) => void): void {
    let isToldOfCancel = false;
    (this.request as unknown as Emitter).on('cancel', () => {
      isToldOfCancel = true;
      callback(new SipError(487, 'Request Terminated'), undefined);
    });
    this.srf.frame(() => {
      if (this.state !== 'open') return isToldOfCancel ? undefined : callback(unknownTransaction(), undefined);
      this.#note(200);
      this.state = 'answered';
      const dialog = new FakeDialog(this.srf, 'uas', this.of, this.request, this.response);
      this.dialog = dialog;
      this.srf.dialogs.push(dialog);
      callback(null, dialog);
    });
  }

  #send(status: number, done: ((error: unknown, sent: undefined) => void) | undefined): void {
    if (this.state !== 'open') return done?.(unknownTransaction(), undefined);
    this.#note(status);
    if (status >= 200) this.state = 'refused';
    done?.(null, undefined);
  }

  #note(status: number): void {
    this.srf.wire.note('sip', `${status}>`, this.of);
  }
}

/** srf with a SIP server behind it. */
export class FakeSrf implements SrfApi {
  readonly outgoing: OutgoingInvite[] = [];
  readonly incoming: IncomingInvite[] = [];
  readonly dialogs: FakeDialog[] = [];
  readonly probes: SrfRequest[] = [];
  /** Frames towards the server wait. */
  held = false;
  isUp = true;
  #frames: (() => void)[] = [];

  constructor(readonly wire: Wire) {}

  mustBeUp(): void {
    if (!this.isUp) throw new Error('not connected');
  }

  frame(work: () => void): void {
    this.#frames.push(work);
  }

  /** The server takes what waits, unless it is held; whether there was anything. */
  drain(): boolean {
    if (this.held || this.#frames.length === 0) return false;
    for (let work = this.#frames.shift(); work; work = this.#frames.shift()) work();
    return true;
  }

  /** The connection breaks: frames, transactions and dialogs are gone, and nobody hears of them again. */
  lose(): void {
    this.wire.note('sip', 'link lost', 'link');
    this.isUp = false;
    this.#frames = [];
    for (const invite of this.outgoing) if (invite.isOpen) invite.state = 'lost';
    for (const invite of this.incoming) if (invite.state === 'open') invite.state = 'lost';
    for (const dialog of this.dialogs) dialog.lost = true;
  }

  /** A call from the PBX reaches the server. */
  arrive(offer: string): IncomingInvite {
    const invite = new IncomingInvite(this, `in${this.incoming.length}`, offer);
    this.incoming.push(invite);
    this.wire.note('sip', 'INVITE<', invite.of);
    return invite;
  }

  createUAC(
    uri: string,
    options: SrfUacOptions,
    progress: SrfUacProgress,
    callback: (error: unknown, dialog: SrfDialog | undefined) => void,
  ): void {
    this.mustBeUp();
    const call = options.headers['X-CID'] ?? '';
    const invite = new OutgoingInvite(this, `out${this.outgoing.length}`, call, uri, options, progress, callback);
    this.outgoing.push(invite);
    this.wire.note('sip', 'asks INVITE', invite.of, { call, uri });
    this.frame(() => invite.begin());
  }

  createUAS(
    request: SrfRequest,
    _response: SrfResponse,
    _options: unknown,
    callback: (error: unknown, dialog: SrfDialog | undefined) => void,
  ): void {
    // srf sends in an async function: a connection that is gone is told by the callback.
    if (!this.isUp) return queueMicrotask(() => callback(new Error('not connected'), undefined));
    this.incoming.find((invite) => invite.request === request)?.answered(callback);
  }

  request(_uri: string, _options: unknown, callback: (error: unknown, request: SrfRequest | undefined) => void): void {
    this.mustBeUp();
    const probe = asRequest('OPTIONS', new Message({}));
    this.frame(() => {
      this.probes.push(probe);
      callback(null, probe);
    });
  }

  answerProbes(): void {
    for (const probe of this.probes.splice(0)) {
      (probe as unknown as Emitter).emit('response', asResponse(200, 'OK', {}, '', '127.0.0.1'));
    }
  }

  removeDialog(dialog: SrfDialog): void {
    dialog.removeAllListeners();
  }

  connect(): void {
    throw new Error('not of this test');
  }
  disconnect(): void {
    throw new Error('not of this test');
  }
  use(): void {
    throw new Error('not of this test');
  }
  on(): void {
    throw new Error('not of this test');
  }
}
