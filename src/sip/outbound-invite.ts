import { endReason, type EndReason } from '../call/end-reason.js';
import type { Logger } from '../lib/logger.js';
import type { Target, Trunk } from '../routing/types.js';
import { fitInvite } from './compose-invite.js';
import type { Credentials, TrunkLogin } from './digest/trunk-login.js';
import { isSipError, type SrfDialog, type SrfHeaders, type SrfRequest, type SrfResponse } from './drachtio-types.js';
import { tagOf } from './header-list.js';
import { isDirect, nextHopsOf } from './next-hop.js';
import { opaqueOf } from './opaque-header.js';
import { acknowledgeProvisional } from './prack.js';
import { ServerProbe } from './server-probe.js';
import { sdpOf } from './session-body.js';
import { failureOfResponse, failureOfStatus } from './sip-cause.js';
import { reasonHeader } from './sip-headers.js';
import type { SipLegContext } from './sip-leg-context.js';
import { requestUri } from './sip-uri.js';
import { placeOfUri } from './transfer/refer-to.js';
import { Redirects } from './transfer/redirects.js';

/** What comes back for an INVITE. */
export type InviteOutcome =
  /** It is out, or out again with credentials, under this name of the SIP server's. */
  | { readonly type: 'sent'; readonly txn: string }
  | {
      readonly type: 'provisional';
      readonly status: number;
      readonly sdp: string;
      readonly from: string;
      readonly opaque: string | undefined;
      /** Branch of a fork. */
      readonly tag: string;
      readonly isReliable: boolean;
    }
  /** An UPDATE before the final response; `contact` is ours, for the answer. */
  | {
      readonly type: 'update';
      readonly request: SrfRequest;
      readonly response: SrfResponse;
      readonly contact: string | undefined;
    }
  | { readonly type: 'accepted'; readonly dialog: SrfDialog }
  /** It goes elsewhere now; what comes back then says nothing of the server that it was first sent to. */
  | { readonly type: 'redirected'; readonly status: number; readonly uri: string }
  | {
      readonly type: 'refused';
      readonly reason: EndReason;
      readonly retry: boolean;
      /** undefined when it never left. */
      readonly status: number | undefined;
      readonly from: string;
      /** It came from where the call was redirected to. */
      readonly isElsewhere?: boolean;
    }
  | { readonly type: 'silent'; readonly reason: EndReason; readonly isElsewhere?: boolean };

/** What an INVITE is sent with, and repeated with. */
interface Sending {
  readonly uri: string;
  readonly headers: SrfHeaders;
  readonly offer: string;
  readonly nextHop: string | undefined;
}

/** One INVITE of ours, from sending to its final outcome; repeated with credentials if it is challenged. */
export class OutboundInvite {
  #login: TrunkLogin | undefined;
  readonly #redirects: Redirects;
  /** Where it goes: `target`, or where that sent it. */
  #at: Target;
  #sending: Sending | undefined;
  #request: SrfRequest | undefined;
  #txn: string | undefined;
  #cancelReason: EndReason | undefined;
  #probe: ServerProbe | undefined;

  constructor(
    private readonly context: SipLegContext,
    private readonly target: Target,
    private readonly logger: Logger,
    /** Called for every outcome; `accepted` may come even after `silent` or a cancel. */
    private readonly onOutcome: (outcome: InviteOutcome) => void,
  ) {
    this.#at = target;
    this.#login = context.logins.loginAt(target);
    this.#redirects = new Redirects(target, (server) => context.addresses.knownAddresses(server));
  }

  /**
   * Sends it to `nextHop`, or where `uri` says without one.
   * @throws Error when the link to the SIP server is gone
   */
  send(uri: string, headers: SrfHeaders, offer: string, nextHop: string | undefined): void {
    this.#sending = { uri, headers, offer, nextHop };
    this.#launch(this.#sending);
  }

