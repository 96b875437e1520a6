import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { header, parameter, type SipMessage } from '../../src/sandbox/pbx/sip-message.js';
import { SipTransport, type IncomingRequest, type SipAddress } from '../../src/sandbox/pbx/sip-transport.js';
import { boundSocket } from '../support/bound-socket.js';
import { pbxSdp } from '../support/test-number.js';

/** What the PBX does with a call that it gets; milliseconds after the INVITE, undefined: never. */
export interface AnswerScript {
  readonly ringMs: number | undefined;
  /** 183 with SDP in place of 180. */
  readonly hasEarlyMedia: boolean;
  readonly answerMs: number | undefined;
  readonly hangupMs: number | undefined;
}

/** What the PBX does with a call that it places; milliseconds after the INVITE. */
export interface CallScript {
  readonly cancelMs: number | undefined;
  readonly hangupMs: number | undefined;
}

export type PbxLegState = 'calling' | 'ringing' | 'answered' | 'over';

export interface PbxLeg {
  readonly callId: string;
  readonly kind: 'placed' | 'taken';
  state: PbxLegState;
  /** A response came: the far end knows of the call. */
  heard: boolean;
  readonly history: string[];
  /** The final response that refused a call that the PBX placed. */
  refusal?: SipMessage;
}

interface Dialog {
  readonly leg: PbxLeg;
  readonly localParty: string;
  readonly remoteParty: string;
  readonly remoteTarget: string;
  readonly destination: SipAddress;
}

const tag = (): string => randomBytes(6).toString('hex');
const uriOf = (nameAddr: string): string => /<([^>]+)>/.exec(nameAddr)?.[1] ?? nameAddr.split(';')[0] ?? '';

/**
 * A PBX that takes and places calls by script, keeps to RFC 3261's retransmissions, and knows at any moment how many legs
 * are up on its side. It shares no code with the daemon.
 */
export class CountingPbx {
  readonly legs = new Map<string, PbxLeg>();
  script: () => AnswerScript = () => ({ ringMs: 0, hasEarlyMedia: false, answerMs: 50, hangupMs: undefined });
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #dialogs = new Map<string, Dialog>();
  readonly #invites = new Map<string, { readonly request: IncomingRequest; readonly toTag: string }>();
  readonly #unheard = new Map<string, () => void>();

  private constructor(
    private readonly transport: SipTransport,
    private readonly rtp: Socket,
  ) {
    transport.onRequest = (request) => this.#onRequest(request);
  }

  static async start(): Promise<CountingPbx> {
    const rtp = await boundSocket();
    return new CountingPbx(await SipTransport.bind(), rtp);
  }

  get port(): number {
    return this.transport.address.port;
  }

  /** Legs that are up: calling, ringing or answered. */
  get up(): PbxLeg[] {
    return [...this.legs.values()].filter(({ state }) => state !== 'over');
  }

  /** Gives up calls that the daemon has not answered a word to: nobody can know of them. */
  forgetUnheard(): void {
    for (const [callId, stop] of this.#unheard) {
      stop();
      this.#over(callId, 'unheard');
    }
    this.#unheard.clear();
  }

  /** Places a call to a WhatsApp user. */
  place(user: string, destination: SipAddress, script: CallScript): PbxLeg {
    const callId = `${tag()}@pbx`;
    const leg: PbxLeg = { callId, kind: 'placed', state: 'calling', heard: false, history: [] };
    this.legs.set(callId, leg);
    const uri = `sip:+${user}@${destination.host}:${destination.port}`;
    const from = `<sip:100@127.0.0.1:${this.port}>;tag=${tag()}`;
    const branch = `z9hG4bK${tag()}`;
    const fields = (method: string): [string, string][] => [
      ['From', from],
      ['To', `<${uri}>`],
      ['Call-ID', callId],
      ['CSeq', `1 ${method}`],
    ];
    const invite = [...fields('INVITE'), ['Contact', this.#contact] as const];
    const options = { destination, body: this.#sdp, branch };
    const transaction = this.transport.request('INVITE', uri, invite, options, (response) => {
      this.#unheard.delete(callId);
      if (!response) return this.#over(callId, 'no answer');
      this.#onInviteResponse(leg, response, from, uri, destination);
    });
    this.#unheard.set(callId, () => transaction.stop());
    this.#after(script.cancelMs, () => {
      if (leg.state !== 'calling' && leg.state !== 'ringing') return;
      leg.history.push('CANCEL sent');
      this.transport.request('CANCEL', uri, fields('CANCEL'), { destination, branch }, () => undefined);
    });
    this.#after(script.hangupMs, () => this.#hangup(callId));
    return leg;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.transport.close();
    await new Promise<void>((resolve) => this.rtp.close(() => resolve()));
  }

  get #contact(): string {
    return `<sip:pbx@127.0.0.1:${this.port}>`;
  }

