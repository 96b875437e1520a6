import { endReason, type EndReason } from '../call/end-reason.js';
import type { Clock } from '../lib/clock.js';
import type { IdSource } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { NumberHint } from '../routing/number-of-call.js';
import type { Trunk } from '../routing/types.js';
import { callerFacts, callerIdentity } from './caller-identity.js';
import { CallerCheck } from './digest/caller-check.js';
import { keepPendingInvite, trimEcho, type SrfApi, type SrfRequest, type SrfResponse } from './drachtio-types.js';
import { tagOf } from './header-list.js';
import { inboundCall, numberHint, type CallOrigin, type InboundCall } from './inbound-call.js';
import { screenInvite, screenRequire } from './invite-screen.js';
import type { LiveLegs } from './live-legs.js';
import type { ServerLiveness } from './liveness/server-liveness.js';
import { registeredTrunk } from './registration/dialled-user.js';
import { acceptedBodies } from './session-body.js';
import { allowedMethods, refusalHeaders, supportedOptions } from './sip-headers.js';
import type { SourceAcl } from './source-acl.js';
import { StrangerLog } from './stranger-log.js';
import type { PbxLegs } from './transfer/pbx-legs.js';
import { TrunkLimitLog } from './trunk-limit-log.js';
import type { Admission, TrunkLoad } from './trunk-load.js';

export interface ReceptionOptions {
  readonly srf: SrfApi;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly logger: Logger;
  /** Whose requests are taken, at the moment. */
  readonly acl: () => SourceAcl;
  readonly legs: LiveLegs;
  readonly pbxLegs: PbxLegs;
  readonly load: TrunkLoad;
  /** Of a SIP server that is watched. */
  readonly liveness: ServerLiveness | undefined;
  /** False once all is to end. */
  readonly isOpen: () => boolean;
  /** Whether calls can be placed and taken. */
  readonly isReady: () => boolean;
  /** Whether new calls are taken at the moment; default: they are. */
  readonly takesCalls?: (() => boolean) | undefined;
  /** Which of several trunks that take calls from one address a call is on; default: the first. */
  readonly chooseTrunk?: ((trunks: readonly [Trunk, ...Trunk[]], hint: NumberHint) => Trunk) | undefined;
}

/** Methods that are refused, but for OPTIONS and INVITE; asked for by name, so that the refusal is ours. */
const refusedMethods = ['register', 'subscribe', 'notify', 'message', 'publish', 'refer', 'info', 'update', 'bye'];

const shutdownRetryS = 10;

/** Where requests outside dialogs arrive: knows who may send them, refuses, and makes legs of the calls that are let in. */
export class Reception {
  readonly #callerCheck: CallerCheck;
  readonly #strangers: StrangerLog;
  readonly #limitLog: TrunkLimitLog;
  #listener: ((call: InboundCall) => void) | undefined;

  constructor(private readonly options: ReceptionOptions) {
    const { clock, ids, logger } = options;
    this.#callerCheck = new CallerCheck(clock, ids);
    this.#strangers = new StrangerLog(clock, logger);
    this.#limitLog = new TrunkLimitLog(clock, logger);
  }

  /** Sets the one receiver of calls; without one they are refused. */
  onInboundCall(listener: (call: InboundCall) => void): void {
    this.#listener = listener;
  }

