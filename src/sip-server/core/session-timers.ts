import type { Dialog } from '../dialog/dialog.js';
import type { Refresh } from '../dialog/session-timer-runner.js';
import { MAX_RAISED } from '../dialog/session-timer.js';
import { SessionTimerRunner } from '../dialog/session-timer-runner.js';
import type { AnsweredTerms, SessionTerms } from '../dialog/session-timer-terms.js';
import { answerTerms, learnTerms, minSeOf, offerTerms, refreshesSession } from '../dialog/session-timer-terms.js';
import type { SipHeader, SipRequest, SipResponse } from '../sip/message.js';
import { elements, first, header, NO_BODY } from '../sip/message.js';
import { replaceFirst } from '../sip/serialise.js';
import type { Core } from './core.js';
import { wayInDialog } from './next-hop.js';
import { inDialogRequest, newBranch, viaHeader } from './request-text.js';
import { RefreshChallenges } from './refresh-challenge.js';
import type { ClientRequest } from './requests.js';
import type { ReceivedResponse } from '../transaction/invite-client.js';
import { contactHeader } from './response-text.js';
import type { Way } from './way.js';

/** RFC 3261 §14.1: who chose the Call-ID waits longer after a 491. */
const GLARE_MS = { uac: { least: 2100, most: 4000 }, uas: { least: 0, most: 2000 } };

/** What these need of the user agent client. */
interface Outlet {
  readonly launch: (request: SipRequest, way: Way, dialog: Dialog) => void;
  /** The same request of the application, changed. */
  readonly launchAgain: (record: ClientRequest, request: SipRequest, way: Way) => void;
  /** The request fails as if this had been answered. */
  readonly fail: (record: ClientRequest, status: number) => void;
  readonly acknowledge: (dialog: Dialog) => Promise<unknown>;
  readonly endDialog: (dialog: Dialog, reason: string, cause: number) => void;
}

/**
 * Session timers (RFC 4028), invisible to the application as with a drachtio-server: refreshes are the server's, and an end
 * by a timer reaches it as an `unsolicited` BYE.
 */
export class SessionTimers {
  readonly #challenges: RefreshChallenges;

