import type { Dialog } from '../dialog/dialog.js';
import type { SipRequest } from '../sip/message.js';
import { first } from '../sip/message.js';
import { BARE_LINE_BREAK, parseMessage } from '../sip/parse.js';
import { isToken } from '../sip/grammar.js';
import type { ClientSession } from '../wire/client-session.js';
import type { Frame } from '../wire/frame-codec.js';
import { hasControlCharacter } from './app-message.js';
import type { AppRequests, FrameOrigin } from './app-requests.js';
import type { Core } from './core.js';
import type { UserAgentServer } from './uas.js';

/** Sorts an application's `sip` frames into the four cases of drachtio.md §4. Each gets exactly one answer. */
export class AppDispatch {
  constructor(
    private readonly core: Core,
    private readonly uas: UserAgentServer,
    private readonly requests: AppRequests,
  ) {}

  onSip(client: ClientSession, frame: Frame): void {
    const [messageId = '', , txn = '', dialogId = '', routeUrl = ''] = frame.tokens;
    const parsed = frame.sip ? parseMessage(frame.sip, 'rest') : undefined;
    if (!parsed || parsed.problems.includes(BARE_LINE_BREAK)) {
      return client.respond(messageId, ['NOK', 'malformed SIP message']);
    }
    const { message } = parsed;
    if (message.kind === 'response') return this.uas.respond(client, messageId, txn, message);
    const refusal = refusalOf(message);
    if (refusal !== undefined) return client.respond(messageId, ['NOK', refusal]);
    this.#onRequest({ client, messageId }, message, { txn, dialogId, routeUrl });
  }

  #onRequest(to: FrameOrigin, message: SipRequest, names: { txn: string; dialogId: string; routeUrl: string }): void {
    if (names.dialogId !== '') return this.requests.inDialog(to, names.dialogId, message);
    if (names.txn !== '') {
      if (message.method === 'CANCEL') return this.requests.cancel(to, names.txn, message);
      return to.client.respond(to.messageId, ['NOK', 'only CANCEL may name a transaction']);
    }
    const dialog = this.#liveDialog(to.client, message);
    if (dialog) return this.requests.inDialog(to, dialog.id, message);
    return this.requests.outOfDialog(to, message, names.routeUrl);
  }

  /** A Call-ID that names a live dialog makes the request part of it. */
  #liveDialog(client: ClientSession, message: SipRequest): Dialog | undefined {
    const callId = first(message, 'call-id');
    return callId === undefined ? undefined : this.core.dialogs.byCallId(callId, client);
  }
}

function refusalOf(message: SipRequest): string | undefined {
  if (!isToken(message.method)) return 'invalid method';
  return hasControlCharacter(message) ? 'control character in a header' : undefined;
}
