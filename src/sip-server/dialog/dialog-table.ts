import type { SipRequest, SipResponse } from '../sip/message.js';
import { first } from '../sip/message.js';
import { tagOf } from '../sip/name-addr.js';
import type { AppSession } from '../wire/app-session.js';
import type { Dialog } from './dialog.js';

/** All live dialogs, by the application's name for them and by Call-ID. */
export class DialogTable {
  readonly #byId = new Map<string, Dialog>();
  readonly #byCallId = new Map<string, Set<Dialog>>();

  get size(): number {
    return this.#byId.size;
  }

  add(dialog: Dialog): void {
    this.#byId.set(dialog.id, dialog);
    const siblings = this.#byCallId.get(dialog.callId) ?? new Set<Dialog>();
    siblings.add(dialog);
    this.#byCallId.set(dialog.callId, siblings);
  }

  remove(dialog: Dialog): void {
    dialog.end();
    if (this.#byId.get(dialog.id) === dialog) this.#byId.delete(dialog.id);
    const siblings = this.#byCallId.get(dialog.callId);
    siblings?.delete(dialog);
    if (siblings?.size === 0) this.#byCallId.delete(dialog.callId);
  }

  byId(id: string): Dialog | undefined {
    return this.#byId.get(id);
  }

  hasCall(callId: string): boolean {
    return this.#byCallId.has(callId);
  }

  /** A dialog of this application with this Call-ID. */
  byCallId(callId: string, owner: AppSession): Dialog | undefined {
    return [...(this.#byCallId.get(callId) ?? [])].find((dialog) => dialog.owner === owner);
  }

  /** The dialog a request from the peer belongs to (RFC 3261 §12.2.2). */
  forRequest(request: SipRequest): Dialog | undefined {
    return this.#find(request, tagOf(first(request, 'to')), tagOf(first(request, 'from')));
  }

  /** The dialog a response from the peer belongs to. */
  forResponse(response: SipResponse): Dialog | undefined {
    return this.#find(response, tagOf(first(response, 'from')), tagOf(first(response, 'to')));
  }

  all(): Dialog[] {
    return [...this.#byId.values()];
  }

  ownedBy(owner: AppSession): Dialog[] {
    return [...this.#byId.values()].filter((dialog) => dialog.owner === owner);
  }

  #find(
    message: SipRequest | SipResponse,
    localTag: string | undefined,
    remoteTag: string | undefined,
  ): Dialog | undefined {
    const siblings = this.#byCallId.get(first(message, 'call-id') ?? '');
    if (siblings) for (const dialog of siblings) if (dialog.matches(localTag, remoteTag)) return dialog;
    return undefined;
  }
}
