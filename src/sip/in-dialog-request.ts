import type { Logger } from '../lib/logger.js';
import type { Credentials, TrunkLogin } from './digest/trunk-login.js';
import type { SrfDialog, SrfHeaders, SrfResponse } from './drachtio-types.js';
import { firstFitting, headerBytes, headerRoom } from './frame-room.js';

export interface InDialogOptions {
  readonly dialog: Pick<SrfDialog, 'request' | 'id'> & {
    /** What the request names in place of the remote target, which the SIP server knows. */
    readonly uri?: string;
  };
  /** A fresh login for one request; undefined where no challenge is to be answered. */
  readonly login: () => TrunkLogin | undefined;
  readonly logger: Logger;
}

interface InDialogRequest {
  readonly method: 'BYE' | 'NOTIFY' | 'INFO' | 'PRACK';
  readonly headers: SrfHeaders;
  readonly body?: string;
}

/**
 * Sends a request in a dialog, and again with credentials if it is challenged and the trunk's login answers that. What it can
 * do without is left out where its frame would be too large: a BYE that is not sent leaves the far end talking to nobody. Calls
 * back with the final status; undefined when it could not be sent. Never throws.
 */
export function requestInDialog(
  { dialog, login, logger }: InDialogOptions,
  request: InDialogRequest,
  done: (status: number | undefined) => void,
): void {
  const { method, headers: wanted, body } = request;
  const room = headerRoom({ uri: dialog.uri ?? placeholder, names: dialog.id, body });
  const notSent = (err: unknown): void => logger.warn(`${method} not sent`, { err });
  let once: TrunkLogin | undefined;
  const credentialsFor = (response: SrfResponse): Credentials | undefined => {
    if ((response.status !== 401 && response.status !== 407) || !response.req) return undefined;
    once ??= login();
    const mostBytes = room - headerBytes(withoutReason(wanted));
    return once?.answer({ method, uri: response.req.uri }, response, mostBytes);
  };
  const send = (credentials: Credentials): void => {
    try {
      const headers = firstFitting(waysOf({ ...wanted, ...credentials }), room);
      dialog.request({ ...request, headers }, (err, response) => {
        if (err !== null && err !== undefined) notSent(err);
        const credentials = response && credentialsFor(response);
        if (credentials) send(credentials);
        else done(response?.status);
      });
    } catch (err) {
      notSent(err);
      done(undefined);
    }
  };
  send({});
}

const placeholder = 'sip:placeholder';

/** The fullest first. Reason says to a log what became of a call (RFC 3326 §2): no more depends on it. */
function waysOf(headers: SrfHeaders): [SrfHeaders, SrfHeaders, SrfHeaders] {
  const { Reason: reason = '' } = headers;
  const short = reason.replace(/;text=.*$/s, '');
  return [headers, reason === '' ? headers : { ...headers, Reason: short }, withoutReason(headers)];
}

function withoutReason(headers: SrfHeaders): SrfHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'Reason'));
}
