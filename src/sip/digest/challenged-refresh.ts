import type { DialogIds } from '../transfer/referral.js';
import type { ChallengedRequest, Credentials, TrunkLogin } from './trunk-login.js';

/** A session refresh (RFC 4028) that the SIP server sent by itself, and that was challenged. */
export interface ChallengedRefresh extends DialogIds, ChallengedRequest {
  readonly status: 401 | 407;
  /** Value of WWW-Authenticate (401) or Proxy-Authenticate (407). */
  readonly challenge: string;
  /** Address that the challenge came from. */
  readonly from: string;
  /** It carried credentials already. */
  readonly isRepeated: boolean;
}

/** Answers the challenges to the session refreshes of one dialog. */
export class RefreshLogin {
  #current: TrunkLogin | undefined;

  /** `login` makes a fresh login, one for each refresh. */
  constructor(private readonly login: () => TrunkLogin | undefined) {}

  answer(refresh: ChallengedRefresh): Credentials | undefined {
    const { status, challenge, from, isRepeated } = refresh;
    if (!isRepeated) this.#current = this.login();
    return this.#current?.answer(refresh, { status, source_address: from, get: () => challenge });
  }
}
