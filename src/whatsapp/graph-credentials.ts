import type { Clock, Timer } from '../lib/clock.js';
import type { Logger } from '../lib/logger.js';
import { isPermissionMissing, isTokenRefused } from './graph-classify.js';
import { GraphError } from './graph-error.js';

export interface GraphCredentialsOptions {
  readonly token: () => string;
  /** The business numbers; without any nothing is checked. */
  readonly numberIds: readonly string[];
  /** A request that shows whether Meta takes the token for a number; it reports what came of it by itself. */
  readonly probe: (numberId: string) => Promise<unknown>;
  /** Told when new work is refused from now on, so that what waits can be refused as well. */
  readonly onRefused: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A judgement of Meta's and the token it was about. */
interface Refusal {
  readonly token: string;
  readonly error: GraphError;
}

/** Pause before credentials that were refused are tried again, in milliseconds: doubling from the first to the second. */
const RETRY_FROM_MS = 5_000;
const RETRY_TO_MS = 60_000;
/** Between two looks at credentials that work, in milliseconds. */
const ROUTINE_MS = 5 * 60_000;
/** What the PBX is told to wait, in seconds. */
const RETRY_AFTER_S = 60;

/**
 * Whether Meta takes our access token: refused as a whole (code 190), or without the right to a number (10, 200 to 299). A
 * judgement holds for the token it was made of, so that another token is free of it at once. While one holds, the token is tried
 * again and again by a look-up that costs nothing.
 */
export class GraphCredentials {
  #refused: Refusal | undefined;
  readonly #missing = new Map<string, Refusal>();
  #timer: Timer | undefined;
  #retryMs = RETRY_FROM_MS;
  #turn = 0;
  #isClosed = false;
  #numberIds: readonly string[];

  constructor(private readonly options: GraphCredentialsOptions) {
    this.#numberIds = options.numberIds;
    this.#arm(ROUTINE_MS);
  }

  /** The business numbers are these from now on. */
  useNumbers(numberIds: readonly string[]): void {
    const hadNone = this.#numberIds.length === 0;
    this.#numberIds = numberIds;
    if (hadNone) this.#arm(ROUTINE_MS);
  }

  /** False while the token is refused, or has the right to none of the numbers. */
  get ok(): boolean {
    const numberIds = this.#numberIds;
    return numberIds.length === 0 || numberIds.some((numberId) => this.#judgement(numberId) === undefined);
  }

  /** The error of new work on this number; undefined when it may go. */
  refusal(numberId: string): GraphError | undefined {
    const error = this.#judgement(numberId)?.error;
    if (!error) return undefined;
    const { metaCode, metaSubcode, title, details } = error;
    const facts = { metaCode, metaSubcode, title, details, httpStatus: 401, retryAfterS: RETRY_AFTER_S, unsent: true };
    return new GraphError('held', error.message, facts);
  }

  /** Meta answered a request that was sent with this token. */
  answered(numberId: string, token: string): void {
    if (token !== this.options.token()) return;
    const isNews = this.#refused !== undefined || this.#missing.has(numberId);
    this.#refused = undefined;
    this.#missing.delete(numberId);
    if (!isNews) return;
    this.options.logger.info('Meta takes the credentials again', { numberId });
    if (this.#missing.size === 0) this.#arm(ROUTINE_MS);
  }

  /** A request that was sent with this token failed. */
  failed(numberId: string, token: string, error: GraphError): void {
    const isAll = isTokenRefused(error);
    if (token !== this.options.token() || (!isAll && !isPermissionMissing(error))) return;
    const known = isAll ? this.#refused : this.#missing.get(numberId);
    const refusal = { token, error };
    if (isAll) this.#refused = refusal;
    else {
      // Meta knows the token, or it would not look at its rights.
      this.#refused = undefined;
      this.#missing.set(numberId, refusal);
    }
    if (known?.token === token) return;
    const { metaCode, metaSubcode, title, details, message: why } = error;
    const said = { ...(!isAll && { numberId }), metaCode, metaSubcode, title, details, why };
    this.options.logger.error('Meta refuses the credentials: no calls can be placed', said);
    this.#arm(this.#retryMs);
    this.options.onRefused();
  }

  /** The token has been replaced: it is tried at once. */
  tokenChanged(): void {
    this.#retryMs = RETRY_FROM_MS;
    this.#arm(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #judgement(numberId: string): Refusal | undefined {
    const token = this.options.token();
    if (this.#refused?.token === token) return this.#refused;
    const missing = this.#missing.get(numberId);
    return missing?.token === token ? missing : undefined;
  }

  #arm(delayMs: number): void {
    this.#timer?.cancel();
    if (this.#isClosed || this.#numberIds.length === 0) return;
    this.#timer = this.options.clock.after(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#numberIds.length === 0) return;
    const numberId = this.#suspect();
    this.#arm(this.#nextMs());
    // What it finds comes back by `answered` and `failed`.
    await this.options.probe(numberId).catch(() => undefined);
  }

  /** The number to look with: one that is in doubt, else the next in turn. */
  #suspect(): string {
    const numberIds = this.#numberIds;
    const doubted = numberIds.filter((numberId) => this.#missing.has(numberId));
    const among = doubted.length > 0 ? doubted : numberIds;
    return among[this.#turn++ % among.length] ?? '';
  }

  #nextMs(): number {
    if (this.#refused === undefined && this.#missing.size === 0) {
      this.#retryMs = RETRY_FROM_MS;
      return ROUTINE_MS;
    }
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(delayMs * 2, RETRY_TO_MS);
    return delayMs;
  }
}
