import type { Dialog } from '../dialog/dialog.js';
import type { SipHeader, SipRequest } from '../sip/message.js';
import { all, first, header } from '../sip/message.js';
import { replaceFirst } from '../sip/serialise.js';
import type { ReceivedResponse } from '../transaction/invite-client.js';
import { hasControlCharacter } from './app-message.js';
import type { Core } from './core.js';
import { wayInDialog } from './next-hop.js';
import { newBranch, viaHeader } from './request-text.js';
import type { ClientRequest } from './requests.js';
import type { Way } from './way.js';

interface Outlet {
  readonly launch: (request: SipRequest, way: Way, dialog: Dialog) => void;
  readonly refused: (dialog: Dialog, status: number) => void;
  /** Is an INVITE under way in the dialog? */
  readonly isBusy: (dialog: Dialog) => boolean;
}

/**
 * Repeats session refreshes that were challenged. The server has no credentials, and drachtio's protocol has no place to ask
 * for some, so whoever started the server is asked: how often a refresh is repeated is up to them.
 */
export class RefreshChallenges {
  constructor(
    private readonly core: Core,
    private readonly outlet: Outlet,
  ) {}

  /** Whether the refresh is repeated: then its refusal is none. */
  answer(record: ClientRequest, dialog: Dialog, received: ReceivedResponse): boolean {
    const credentials = this.#credentialsFor(record.request, dialog, received);
    if (!credentials) return false;
    this.#repeat(record.request, dialog, credentials).catch((err: unknown) => {
      this.core.logger.warn('session refresh could not be repeated', { callId: dialog.callId, err });
      this.outlet.refused(dialog, 503);
    });
    return true;
  }

  #credentialsFor(request: SipRequest, dialog: Dialog, { message, flow }: ReceivedResponse): SipHeader[] | undefined {
    const { status } = message;
    if (status !== 401 && status !== 407) return undefined;
    try {
      const answer = this.core.answerChallenge?.({
        callId: dialog.callId,
        localTag: dialog.localTag,
        remoteTag: dialog.remoteTag ?? '',
        method: request.method,
        uri: request.uri,
        status,
        challenge: all(message, status === 407 ? 'proxy-authenticate' : 'www-authenticate').join(', '),
        from: flow.remote.host,
        isRepeated: CREDENTIALS.some((key) => first(request, key) !== undefined),
      });
      const headers = Object.entries(answer ?? {}).map(([name, value]) => header(name, value));
      return headers.length > 0 && !hasControlCharacter({ headers }) ? headers : undefined;
    } catch (err) {
      this.core.logger.error('challenge of a session refresh could not be answered', { callId: dialog.callId, err });
      return undefined;
    }
  }

  async #repeat(request: SipRequest, dialog: Dialog, credentials: readonly SipHeader[]): Promise<void> {
    const way = await wayInDialog(this.core, dialog);
    // The call is over, or the peer has refreshed it in the meantime, maybe with another description.
    if (!dialog.session?.isRefreshing) return way.flow.release();
    if (request.method === 'INVITE' && this.outlet.isBusy(dialog)) {
      way.flow.release();
      return this.outlet.refused(dialog, 491);
    }
    this.outlet.launch(this.#repeated(request, dialog, way, credentials), way, dialog);
  }

  /** The same request in a new transaction, one higher in sequence (RFC 3261 §8.1.3.5). */
  #repeated(request: SipRequest, dialog: Dialog, { flow, shown }: Way, credentials: readonly SipHeader[]): SipRequest {
    const via = viaHeader(flow, shown, newBranch(this.core)).value;
    const cseq = `${dialog.nextSeq()} ${request.method}`;
    const headers = replaceFirst(replaceFirst(request.headers, 'via', via), 'cseq', cseq);
    const kept = headers.filter(({ key }) => !CREDENTIALS.includes(key) && key !== 'content-length');
    const length = header('Content-Length', String(request.body.length));
    return { ...request, headers: [...kept, ...credentials, length] };
  }
}

const CREDENTIALS = ['authorization', 'proxy-authorization'];
