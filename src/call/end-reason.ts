import { causeTable, type Cause, type EndCode } from './failure-table.js';

export type { EndCode, ResultClass } from './failure-table.js';

/** Who ended it: the leg that originated the call, the leg that was dialled, or the bridge itself. */
export type EndedBy = 'a' | 'b' | 'bridge';

/** Why a call ended, with all that derives from it. */
export interface EndReason extends Cause {
  readonly code: EndCode;
  /** What the other side said, not yet sanitised for headers. */
  readonly text?: string;
  /** Meta's error code, when Meta gave one. */
  readonly metaCode?: number;
  /** Seconds after which a new attempt makes sense, for Retry-After. */
  readonly retryAfterS?: number;
}

/** What may be said beyond the code; a `sipStatus` or `q850` here overrides the table. */
export type EndDetail = Partial<Pick<EndReason, 'sipStatus' | 'q850' | 'text' | 'metaCode' | 'retryAfterS'>>;

/** Makes an EndReason from its code; status, cause and result come from the failure table unless given. */
export function endReason(code: EndCode, detail: EndDetail = {}): EndReason {
  return { code, ...causeTable[code], ...detail };
}