  /** Asks for all requests; to be called once, before the link is up. */
  open(): void {
    const answerAs = (method: string, answer: (request: SrfRequest, response: SrfResponse) => void): void => {
      this.options.srf.use(method, (request, response) => this.#guarded(request, response, answer));
    };
    answerAs('invite', (request, response) => this.#invite(request, response));
    answerAs('options', (request, response) => {
      const refusal = screenRequire(request);
      if (refusal) return response.send(refusal.status, { headers: refusal.headers });
      const known = { Allow: allowedMethods, Supported: supportedOptions };
      const headers = { ...known, Accept: acceptedBodies, 'Accept-Encoding': 'identity' };
      response.send(this.options.isReady() && this.#takesCalls ? 200 : 503, { headers });
    });
    for (const method of refusedMethods) {
      answerAs(method, (request, response) => {
        // Inside a dialog nobody knows any more, it is the dialog that is missing (RFC 3261 §12.2.2).
        if (tagOf(request.get('To')) !== '') response.send(481);
        else response.send(405, { headers: { Allow: allowedMethods } });
      });
    }
  }

  /** Knows the source, answers, and lets no throw escape into srf. */
  #guarded(
    request: SrfRequest,
    response: SrfResponse,
    answer: (request: SrfRequest, response: SrfResponse) => void,
  ): void {
    try {
      trimEcho(response);
      if (this.#isHealthCheck(request)) return response.send(200);
      if (this.options.acl().trunksOf(request.source_address).length > 0) return answer(request, response);
      this.#strangers.note(request.source_address, request.method);
      response.send(403);
    } catch (err) {
      this.options.logger.error('SIP request failed', { method: request.method, err });
      if (!response.finalResponseSent) response.send(500);
    }
  }

  /** Ours, or of whoever watches the SIP server from its own machine (config/drachtio/supervise.sh): nothing to log. */
  #isHealthCheck(request: SrfRequest): boolean {
    const { liveness } = this.options;
    const { method, source_address: from } = request;
    if (liveness === undefined || method !== 'OPTIONS') return false;
    return liveness.isOwn(request.get('Call-ID') ?? '') || from === '::1' || from.startsWith('127.');
  }

  #invite(request: SrfRequest, response: SrfResponse): void {
    const [first, ...others] = this.options.acl().trunksOf(request.source_address);
    if (!first || this.#isMerged(request, response)) return;
    const refusal = screenInvite(request, (id) => this.options.legs.hasCall(id));
    if (refusal) {
      this.options.logger.info('INVITE refused', { trunk: first.name, status: refusal.status, why: refusal.why });
      return response.send(refusal.status, { headers: refusal.headers });
    }
    this.#screened([first, ...others], request, response);
  }

  #screened(known: readonly [Trunk, ...Trunk[]], request: SrfRequest, response: SrfResponse): void {
    const replaced = this.options.pbxLegs.replacedBy(request, known);
    if (replaced?.status !== undefined) return response.send(replaced.status);
    const account = registeredTrunk(known, request);
    const trunks = account ? ([account] as const) : known;
    // Trunks of one address are told apart by what this says: all of them must take the PBX's word.
    const identity = callerIdentity(
      request,
      trunks.every(({ trustIdentity }) => trustIdentity),
    );
    const trunk = replaced?.trunk ?? this.options.chooseTrunk?.(trunks, numberHint(request, identity)) ?? trunks[0];
    if (this.#isChallenged(trunk, request, response)) return;
    const admission = this.#admit(trunk, replaced !== undefined);
    if (admission.ok && replaced)
      return this.options.pbxLegs.replace(replaced, { trunk, request, response, ...admission });
    if (admission.ok) return this.#takeCall({ trunk, trunks, identity }, request, response, admission.release);
    const { reason } = admission;
    response.send(reason.sipStatus, { headers: refusalHeaders(reason, trunk.codecs) });
  }

  #isChallenged(trunk: Trunk, request: SrfRequest, response: SrfResponse): boolean {
    const challenge = this.#callerCheck.challengeTo(trunk, request);
    if (!challenge) return false;
    const { status, headers, why } = challenge;
    if (why !== 'none') this.options.logger.warn('INVITE refused', { trunk: trunk.name, status, why });
    response.send(status, { headers });
    return true;
  }

  get #takesCalls(): boolean {
    return this.options.takesCalls?.() ?? true;
  }

  /** `isTransfer`: the call takes the place of one that is up, which goes on while no new ones are taken. */
  #admit(
    trunk: Trunk,
    isTransfer: boolean,
  ): Extract<Admission, { ok: true }> | { readonly ok: false; readonly reason: EndReason } {
    if (this.#listener === undefined || !this.options.isOpen() || !(isTransfer || this.#takesCalls)) {
      this.options.logger.warn('INVITE refused', { trunk: trunk.name, why: 'shutdown' });
      return { ok: false, reason: endReason('shutdown', { retryAfterS: shutdownRetryS }) };
    }
    const admission = this.options.load.admit(trunk);
    if (admission.ok) return admission;
    const { limit, retryAfterS } = admission;
    this.#limitLog.note(trunk.name, limit);
    return { ok: false, reason: endReason('limit', { retryAfterS, text: `${limit} of the trunk` }) };
  }

  /**
   * A second INVITE of a call that is here already, forked on its way, gets 482 (RFC 3261 §8.2.2.2). srf hands the CANCEL
   * of either to the later one, so that is passed on.
   */
  #isMerged(request: SrfRequest, response: SrfResponse): boolean {
    const leg = this.options.legs.arrivedAs(request.get('Call-ID') ?? '');
    if (!leg) return false;
    request.on('cancel', (cancel) => leg.cancelled?.(cancel));
    keepPendingInvite(response);
    response.send(482);
    return true;
  }

  #takeCall(origin: CallOrigin, request: SrfRequest, response: SrfResponse, release: () => void): void {
    const { trunk } = origin;
    const call = this.options.ids.callId();
    const logger = this.options.logger.child({ call, leg: 'a' });
    const onReady = (): void => this.#listener?.(inboundCall(call, leg, origin, request, logger));
    const about = callerFacts(origin.identity);
    const leg = this.options.pbxLegs.arrived({ call, trunk, request, response, about, onReady, logger, release });
    leg.start();
  }
}
