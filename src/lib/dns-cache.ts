import type { Clock } from './clock.js';
import { withDeadline } from './deadline.js';
import type { DnsClient } from './dns-client.js';

export interface DnsCacheOptions {
  readonly clock: Pick<Clock, 'monotonicMs' | 'after' | 'now'>;
  /** Longest wait for one answer. */
  readonly deadlineMs: number;
}

/** How long answers are remembered: node tells no lifetime of most records. */
const goodMs = 30_000;
/** That there is no answer, or none that helps, is asked again sooner. */
const badMs = 5_000;
/** Most answers remembered, and most questions out at a time: names come from strangers' messages. */
const limits = { remembered: 1_000, asking: 64 };

interface Remembered {
  readonly answer: Promise<unknown>;
  untilMs: number;
}

/**
 * Answers from memory where it can. A name that hangs costs who asks for it the deadline once, and nobody else anything;
 * while too many hang, further names fail at once.
 */
export function cachedDns(dns: DnsClient, { clock, deadlineMs }: DnsCacheOptions): DnsClient {
  const known = new Map<string, Remembered>();
  let asking = 0;

  function asked<T>(ask: () => Promise<readonly T[]>, key: string): Promise<readonly T[]> {
    if (asking >= limits.asking) return Promise.reject(new Error('too many DNS questions are open'));
    asking++;
    // Room is freed when the answer is here, not when nobody waits for it any more.
    const question = ask().finally(() => asking--);
    const answer = withDeadline(question, deadlineMs, key, clock);
    const entry: Remembered = { answer, untilMs: Number.POSITIVE_INFINITY };
    remember(key, entry);
    const settle = (forMs: number): void => void (entry.untilMs = clock.monotonicMs() + forMs);
    answer.then(
      (list) => settle(list.length > 0 ? goodMs : badMs),
      () => settle(badMs),
    );
    return answer;
  }

  function remember(key: string, entry: Remembered): void {
    const [oldest] = known.keys();
    if (known.size >= limits.remembered && oldest !== undefined) known.delete(oldest);
    known.delete(key);
    known.set(key, entry);
  }

  function recall<T>(kind: string, name: string, ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
    const key = `${kind} ${name.toLowerCase()}`;
    const entry = known.get(key);
    // The key says of which kind the answer is.
    if (entry && clock.monotonicMs() < entry.untilMs) return entry.answer as Promise<readonly T[]>;
    return asked(ask, key);
  }

  return {
    addresses: (host) => recall('address', host, () => dns.addresses(host)),
    srv: (name) => recall('SRV', name, () => dns.srv(name)),
    naptr: (name) => recall('NAPTR', name, () => dns.naptr(name)),
  };
}
