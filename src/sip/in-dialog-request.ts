import type { Logger } from '../lib/logger.js';
import type { Credentials, TrunkLogin } from './digest/trunk-login.js';
import type { SrfDialog, SrfHeaders, SrfResponse } from './drachtio-types.js';

export interface InDialogOptions {
  readonly dialog: Pick<SrfDialog, 'request'>;
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
 * Sends a request in a dialog, and again with credentials if it is challenged and the trunk's login answers that. Calls back
 * with the final status; undefined when it could not be sent. Never throws.
 */
export function requestInDialog(
  { dialog, login, logger }: InDialogOptions,
  request: InDialogRequest,
  done: (status: number | undefined) => void,
): void {
  const { method } = request;
  const notSent = (err: unknown): void => logger.warn(`${method} not sent`, { err });
  let once: TrunkLogin | undefined;
  const credentialsFor = (response: SrfResponse): Credentials | undefined => {
    if ((response.status !== 401 && response.status !== 407) || !response.req) return undefined;
    once ??= login();
    return once?.answer({ method, uri: response.req.uri }, response);
  };
  const send = (headers: SrfHeaders): void => {
    try {
      dialog.request({ ...request, headers }, (err, response) => {
        if (err !== null && err !== undefined) notSent(err);
        const credentials = response && credentialsFor(response);
        if (credentials) send({ ...request.headers, ...credentials });
        else done(response?.status);
      });
    } catch (err) {
      notSent(err);
      done(undefined);
    }
  };
  send(request.headers);
}
