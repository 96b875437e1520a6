import type { Logger } from '../lib/logger.js';
import type { PbxCodec } from '../routing/types.js';
import type { SrfHeaders, SrfRequest, SrfResponse } from './drachtio-types.js';
import { tagOf } from './header-list.js';
import { screenRenegotiation } from './invite-screen.js';
import { reasonOfOfferError, type LegMedia } from './leg-media.js';
import { sdpOf } from './session-body.js';
import { refusalStatus } from './sip-cause.js';
import { refusalHeaders } from './sip-headers.js';

/** Seconds after which an UPDATE that came too early may come again (RFC 3311 §5.2 asks for 0 to 10). */
const tooEarlyRetryS = '5';

/** Branches whose answers are kept: those of more have to be in their 2xx. */
const mostBranches = 32;

interface EarlyAnswer {
  readonly sdp: string;
  /** Sent reliably: it is the answer, and UPDATE may change it (RFC 3262 §5). Else it only foretells the one of the 2xx. */
  readonly isReliable: boolean;
}

/**
 * What is agreed on with the PBX before it has answered our INVITE. An INVITE may be forked on its way: each branch, told
 * by the To tag of its answers, agrees for itself (RFC 3261 §13.2.2.4).
 */
export class EarlySession {
  readonly #answers = new Map<string, EarlyAnswer>();
  /** The branch with which an UPDATE has agreed on another description. */
  #updatedWith: string | undefined;
  #work: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly media: LegMedia,
    private readonly codecs: readonly PbxCodec[],
    private readonly logger: Logger,
  ) {}

  /** A provisional response brought a description. After a reliable one others of its branch count for nothing. */
  answered(tag: string, answer: EarlyAnswer): void {
    const isWanted = this.#answers.has(tag) || this.#answers.size < mostBranches;
    if (isWanted && this.#answers.get(tag)?.isReliable !== true) this.#answers.set(tag, answer);
  }

  /**
   * Takes the answer of the branch that picked up, for good. Some PBXs have it in the 183 only and nothing in the 2xx.
   * @throws MediaError, DeadlineError, Error without any description
   */
  async settle(tag: string, sdp: string | undefined): Promise<void> {
    await this.#work;
    if (this.#updatedWith === tag) return;
    const answer = sdp === undefined || sdp === '' ? this.#answers.get(tag)?.sdp : sdp;
    if (answer === undefined) throw new Error('200 without SDP');
    await this.media.accept(answer);
  }

  /** Answers an UPDATE before the 2xx (RFC 3311 §5.2). Never throws. */
  update(request: SrfRequest, response: SrfResponse, headers: SrfHeaders): void {
    this.#work = this.#work
      .then(() => this.#update(request, response, headers))
      .catch((err: unknown) => this.#refuse(response, err));
  }

  async #update(request: SrfRequest, response: SrfResponse, headers: SrfHeaders): Promise<void> {
    const offer = sdpOf(request);
    const tag = tagOf(request.get('From'));
    const refusal = screenRenegotiation(request);
    if (refusal) return response.send(refusal.status, { headers: refusal.headers });
    if (offer === '') return response.send(200, { headers });
    const answer = this.#answers.get(tag);
    // Our own offer is still to be answered.
    if (answer?.isReliable !== true) return response.send(491);
    if (this.#updatedWith !== tag) await this.media.accept(answer.sdp);
    const body = await this.media.answer(offer);
    this.#updatedWith = tag;
    response.send(200, { headers: { ...headers, 'Content-Type': 'application/sdp' }, body });
  }

  #refuse(response: SrfResponse, err: unknown): void {
    const reason = reasonOfOfferError(err);
    this.logger.info('new description refused', { code: reason.code, text: reason.text });
    if (response.finalResponseSent) return;
    response.send(refusalStatus(reason), { headers: refusalHeaders(reason, this.codecs) });
  }
}

/** Answers an UPDATE to an INVITE of the PBX's that we have not answered: its offer has no answer yet (RFC 3311 §5.2). */
export function answerUpdateBeforeAnswer(request: SrfRequest, response: SrfResponse): void {
  const refusal = screenRenegotiation(request);
  if (refusal) response.send(refusal.status, { headers: refusal.headers });
  else if (sdpOf(request) === '') response.send(200);
  else response.send(500, { headers: { 'Retry-After': tooEarlyRetryS } });
}