  constructor(
    private readonly core: Core,
    private readonly outlet: Outlet,
  ) {
    this.#challenges = new RefreshChallenges(core, {
      launch: outlet.launch,
      refused: (dialog, status) => this.refused(dialog, status),
      isBusy: (dialog) => this.#hasInvite(dialog),
    });
  }

  /** The session headers of an application's INVITE or UPDATE. What it says of session timers itself is left alone. */
  offered(method: string, headers: readonly SipHeader[], dialog: Dialog | undefined): SipHeader[] {
    const current = dialog?.session?.terms;
    const isOurs = this.core.session.expiresS > 0 && refreshesSession(method) && (dialog === undefined || current);
    if (!isOurs || first({ headers }, 'session-expires') !== undefined) return [...headers];
    return offerTerms(headers, this.core.session, current);
  }

  /** RFC 4028 §7.3: after a 422 the same request for longer. The application hears of the second one's answers only. */
  askLonger(record: ClientRequest, response: SipResponse): boolean {
    const { dialog, client, again } = record;
    if (!dialog || !client || !again || record.cancel !== 'none' || record.raised >= MAX_RAISED) return false;
    const raised = this.#raised(record.request, response, () => dialog.nextSeq());
    if (!raised) return false;
    const relaunch = (way: Way): void => {
      if (this.core.clientRequests.get(record.txn) === record && record.cancel === 'none')
        return this.outlet.launchAgain({ ...record, raised: record.raised + 1 }, raised(way), way);
      way.flow.release();
      this.outlet.fail(record, 487);
    };
    again()
      .then(relaunch)
      .catch((err: unknown) => {
        this.core.logger.warn('sip request could not be sent again', { err });
        this.outlet.fail(record, 503);
      });
    return true;
  }

  /** The request for as long as a 422 wants; undefined where that cannot help. `seq` gives its CSeq number. */
  #raised(request: SipRequest, refusal: SipResponse, seq: () => number): ((way: Way) => SipRequest) | undefined {
    const leastS = minSeOf(refusal);
    const askedS = Number.parseInt(first(request, 'session-expires') ?? '', 10);
    if (this.core.session.expiresS === 0 || !(leastS > askedS)) return undefined;
    return ({ flow, shown }) => {
      const via = viaHeader(flow, shown, newBranch(this.core)).value;
      const cseq = `${seq()} ${request.method}`;
      const headers = replaceFirst(replaceFirst(request.headers, 'via', via), 'cseq', cseq);
      const role = /;.*$/.exec(first(request, 'session-expires') ?? '')?.[0] ?? '';
      const kept = headers.map((line) =>
        line.key === 'session-expires' ? { ...line, value: `${leastS}${role}` } : line,
      );
      const rest = kept.filter((line) => line.key !== 'min-se' && line.key !== 'content-length');
      const length = header('Content-Length', String(request.body.length));
      return { ...request, headers: [...rest, header('Min-SE', String(leastS)), length] };
    };
  }

  /** What a 2xx of the application to this request says of session timers; undefined when nothing. */
  answer(request: SipRequest, dialog: Dialog | undefined, status: number): AnsweredTerms | undefined {
    const isAnswer = status >= 200 && status < 300 && refreshesSession(request.method) && dialog !== undefined;
    // An UPDATE before the call is answered refreshes nothing yet.
    if (!isAnswer || (request.method === 'UPDATE' && dialog.state === 'early')) return undefined;
    return answerTerms(request, this.core.session, dialog.session?.terms);
  }

  /** An answer of ours goes out. */
  answered(
    request: SipRequest,
    dialog: Dialog | undefined,
    answer: AnsweredTerms | undefined,
    { status, body }: SipResponse,
  ): void {
    const isAnswer = status >= 200 && status < 300 && refreshesSession(request.method);
    if (!isAnswer || !dialog || dialog.state === 'ended') return;
    if (body.length > 0) dialog.localSdp = body;
    this.#agreed(dialog, request, answer?.terms);
  }

  /** A final answer to an INVITE or UPDATE of ours, the application's or our own. */
  onFinal(record: ClientRequest, dialog: Dialog, received: ReceivedResponse): void {
    const response = received.message;
    if (!refreshesSession(record.request.method) || dialog.state === 'ended') return;
    if (response.status >= 300) {
      if (!record.refresh || this.#challenges.answer(record, dialog, received)) return;
      return this.refused(dialog, response.status, minSeOf(response));
    }
    const { method, body } = record.request;
    if (method === 'UPDATE') dialog.refreshTarget(response);
    else if (record.refresh) this.#acknowledge(dialog);
    if (body.length > 0) dialog.localSdp = body;
    this.#agreed(dialog, response, learnTerms(response, this.core.session));
  }

  /** The application knows nothing of a refresh by INVITE, so the ACK is ours. */
  #acknowledge(dialog: Dialog): void {
    this.outlet.acknowledge(dialog).catch((err: unknown) => {
      this.core.logger.warn('ACK to a session refresh could not be sent', { err });
    });
  }

  /** Our refresh failed; without an answer it is 408 or 503. */
  refused(dialog: Dialog, status: number, minSeS = 0): void {
    const { least, most } = GLARE_MS[dialog.role];
    const glareMs = least + ((most - least) * parseInt(this.core.ids.hex(2), 16)) / 0xffff;
    this.core.logger.info('session refresh refused', { callId: dialog.callId, status });
    dialog.session?.take({ type: 'refused', status, minSeS, glareMs });
  }

  #agreed(dialog: Dialog, peer: SipRequest | SipResponse, terms: SessionTerms | undefined): void {
    if (first(peer, 'allow') !== undefined)
      dialog.peerUpdates = elements(peer, 'allow').some((method) => method.toUpperCase() === 'UPDATE');
    if (!terms && !dialog.session) return;
    dialog.session ??= this.#runner(dialog);
    dialog.session.take({ type: 'agreed', terms, canUpdate: dialog.peerUpdates || !dialog.localSdp });
  }

  #runner(dialog: Dialog): SessionTimerRunner {
    return new SessionTimerRunner({
      clock: this.core.clock,
      isBusy: () => this.#hasInvite(dialog),
      refresh: (refresh) => {
        this.#refresh(dialog, refresh).catch((err: unknown) => {
          this.core.logger.warn('session refresh could not be sent', { callId: dialog.callId, err });
          this.refused(dialog, 503);
        });
      },
      expire: () => this.outlet.endDialog(dialog, 'Session timer expired', 408),
    });
  }

  async #refresh(dialog: Dialog, { method, terms, minSeS }: Refresh): Promise<void> {
    const way = await wayInDialog(this.core, dialog);
    if (dialog.state === 'ended') return way.flow.release();
    const { flow, shown } = way;
    const body = method === 'INVITE' ? (dialog.localSdp ?? NO_BODY) : NO_BODY;
    const type = body.length > 0 ? [header('Content-Type', 'application/sdp')] : [];
    const own = [contactHeader(shown, flow, dialog.remoteTarget), ...type];
    const headers = offerTerms(own, this.core.session, terms, minSeS);
    const via = viaHeader(flow, shown, newBranch(this.core));
    this.outlet.launch(inDialogRequest(dialog, via, { method, seq: dialog.nextSeq(), headers, body }), way, dialog);
  }

  #hasInvite(dialog: Dialog): boolean {
    const { serverRequests, clientRequests } = this.core;
    const all = [...serverRequests.ofDialog(dialog), ...clientRequests.ofDialog(dialog)];
    return all.some((record) => record.request.method === 'INVITE');
  }
}
