import { createHmac } from 'node:crypto';
import type { Clock } from '../../lib/clock.js';
import type { IdSource } from '../../lib/ids.js';
import { isSameSecret } from './same-secret.js';

/** How long a nonce of ours is taken, in milliseconds. */
export const nonceLifeMs = 60_000;

interface Use {
  count: number;
  readonly forgetAtMs: number;
}

/**
 * The nonces of our challenges: the time and an HMAC, so that nothing is kept for challenges that nobody answers. What is kept,
 * for a nonce's life, is how often each was used by somebody who knew the password: a count that does not grow is a replay
 * (RFC 7616 §5.12).
 */
export class Nonces {
  readonly #key: string;
  readonly #used = new Map<string, Use>();

  constructor(
    private readonly clock: Clock,
    private readonly ids: IdSource,
  ) {
    this.#key = ids.hex(32);
  }

  /** A nonce for one peer. */
  issue(peer: string): string {
    const body = `${Math.floor(this.clock.monotonicMs()).toString(16)}-${this.ids.hex(8)}`;
    return `${body}-${this.#seal(body, peer)}`;
  }

  /**
   * Whether the nonce is ours, was made for this peer, is young, and was not used with this count or a higher one. Notes the
   * use; to be asked only once the response is known to be right.
   */
  use(nonce: string, peer: string, count: number): boolean {
    const nowMs = this.clock.monotonicMs();
    this.#forget(nowMs);
    const [, body = '', time = '', seal = ''] = /^(([0-9a-f]{1,13})-[0-9a-f]{16})-([0-9a-f]{64})$/.exec(nonce) ?? [];
    if (body === '' || !isSameSecret(seal, this.#seal(body, peer))) return false;
    if (nowMs - parseInt(time, 16) >= nonceLifeMs) return false;
    const use = this.#used.get(nonce);
    if (count <= (use?.count ?? 0)) return false;
    if (use) use.count = count;
    else this.#used.set(nonce, { count, forgetAtMs: nowMs + nonceLifeMs });
    return true;
  }

  /** Nonces whose use is remembered. */
  get remembered(): number {
    return this.#used.size;
  }

  /** They stand in the order of their first use. */
  #forget(nowMs: number): void {
    for (const [nonce, { forgetAtMs }] of this.#used) {
      if (forgetAtMs > nowMs) return;
      this.#used.delete(nonce);
    }
  }

  #seal(body: string, peer: string): string {
    return createHmac('sha256', this.#key).update(`${body} ${peer}`).digest('hex');
  }
}
