import type { Clock } from '../../lib/clock.js';
import { CallTally, type OwnLimits } from './call-tally.js';
import {
  freeAtMs,
  remaining,
  SEND_REQUEST,
  START_CALL,
  type ActionAnswer,
  type PermissionAnswer,
} from './permission-answer.js';
import {
  isGranted,
  permissionTransition,
  unknownPermission,
  type PermissionInput,
  type PermissionState,
} from './permission-state.js';
import type { RequestResult } from './permission-types.js';

/** How long "no permission" is believed, in milliseconds: what the user grants in WhatsApp takes effect soon, webhook or not. */
const NEGATIVE_MS = 15_000;

export interface PairRules extends OwnLimits {
  /** Longest time that an answer is believed, in milliseconds. */
  readonly maxAgeMs: number;
}

/** One user and one business number: permission, what Meta last said of it, and how often the user was called and asked. */
export class Pair {
  readonly tally: CallTally;
  #state = unknownPermission;
  #learntAtMs = 0;
  #answer: { actions: ReadonlyMap<string, ActionAnswer>; askedAtMs: number; connectedSince: number } | undefined;
  /** Requests to Meta that are on their way, shared by calls that arrive meanwhile. */
  lookingUp: Promise<boolean> | undefined;
  asking: Promise<RequestResult> | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly rules: PairRules,
  ) {
    this.tally = new CallTally(rules);
  }

  get state(): PermissionState {
    return this.#state;
  }

  /** Applies what became known. @returns whether it was news: not older than what is known, not seen before */
  learn(event: PermissionInput): boolean {
    const next = permissionTransition(this.#state, event);
    if (next === this.#state) return false;
    this.#state = next;
    if (event.type === 'time') return true;
    this.#learntAtMs = this.clock.monotonicMs();
    this.#answer = undefined;
    return true;
  }

  /** Applies an answer of Meta's. `askedAtMs` is wall clock, `askedAtMonotonicMs` the same moment by the other clock. */
  learnAnswer(answer: PermissionAnswer, askedAtMs: number, askedAtMonotonicMs: number): void {
    const { status, expiresAtMs, actions } = answer;
    const isNews = this.learn({ type: 'looked_up', status, expiresAtMs, askedAtMs });
    if (isNews) this.#answer = { actions, askedAtMs: askedAtMonotonicMs, connectedSince: 0 };
  }

  /** Meta said by an error that no request can be sent now. */
  learnRequestRefused(): void {
    const actions = new Map(this.#answer?.actions).set(SEND_REQUEST, { can: false, limits: [] });
    const { askedAtMs = this.clock.monotonicMs(), connectedSince = 0 } = this.#answer ?? {};
    this.#answer = { actions, askedAtMs, connectedSince };
  }

  /** A call of ours was picked up. */
  callConnected(): void {
    this.tally.callConnected(this.clock.monotonicMs());
    if (this.#answer) this.#answer.connectedSince += 1;
  }

  /** What Meta last said of an action; undefined when it said nothing, or when that is outdated. */
  action(name: typeof START_CALL | typeof SEND_REQUEST): ActionAnswer | undefined {
    return this.#answer?.actions.get(name);
  }

  /** Whether what Meta last said takes the last call to this user into account. */
  get hasAnswerSinceLastCall(): boolean {
    return this.#answer !== undefined && this.#answer.askedAtMs >= (this.tally.lastCallAtMs ?? 0);
  }

  /** Whether what is known may still be believed now; if not, Meta is to be asked. */
  isBelieved(): boolean {
    this.learn({ type: 'time', atMs: this.clock.now() });
    if (this.#state.name === 'unknown') return false;
    return this.clock.monotonicMs() - this.#learntAtMs < this.#beliefMs() && !this.#isUsedUp();
  }

  /** Takes over what is known of the same user under another id; the newer knowledge wins. */
  absorb(other: Pair): void {
    this.tally.absorb(other.tally);
    if (other.#learntAtMs <= this.#learntAtMs) return;
    this.#state = other.#state;
    this.#learntAtMs = other.#learntAtMs;
    this.#answer = other.#answer;
  }

  #beliefMs(): number {
    const start = this.action(START_CALL);
    const negative = Math.min(NEGATIVE_MS, this.rules.maxAgeMs);
    if (!isGranted(this.#state)) return negative;
    if (start === undefined || start.can) return this.rules.maxAgeMs;
    const free = freeAtMs(start);
    return free !== undefined && this.clock.now() < free ? this.rules.maxAgeMs : negative;
  }

  /** Calls that were connected since Meta was asked have used up what it said was left: it is to be asked again. */
  #isUsedUp(): boolean {
    const start = this.action(START_CALL);
    if (!this.#answer || !start?.can) return false;
    const left = remaining(start);
    return left !== undefined && this.#answer.connectedSince >= Math.max(left, 1);
  }
}
