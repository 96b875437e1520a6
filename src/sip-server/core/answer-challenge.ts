/** A session refresh of the server's own that the peer wants credentials for (RFC 3261 §22). */
export interface ChallengedRefresh {
  /** The dialog, as this side names it. */
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly method: string;
  /** Request-URI, as it was sent. */
  readonly uri: string;
  readonly status: 401 | 407;
  /** Value of WWW-Authenticate (401) or Proxy-Authenticate (407), several joined by commas. */
  readonly challenge: string;
  /** Address that the challenge came from. */
  readonly from: string;
  /** It carried credentials already. */
  readonly isRepeated: boolean;
}

/** The credentials to repeat it with, for a server, a proxy, or both; undefined if the challenge is not to be answered. */
export type AnswerChallenge = (
  refresh: ChallengedRefresh,
) => { readonly [Name in 'Authorization' | 'Proxy-Authorization']?: string } | undefined;
