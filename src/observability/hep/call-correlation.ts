import type { CallId } from '../../lib/ids.js';

interface KnownCall {
  /** In the order in which its legs had them. */
  readonly sipCallIds: Set<string>;
  id: string | undefined;
}

/** Calls that are remembered; the one that was heard of least lately goes first. */
const MAX_CALLS = 10_000;

/**
 * By which id a call's packets go together. Homer finds what belongs to a SIP message by its Call-ID, so it is that of the call's first
 * SIP dialog, and the call's own for one that has none. Once it was used it stays (decision 0363).
 */
export class CallCorrelation {
  readonly #calls = new Map<CallId, KnownCall>();
  readonly #callOf = new Map<string, CallId>();

  constructor(private readonly maxCalls = MAX_CALLS) {}

  /** A SIP leg of the call has this Call-ID. */
  belongs(sipCallId: string, call: CallId): void {
    if (sipCallId === '') return;
    this.#known(call).sipCallIds.add(sipCallId);
    this.#callOf.set(sipCallId, call);
  }

  callOf(sipCallId: string): CallId | undefined {
    return this.#callOf.get(sipCallId);
  }

  /** The call's id; undefined as long as it has no SIP dialog and none was decided on. */
  idOf(call: CallId): string | undefined {
    const known = this.#known(call);
    known.id ??= [...known.sipCallIds][0];
    return known.id;
  }

  /** The call's id, decided on now whatever is known. */
  settle(call: CallId): string {
    return this.idOf(call) ?? (this.#known(call).id = call);
  }

  #known(call: CallId): KnownCall {
    const known = this.#calls.get(call) ?? { sipCallIds: new Set<string>(), id: undefined };
    this.#calls.delete(call);
    this.#calls.set(call, known);
    if (this.#calls.size > this.maxCalls) this.#forgetOne();
    return known;
  }

  #forgetOne(): void {
    const [oldest] = this.#calls;
    if (!oldest) return;
    const [call, { sipCallIds }] = oldest;
    this.#calls.delete(call);
    for (const sipCallId of sipCallIds) this.#callOf.delete(sipCallId);
  }
}
