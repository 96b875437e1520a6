import type { DialogState } from './pbx-call.js';
import { addressOf, header, headers, parameter, uriOf } from './sip-message.js';
import type { SipMessage } from './sip-message.js';
import type { IncomingRequest, SipAddress } from './sip-transport.js';

function splitList(value: string): string[] {
  return value.split(/,(?=\s*<)/).map((part) => part.trim());
}

function nextHop(dialog: DialogState): SipAddress | undefined {
  return addressOf(uriOf(dialog.routes[0] ?? dialog.target));
}

/** The dialog as a 2xx completes it (RFC 3261 §12.1.2). */
export function refresh(dialog: DialogState, response: SipMessage, dialled: SipAddress): void {
  dialog.remote = header(response, 'to');
  dialog.target = uriOf(header(response, 'contact')) || dialog.target;
  dialog.routes = headers(response, 'record-route').flatMap(splitList).reverse();
  dialog.nextHop = nextHop(dialog) ?? dialled;
}

/** The dialog that an INVITE opens at this side. */
export function dialogOf({ message, source }: IncomingRequest, tag: string): DialogState {
  const to = header(message, 'to');
  const dialog: DialogState = {
    callId: header(message, 'call-id'),
    local: parameter(to, 'tag') === undefined ? `${to};tag=${tag}` : to,
    remote: header(message, 'from'),
    target: uriOf(header(message, 'contact')),
    routes: headers(message, 'record-route').flatMap(splitList),
    sequence: 0,
    nextHop: source,
  };
  dialog.nextHop = nextHop(dialog) ?? source;
  return dialog;
}
