/*
 * Whether a server of a trunk answers, by what is seen of it (reliability F-02): requests that it answered (hit) and requests
 * that nothing came back for (miss). It takes two misses in a row to be down and one hit to be up, so that one lost exchange
 * moves no calls.
 *
 *                   hit            miss, miss
 *      unknown ────────────► up ───────────────► down
 *         │                  ▲        hit         │ ▲
 *         │                  └────────────────────┘ │
 *         └──────────────── miss, miss ─────────────┘
 *
 *   state    misses   hit   miss
 *   unknown  0        up    unknown, 1
 *   unknown  1        up    down
 *   up       0        up    up, 1
 *   up       1        up    down
 *   down     2        up    down
 */

/** What is known of a server. */
export interface ServerState {
  readonly health: 'unknown' | 'up' | 'down';
  /** In a row, up to those that make it down. */
  readonly misses: number;
}

export type ServerEvent = 'hit' | 'miss';

/** Misses in a row after which a server is down. */
export const missesUntilDown = 2;

/** Nothing was heard of it yet. */
export const unknownServer: ServerState = { health: 'unknown', misses: 0 };

/** Every rule of a server's state. */
export function serverTransition({ health, misses }: ServerState, event: ServerEvent): ServerState {
  if (event === 'hit') return { health: 'up', misses: 0 };
  const missed = Math.min(misses + 1, missesUntilDown);
  return { health: missed === missesUntilDown ? 'down' : health, misses: missed };
}