  get #sdp(): string {
    return pbxSdp(this.rtp.address().port);
  }

  #onInviteResponse(leg: PbxLeg, response: SipMessage, from: string, uri: string, destination: SipAddress): void {
    const { callId } = leg;
    leg.heard = true;
    leg.history.push(`${response.status}`);
    if (response.status < 200) {
      if (response.status > 100 && leg.state === 'calling') leg.state = 'ringing';
      return;
    }
    if (response.status >= 300) {
      leg.refusal = response;
      return this.#over(callId, 'refused');
    }
    const to = header(response, 'to');
    const remoteTarget = uriOf(header(response, 'contact'));
    if (leg.state !== 'over' && leg.state !== 'answered') {
      leg.state = 'answered';
      this.#dialogs.set(callId, { leg, localParty: from, remoteParty: to, remoteTarget, destination });
    }
    const ack: [string, string][] = [
      ['From', from],
      ['To', to],
      ['Call-ID', callId],
      ['CSeq', '1 ACK'],
    ];
    this.transport.sendOnce('ACK', remoteTarget === '' ? uri : remoteTarget, ack, destination);
  }

  #onRequest(request: IncomingRequest): void {
    const { message } = request;
    const callId = header(message, 'call-id');
    const leg = this.legs.get(callId);
    leg?.history.push(`${message.method ?? ''} received`);
    switch (message.method) {
      case 'INVITE':
        return leg ? undefined : this.#onInvite(request, callId);
      case 'CANCEL':
        return this.#onCancel(request, callId);
      case 'BYE':
        return this.#onBye(request, callId);
      case 'ACK':
        return;
      default:
        return this.transport.respond(request, 200, 'OK', { toTag: tag() });
    }
  }

  #onInvite(request: IncomingRequest, callId: string): void {
    const leg: PbxLeg = { callId, kind: 'taken', state: 'calling', heard: true, history: ['INVITE received'] };
    this.legs.set(callId, leg);
    const toTag = tag();
    this.#invites.set(callId, { request, toTag });
    const script = this.script();
    this.transport.respond(request, 100, 'Trying');
    this.#after(script.ringMs, () => {
      if (leg.state !== 'calling') return;
      leg.state = 'ringing';
      const fields = [['Contact', this.#contact] as const];
      if (script.hasEarlyMedia) {
        this.transport.respond(request, 183, 'Session Progress', { toTag, fields, body: this.#sdp });
      } else this.transport.respond(request, 180, 'Ringing', { toTag, fields });
    });
    this.#after(script.answerMs, () => {
      if (leg.state === 'over') return;
      leg.state = 'answered';
      leg.history.push('200 sent');
      this.#dialogs.set(callId, {
        leg,
        localParty: `${header(request.message, 'to')};tag=${toTag}`,
        remoteParty: header(request.message, 'from'),
        remoteTarget: uriOf(header(request.message, 'contact')),
        destination: request.source,
      });
      const fields = [['Contact', this.#contact] as const];
      this.transport.respond(request, 200, 'OK', { toTag, fields, body: this.#sdp });
    });
    this.#after(script.hangupMs, () => this.#hangup(callId));
  }

  #onCancel(request: IncomingRequest, callId: string): void {
    const invite = this.#invites.get(callId);
    const leg = this.legs.get(callId);
    // RFC 3261 §9.2: a CANCEL belongs to the INVITE with the same branch.
    if (!invite || !leg || invite.request.key !== request.key) {
      return this.transport.respond(request, 481, 'Call/Transaction Does Not Exist', { toTag: tag() });
    }
    this.transport.respond(request, 200, 'OK', { toTag: invite.toTag });
    if (leg.state !== 'calling' && leg.state !== 'ringing') return;
    this.transport.respond(invite.request, 487, 'Request Terminated', { toTag: invite.toTag });
    this.#over(callId, 'cancelled');
  }

  #onBye(request: IncomingRequest, callId: string): void {
    const dialog = this.#dialogs.get(callId);
    const isOurs =
      dialog !== undefined &&
      parameter(header(request.message, 'to'), 'tag') === parameter(dialog.localParty, 'tag') &&
      parameter(header(request.message, 'from'), 'tag') === parameter(dialog.remoteParty, 'tag');
    if (!isOurs || dialog.leg.state === 'over') {
      return this.transport.respond(request, 481, 'Call/Transaction Does Not Exist', { toTag: tag() });
    }
    this.transport.respond(request, 200, 'OK');
    this.#over(callId, 'BYE');
  }

  /** Hangs up an answered leg; what the far end says to the BYE does not matter any more. */
  #hangup(callId: string): void {
    const dialog = this.#dialogs.get(callId);
    if (dialog?.leg.state !== 'answered') return;
    const fields: [string, string][] = [
      ['From', dialog.localParty],
      ['To', dialog.remoteParty],
      ['Call-ID', callId],
      ['CSeq', '2 BYE'],
    ];
    this.#over(callId, 'BYE sent');
    const { remoteTarget, destination } = dialog;
    this.transport.request('BYE', remoteTarget, fields, { destination }, () => undefined);
  }

  #over(callId: string, how: string): void {
    const leg = this.legs.get(callId);
    if (!leg) return;
    leg.history.push(how);
    leg.state = 'over';
  }

  #after(delayMs: number | undefined, act: () => void): void {
    if (delayMs === undefined) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}