  #launch({ uri, headers, offer, nextHop }: Sending): void {
    const { srf, clock, timeouts } = this.context;
    const { server } = this.#at;
    const onSilent = (): void =>
      this.onOutcome({ type: 'silent', reason: silentReason, isElsewhere: this.#isElsewhere });
    this.#probe = new ServerProbe({ srf, clock, timeouts, server, nextHop, onSilent });
    srf.createUAC(
      uri,
      { localSdp: offer, headers, ...(nextHop ? { proxy: nextHop } : {}) },
      {
        cbRequest: (_err, request) => this.#sent(request),
        cbProvisional: (response) => this.#provisional(response),
      },
      (err, dialog) => this.#final(err, dialog),
    );
  }

  /**
   * Sends CANCEL, now or as soon as the INVITE is known to be out; the SIP server holds it until a 1xx (RFC 3261 §9.1). A
   * sign of life is waited for as before: from a dead server no final response will come.
   */
  cancel(reason: EndReason): void {
    this.#cancelReason = reason;
    if (this.#request) this.#cancelRequest(this.#request, reason);
  }

  /** Stops waiting for a sign of life. Idempotent. */
  stop(): void {
    this.#probe?.stop();
  }

  #sent(request: SrfRequest | undefined): void {
    this.#request = request;
    this.#noteTransaction();
    if (request && this.#cancelReason) this.#cancelRequest(request, this.#cancelReason);
  }

  #noteTransaction(): void {
    const txn = this.#request?.stackTxnId;
    if (txn === undefined || txn === this.#txn) return;
    this.#txn = txn;
    this.onOutcome({ type: 'sent', txn });
  }

  #provisional(response: SrfResponse): void {
    this.stop();
    this.#noteTransaction();
    const { status, source_address: from } = response;
    if (status <= 100) return;
    this.#takeUpdates();
    const opaque = opaqueOf(response, this.logger);
    const tag = tagOf(response.get('To'));
    const isReliable = response.has('RSeq');
    if (isReliable) this.#acknowledge(response);
    this.onOutcome({ type: 'provisional', status, sdp: sdpOf(response), from, opaque, tag, isReliable });
  }

  #acknowledge(response: SrfResponse): void {
    const { srf, logins } = this.context;
    const login = (): TrunkLogin | undefined => logins.loginInDialog(this.#at.trunk, response.source_address);
    const onUpdate = (request: SrfRequest, answer: SrfResponse): void => this.#updated(request, answer);
    acknowledgeProvisional({ srf, login, logger: this.logger, onUpdate }, response);
  }

  /** srf would answer each with our first offer. */
  #takeUpdates(): void {
    const invite = this.#request;
    invite?.removeAllListeners('update');
    invite?.on('update', (request, response) => this.#updated(request, response));
  }

  #updated(request: SrfRequest, response: SrfResponse): void {
    this.onOutcome({ type: 'update', request, response, contact: this.#request?.get('Contact') });
  }

  /** After a CANCEL that crossed a 200 this is a dialog all the same. */
  #final(err: unknown, dialog: SrfDialog | undefined): void {
    this.stop();
    if (dialog) return this.onOutcome({ type: 'accepted', dialog });
    if (!isSipError(err) || !err.res) {
      this.logger.warn('INVITE failed', { err });
      const nowhere = { status: undefined, from: '', isElsewhere: this.#isElsewhere };
      return this.onOutcome({ type: 'refused', reason: notSentReason, retry: true, ...nowhere });
    }
    const { res, status } = err;
    if (this.#isRepeated(res) || this.#isRedirected(res)) return;
    this.#refused(res, status);
  }

  #refused(res: SrfResponse, status: number): void {
    // srf reports a 200 it can make no dialog of (no Contact) as 500.
    const failure = res.status < 300 ? failureOfStatus(status) : failureOfResponse(res);
    const about = { status: res.status, from: res.source_address, isElsewhere: this.#isElsewhere };
    this.onOutcome({ type: 'refused', ...failure, ...about });
  }

  get #isElsewhere(): boolean {
    return this.#at !== this.target;
  }

  /** Sends the INVITE to where a 3xx points, as the same call for the PBX (RFC 3261 §8.1.3.4). */
  #isRedirected(res: SrfResponse): boolean {
    const [sending, request] = [this.#sending, this.#request];
    if (!sending || !request || this.#cancelReason) return false;
    const own = /<([^>]+)>/.exec(request.get('Contact') ?? '')?.[1] ?? '';
    const next = this.#redirects.next(res, placeOfUri(own));
    if (!next) return false;
    const repeated = repeatHeaders(sending, request, {});
    // A Contact of ours speaks of the way to who was dialled first.
    const headers = Object.fromEntries(Object.entries(repeated).filter(([name]) => name !== 'Contact'));
    this.#at = next;
    this.#login = this.context.logins.loginAt(next);
    this.#request = undefined;
    void this.#sendElsewhere({ ...sending, headers, uri: requestUri(next.user, next.server) }, res);
    return true;
  }

  /** A name has to be looked up first. */
  async #sendElsewhere(sending: Sending, res: SrfResponse): Promise<void> {
    try {
      const [hop] = await nextHopsOf(this.context.addresses, this.#at);
      if (showsKeys(sending.offer, this.#at.trunk, hop.transport))
        throw new Error('keys of SRTP are sent over TLS only');
      if (this.#cancelReason) return this.#refused(res, res.status);
      this.onOutcome({ type: 'redirected', status: res.status, uri: sending.uri });
      this.#sending = { ...sending, nextHop: isDirect(this.#at) ? undefined : hop.uri };
      this.#launch(this.#fitted(this.#sending));
    } catch (err) {
      this.stop();
      this.logger.warn('INVITE not sent to where it was redirected', { err });
      this.#refused(res, res.status);
    }
  }

  /**
   * Sends a challenged INVITE again, if its challenge is to be answered: the same call for the PBX, one higher in sequence
   * (RFC 3261 §8.1.3.5). One that is given up is not repeated: nothing would cancel it.
   */
  #isRepeated(challenge: SrfResponse): boolean {
    const [sending, request] = [this.#sending, this.#request];
    const isChallenged = challenge.status === 401 || challenge.status === 407;
    if (!isChallenged || !sending || !request || !this.#login || this.#cancelReason) return false;
    const credentials = this.#login.answer({ method: 'INVITE', uri: sending.uri }, challenge);
    if (!credentials) return false;
    // A CANCEL waits from here on until the new one is out.
    this.#request = undefined;
    try {
      this.#launch(this.#fitted({ ...sending, headers: repeatHeaders(sending, request, credentials) }));
      return true;
    } catch (err) {
      this.stop();
      this.logger.warn('INVITE not repeated with credentials', { err });
      return false;
    }
  }

  /** @throws RangeError where a drachtio-server could not take it */
  #fitted(sending: Sending): Sending {
    return { ...sending, headers: fitInvite({ ...sending, body: sending.offer }, this.logger) };
  }

  #cancelRequest(request: SrfRequest, reason: EndReason): void {
    try {
      request.cancel({ headers: { Reason: reasonHeader(reason) } }, (err) => {
        if (err !== null && err !== undefined) this.logger.debug('CANCEL not sent', { err });
      });
    } catch (err) {
      this.logger.warn('CANCEL not sent', { err });
    }
  }
}

/** Headers of the INVITE when it is sent once more, with credentials or without. */
function repeatHeaders({ headers }: Sending, request: SrfRequest, credentials: Credentials): SrfHeaders {
  const cseq = `${request.getParsedHeader('cseq').seq + 1} INVITE`;
  // From with the address that the SIP server has put into it.
  return { ...headers, From: request.get('From') ?? headers['From'] ?? '', CSeq: cseq, ...credentials };
}

/** Whether an offer that was made for TLS would have its keys read on this way (RFC 4568 §8.3). */
const showsKeys = (offer: string, { srtpWithoutTls = false }: Trunk, transport: string): boolean =>
  /^a=crypto:/m.test(offer) && transport !== 'tls' && !srtpWithoutTls;

/** The INVITE could not be sent at all. */
export const notSentReason = endReason('trunk_down', { text: 'INVITE could not be sent' });
const silentReason = endReason('trunk_down', { text: 'no response to INVITE' });
