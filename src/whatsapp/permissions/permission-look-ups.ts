import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { WaNumber } from '../../routing/types.js';
import { isRateLimit } from '../graph-classify.js';
import { GraphError } from '../graph-error.js';
import type { Pair } from './pair.js';
import type { PermissionApi } from './permission-api.js';
import type { PermissionCount, PermissionTarget } from './permission-types.js';
import { TokenBucket } from './token-bucket.js';

/** Longest that a caller waits for a look-up, in milliseconds; then the call is placed and Meta decides. */
const LOOK_UP_MS = 2500;
/** How long no look-ups are made after Meta said there were too many (613) and named no time, in milliseconds. */
const RATE_PAUSE_MS = 1000;
/** However long Meta says: the Graph client, which knows how to try again, holds look-ups back for longer limits. */
const RATE_PAUSE_CAP_MS = 60_000;

export interface LookUpOptions {
  readonly api: PermissionApi;
  readonly rules: { readonly lookupsPerSecond: number };
  readonly clock: Clock;
  readonly count?: PermissionCount | undefined;
}

/** Asks Meta for permissions: once for calls to the same user at a time, at a bounded rate a number, within a deadline. */
export class PermissionLookUps {
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(private readonly options: LookUpOptions) {}

  /** Looks a pair's permission up. @returns whether the pair now knows what Meta says; never rejects */
  async of(pair: Pair, target: PermissionTarget): Promise<boolean> {
    const { clock, count } = this.options;
    const { number, logger } = target;
    if (!pair.lookingUp) {
      if (!this.#bucketOf(number).take()) {
        logger.warn('too many permission look-ups, call placed without one', { number: number.name });
        count?.('lookup', 'skipped', number.name);
        return false;
      }
      pair.lookingUp = this.#start(pair, target).finally(() => (pair.lookingUp = undefined));
    }
    try {
      return await withDeadline(pair.lookingUp, LOOK_UP_MS, 'permission look-up', clock);
    } catch (err) {
      logger.warn('permission look-up takes too long, call placed without it', { number: number.name, err });
      count?.('lookup', 'late', number.name);
      return false;
    }
  }

  /** An answer that comes after the caller stopped waiting is learnt all the same. */
  async #start(pair: Pair, { number, user, logger }: PermissionTarget): Promise<boolean> {
    const { api, clock, count } = this.options;
    const [askedAtMs, askedAtMonotonicMs] = [clock.now(), clock.monotonicMs()];
    const abort = new AbortController();
    const noRepeat = clock.after(LOOK_UP_MS, () => abort.abort());
    try {
      const answer = await api.lookUp({ numberId: number.id, user, logger, signal: abort.signal });
      pair.learnAnswer(answer, askedAtMs, askedAtMonotonicMs);
      logger.debug('permission looked up', { number: number.name, status: answer.statusText, state: pair.state.name });
      count?.('lookup', answer.status, number.name);
      return true;
    } catch (err) {
      if (err instanceof GraphError && isRateLimit(err)) {
        const namedMs = err.retryAfterS === undefined ? RATE_PAUSE_MS : err.retryAfterS * 1000;
        this.#bucketOf(number).drain(Math.min(namedMs, RATE_PAUSE_CAP_MS));
      }
      logger.warn('permission look-up failed, call placed without it', { number: number.name, err });
      count?.('lookup', 'failed', number.name);
      return false;
    } finally {
      noRepeat.cancel();
    }
  }

  #bucketOf({ id }: WaNumber): TokenBucket {
    const known = this.#buckets.get(id);
    const bucket = known ?? new TokenBucket(this.options.clock, this.options.rules.lookupsPerSecond);
    if (!known) this.#buckets.set(id, bucket);
    return bucket;
  }
}
