import type { EndReason } from '../../call/end-reason.js';
import type { CallId } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { WaNumber } from '../../routing/types.js';
import type { UserAddress } from '../../routing/user-address.js';

/** What is counted: look-ups and requests by their result, and calls that were refused by the reason's code. */
export type PermissionCount = (
  what: 'lookup' | 'request' | 'refusal',
  result: string,
  /** Alias of the business number. */
  number: string,
) => void;

/** The call that wants to be placed. */
export interface GatedCall {
  readonly id: CallId;
  /** Whether it has ended meanwhile, so that nobody is asked for it. */
  readonly isOver: () => boolean;
}

/** Whose permission it is about, and the logger of the call that needs it. */
export interface PermissionTarget {
  readonly number: WaNumber;
  readonly user: UserAddress;
  readonly logger: Logger;
}

/** What came of sending a permission request; `granted`: there is no need, the user may be called. */
export type RequestResult =
  { readonly is: 'sent' } | { readonly is: 'granted' } | { readonly is: 'failed'; readonly reason: EndReason };
