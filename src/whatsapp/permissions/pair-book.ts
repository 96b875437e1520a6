import type { Clock } from '../../lib/clock.js';
import { Pair, type PairRules } from './pair.js';

/** The ids by which a user is known; each may be missing. */
export interface UserIds {
  readonly number?: string | undefined;
  /** Business-scoped user id, and the one of the parent portfolio. */
  readonly userId?: string | undefined;
  readonly parentUserId?: string | undefined;
}

interface Entry {
  readonly pair: Pair;
  /** At most one of each kind. */
  readonly keys: Set<string>;
}

const ID_KINDS = ['userId', 'parentUserId', 'number'] as const;

/**
 * All pairs of a business number and a user, found by any id of the user. Ids that Meta names together belong to one person,
 * so that what is known under each is known under both. The pairs that were not used for longest are forgotten.
 */
export class PairBook {
  readonly #byKey = new Map<string, Entry>();
  /** In the order of their last use. */
  readonly #entries = new Set<Entry>();

  constructor(
    private readonly clock: Clock,
    private readonly rules: PairRules,
    private readonly capacity: number,
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  /** In the order of their last use. */
  *pairs(): Iterable<Pair> {
    for (const { pair } of this.#entries) yield pair;
  }

  /** The pair of a number and a user; made when there is none. */
  of(numberId: string, user: UserIds): Pair {
    const keys = ID_KINDS.flatMap((kind) => (user[kind] === undefined ? [] : `${numberId}|${kind}|${user[kind]}`));
    const [first, ...others] = this.#known(keys);
    const entry = first ?? { pair: new Pair(this.clock, this.rules), keys: new Set<string>() };
    for (const other of others) this.#merge(entry, other);
    for (const key of keys) this.#file(entry, key);
    this.#entries.delete(entry);
    this.#entries.add(entry);
    if (this.#entries.size > this.capacity) this.#forgetOldest();
    return entry.pair;
  }

  /** Entries that have one of the keys and no other id of the same kind as one of them. */
  #known(keys: readonly string[]): Entry[] {
    const found = new Set(keys.flatMap((key) => this.#byKey.get(key) ?? []));
    return [...found].filter((entry) => !keys.some((key) => contradicts(entry, key)));
  }

  #merge(entry: Entry, other: Entry): void {
    entry.pair.absorb(other.pair);
    this.#entries.delete(other);
    for (const key of other.keys) this.#file(entry, key);
  }

  /** A number that has gone over to another person takes nothing with it. */
  #file(entry: Entry, key: string): void {
    const before = this.#byKey.get(key);
    if (before !== entry) before?.keys.delete(key);
    entry.keys.add(key);
    this.#byKey.set(key, entry);
  }

  #forgetOldest(): void {
    const [oldest] = this.#entries;
    if (!oldest) return;
    this.#entries.delete(oldest);
    for (const key of oldest.keys) this.#byKey.delete(key);
  }
}

/** The entry is filed under another id of this kind: another person, or one who changed the number. */
function contradicts({ keys }: Entry, key: string): boolean {
  const kind = `${key.split('|', 2).join('|')}|`;
  return !keys.has(key) && [...keys].some((other) => other.startsWith(kind));
}
