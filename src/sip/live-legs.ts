import type { EndReason } from '../call/end-reason.js';
import type { OrphanDialog } from '../call/journal.js';
import type { Leg } from '../call/leg.js';
import type { CallId } from '../lib/ids.js';
import type { ChallengedRefresh } from './digest/challenged-refresh.js';
import type { Credentials } from './digest/trunk-login.js';
import type { SrfMessage } from './drachtio-types.js';
import type { DialogIds } from './transfer/referral.js';

/** A leg whose wire runs over the connection to the SIP server. */
export interface LinkedLeg extends Leg {
  /** That connection is gone, and with it what the SIP server knew of the leg. */
  linkLost(): void;
  /** What of it is on the wire: what an application after us would have to end. Undefined when nothing is. */
  readonly orphan: OrphanDialog | undefined;
  /** Its dialog, once it stands. */
  readonly dialogIds: DialogIds | undefined;
  /** The credentials for a session refresh in it; undefined if it is not to be repeated. */
  answerRefresh(refresh: ChallengedRefresh): Credentials | undefined;
  /** On a leg that arrived: CANCEL came for its INVITE. */
  cancelled?(cancel: SrfMessage): void;
}

/** The SIP legs that are not over yet. */
export class LiveLegs {
  readonly #legs = new Map<LinkedLeg, CallId>();
  readonly #waiting: (() => void)[] = [];

  /** Is told whose Call-ID a leg has. */
  constructor(private readonly claim: (sipCallId: string, call: CallId) => void = () => undefined) {}

  get size(): number {
    return this.#legs.size;
  }

  add(leg: LinkedLeg, call: CallId): void {
    this.#legs.set(leg, call);
    this.claim(leg.facts['sipCallId'] ?? '', call);
  }

  remove(leg: LinkedLeg): void {
    this.#legs.delete(leg);
    if (this.#legs.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Whether a call of ours with this id is up: it came back to us if it turns up in an INVITE. */
  hasCall(id: string): boolean {
    return id !== '' && [...this.#legs.values()].some((call) => call === id);
  }

  /** The live leg that arrived with this Call-ID. */
  arrivedAs(sipCallId: string): LinkedLeg | undefined {
    return [...this.#legs.keys()].find((leg) => leg.cancelled !== undefined && leg.facts['sipCallId'] === sipCallId);
  }

  /** The leg with this dialog. */
  inDialog({ callId, localTag, remoteTag }: DialogIds): LinkedLeg | undefined {
    return [...this.#legs.keys()].find(({ dialogIds: ids }) => {
      return ids?.callId === callId && ids.localTag === localTag && ids.remoteTag === remoteTag;
    });
  }

  hangup(reason: EndReason): void {
    for (const leg of [...this.#legs.keys()]) leg.hangup(reason);
  }

  /** Tells all legs; returns what they leave open at the SIP server or the PBXs. */
  linkLost(): OrphanDialog[] {
    const legs = [...this.#legs.keys()];
    const orphans = legs.flatMap((leg) => leg.orphan ?? []);
    for (const leg of legs) leg.linkLost();
    return orphans;
  }

  /** Resolves once no leg is live. */
  none(): Promise<void> {
    if (this.#legs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
