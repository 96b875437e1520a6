import type { Clock } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import {
  breakerStep,
  closedBreaker,
  refusedForMs,
  wantsProbe,
  type BreakerEvent,
  type BreakerState,
} from './graph-breaker.js';
import { faultScope, limitReach } from './graph-classify.js';
import { GraphError, type GraphErrorFacts } from './graph-error.js';
import type { Queued } from './graph-queue.js';
import { isNewWork } from './graph-request.js';
import { readUsage, type Usage } from './graph-usage.js';

export interface GraphGateOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told when new work is refused from now on, so that what waits can be refused as well. */
  readonly onShut: () => void;
}

/** A request that was let through; tell exactly one of these how it went. */
export interface Pass {
  answered(): void;
  failed(error: GraphError): void;
}

/** One breaker with what Meta said when it opened. */
interface Breaker {
  state: BreakerState;
  /** For the errors of what is refused. */
  facts: GraphErrorFacts;
}

/** A warning of usage is repeated only after it had fallen below the second mark. */
const WARN_PERCENT = 80;
const CALM_PERCENT = 60;

type Scope = 'app' | 'number';

/**
 * Holds back new work (lanes `connect` and `other`) while Meta limits us or cannot be reached; ending and answering calls goes
 * on. The app has one breaker, each number one for calls and one for all else: a look-up limit keeps nobody from calling, and a
 * broken number touches no other.
 */
export class GraphGate {
  readonly #breakers = new Map<string, Breaker>();
  readonly #warned = new Set<string>();

  constructor(private readonly options: GraphGateOptions) {}

  /** Why a request would be refused now; undefined when it may go. */
  refusal(asked: Queued): GraphError | undefined {
    if (!isNewWork(asked)) return undefined;
    const nowMs = this.options.clock.monotonicMs();
    for (const breaker of this.#over(asked)) {
      const forMs = refusedForMs(breaker.state, nowMs);
      if (forMs !== undefined) return heldBack(breaker, forMs);
    }
    return undefined;
  }

  /** Lets a request through that `refusal` had nothing against. */
  enter(asked: Queued): Pass {
    const nowMs = this.options.clock.monotonicMs();
    const probed = this.#over(asked).filter(({ state }) => isNewWork(asked) && wantsProbe(state, nowMs));
    for (const breaker of probed) this.#step(breaker, { type: 'probe_sent' });
    const tell = (scope: Scope, event: (isProbe: boolean) => BreakerEvent, facts?: GraphErrorFacts): void => {
      const breaker = this.#breaker(asked, scope);
      this.#step(breaker, event(probed.includes(breaker)), facts);
    };
    return {
      answered: () => this.#answered(tell, undefined),
      failed: (error) => this.#failed(tell, error),
    };
  }

  /** Takes in the usage headers of any answer. */
  noteUsage(asked: Queued, headers: Headers): void {
    for (const usage of readUsage(headers)) {
      this.#warnOf(usage, asked.numberId);
      if (usage.refusedForMs === undefined) continue;
      const facts = { httpStatus: 429, title: 'Meta’s usage headers say that the allowance is used up' };
      const limited = { type: 'limited', isProbe: false, namedMs: usage.refusedForMs, baseMs: 0 } as const;
      for (const kind of usage.scope === 'app' ? [asked.lane] : (['connect', 'other'] as const)) {
        this.#step(this.#breaker({ ...asked, lane: kind }, usage.scope), limited, facts);
      }
    }
  }

  #answered(tell: Tell, except: Scope | undefined): void {
    for (const scope of ['app', 'number'] as const) {
      if (scope !== except) tell(scope, (isProbe) => ({ type: 'answered', isProbe }));
    }
  }

  #failed(tell: Tell, error: GraphError): void {
    const limit = limitReach(error);
    if (limit) {
      const namedMs = error.retryAfterS === undefined ? undefined : error.retryAfterS * 1000;
      const facts = { ...saidIn(error), httpStatus: 429 };
      tell(limit.scope, (isProbe) => ({ type: 'limited', isProbe, namedMs, baseMs: limit.baseMs }), facts);
      return this.#answered(tell, limit.scope);
    }
    const scope = faultScope(error);
    if (scope) tell(scope, (isProbe) => ({ type: 'faulted', isProbe }), saidIn(error));
    if (error.fault === 'api' || error.fault === 'answer') return this.#answered(tell, scope);
    for (const other of ['app', 'number'] as const) {
      if (other !== scope) tell(other, (isProbe) => ({ type: 'unsent', isProbe }));
    }
  }

  #step(breaker: Breaker, event: BreakerEvent, facts: GraphErrorFacts = {}): void {
    const nowMs = this.options.clock.monotonicMs();
    const before = breaker.state;
    breaker.state = breakerStep(before, event, nowMs);
    if (breaker.state.phase === 'open' && breaker.state !== before && event.type !== 'unsent') breaker.facts = facts;
    this.#report(breaker, before);
  }

  #report({ state, facts }: Breaker, before: BreakerState): void {
    if (before.phase === 'closed' && state.phase === 'open') {
      const forMs = Math.round(state.untilMs - this.options.clock.monotonicMs());
      this.options.logger.warn('new requests to Meta are held back', { why: state.why, forMs, ...facts });
      this.options.onShut();
    }
    if (before.phase !== 'closed' && state.phase === 'closed') {
      this.options.logger.info('requests to Meta are no longer held back');
    }
  }

  #warnOf({ scope, percent }: Usage, numberId: string): void {
    const who = scope === 'app' ? scope : numberId;
    if (percent < CALM_PERCENT) this.#warned.delete(who);
    if (percent < WARN_PERCENT || this.#warned.has(who)) return;
    this.#warned.add(who);
    this.options.logger.warn('Meta’s allowance is nearly used up', {
      scope,
      percent,
      ...(scope === 'number' && { numberId }),
    });
  }

  #over(asked: Queued): Breaker[] {
    return [this.#breaker(asked, 'app'), this.#breaker(asked, 'number')];
  }

  #breaker({ lane, numberId }: Queued, scope: Scope): Breaker {
    const key = scope === 'app' ? scope : `${numberId} ${lane === 'other' ? 'other' : 'calls'}`;
    const known = this.#breakers.get(key);
    if (known) return known;
    const breaker: Breaker = { state: closedBreaker, facts: {} };
    this.#breakers.set(key, breaker);
    return breaker;
  }
}

type Tell = (scope: Scope, event: (isProbe: boolean) => BreakerEvent, facts?: GraphErrorFacts) => void;

/** What Meta said, for whoever is refused because of it. */
const saidIn = ({ metaCode, metaSubcode, title, details }: GraphError): GraphErrorFacts => ({
  metaCode,
  metaSubcode,
  title,
  details,
});

function heldBack({ state, facts }: Breaker, forMs: number): GraphError {
  const why = state.phase !== 'closed' && state.why === 'fault' ? 'Meta cannot be reached' : 'Meta asks to slow down';
  return new GraphError('held', why, { ...facts, retryAfterS: Math.max(1, Math.ceil(forMs / 1000)), unsent: true });
}
