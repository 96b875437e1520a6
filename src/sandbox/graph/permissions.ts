import { invalidParameter, permanentPermissionExists, permissionRequestLimit } from './graph-error.js';

export type PermissionStatus = 'no_permission' | 'temporary' | 'permanent';

const DAY_MS = 86_400_000;
const TEMPORARY_MS = 7 * DAY_MS;
const REQUESTS_A_DAY = 1;
const REQUESTS_A_WEEK = 2;
const CALLS_A_DAY = 100;
/** Calls in a row that nobody picked up, after which Meta takes the permission away. */
const UNANSWERED_REVOKES = 4;

interface Limit {
  readonly period: 'PT24H' | 'P7D';
  readonly max: number;
  readonly lengthMs: number;
}

const REQUEST_LIMITS: readonly Limit[] = [
  { period: 'PT24H', max: REQUESTS_A_DAY, lengthMs: DAY_MS },
  { period: 'P7D', max: REQUESTS_A_WEEK, lengthMs: 7 * DAY_MS },
];
const CALL_LIMITS: readonly Limit[] = [{ period: 'PT24H', max: CALLS_A_DAY, lengthMs: DAY_MS }];

function limitEntry(limit: Limit, uses: readonly number[], nowMs: number): { full: boolean; entry: object } {
  const within = uses.filter((at) => at > nowMs - limit.lengthMs);
  const full = within.length >= limit.max;
  const expires = full ? { limit_expiration_time: Math.ceil((Math.min(...within) + limit.lengthMs) / 1000) } : {};
  return {
    full,
    entry: { time_period: limit.period, max_allowed: limit.max, current_usage: within.length, ...expires },
  };
}

/** One user's leave to be called by this number, and how often it was asked for and used (Meta's permission page). */
export class CallPermission {
  #status: PermissionStatus;
  #expiresAtMs: number | undefined;
  #requests: number[] = [];
  readonly #calls: number[] = [];
  #unanswered = 0;

  constructor(status: PermissionStatus, nowMs: number) {
    this.#status = status;
    this.#expiresAtMs = status === 'temporary' ? nowMs + TEMPORARY_MS : undefined;
  }

  status(nowMs: number): PermissionStatus {
    const lapsed = this.#expiresAtMs !== undefined && this.#expiresAtMs <= nowMs;
    return lapsed ? 'no_permission' : this.#status;
  }

  /** Milliseconds since the epoch; temporary permissions only. */
  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs;
  }

  /** The user decides: temporary permission runs for seven days. */
  decide(status: PermissionStatus, nowMs: number): void {
    this.#status = status;
    this.#expiresAtMs = status === 'temporary' ? nowMs + TEMPORARY_MS : undefined;
    this.#unanswered = 0;
  }

  /** The business asks. @throws GraphRefusal 138017 or 138009 */
  request(nowMs: number): void {
    if (this.#status === 'permanent') throw permanentPermissionExists();
    if (REQUEST_LIMITS.some((limit) => limitEntry(limit, this.#requests, nowMs).full)) throw permissionRequestLimit();
    this.#requests.push(nowMs);
  }

  /** A call was picked up: requests may be sent afresh. */
  connected(nowMs: number): void {
    this.#calls.push(nowMs);
    this.talked();
  }

  /** Business and user talked, whoever called. */
  talked(): void {
    this.#requests = [];
    this.#unanswered = 0;
  }

  /** A call of the business's was not picked up. @returns whether the permission is to be taken away for it */
  unanswered(): boolean {
    this.#unanswered += 1;
    return this.#unanswered === UNANSWERED_REVOKES;
  }

  /** Whether the day's calls to this user are used up (138012). */
  callLimitReached(nowMs: number): boolean {
    return CALL_LIMITS.some((limit) => limitEntry(limit, this.#calls, nowMs).full);
  }

  /** The reply of GET call_permissions. */
  describe(nowMs: number): object {
    const status = this.status(nowMs);
    const requests = REQUEST_LIMITS.map((limit) => limitEntry(limit, this.#requests, nowMs));
    const calls = CALL_LIMITS.map((limit) => limitEntry(limit, this.#calls, nowMs));
    const expires =
      status === 'temporary' && this.#expiresAtMs !== undefined
        ? { expiration_time: Math.floor(this.#expiresAtMs / 1000) }
        : {};
    return {
      messaging_product: 'whatsapp',
      permission: { status, ...expires },
      actions: [
        {
          action_name: 'send_call_permission_request',
          can_perform_action: status !== 'permanent' && requests.every(({ full }) => !full),
          limits: requests.map(({ entry }) => entry),
        },
        {
          action_name: 'start_call',
          can_perform_action: status !== 'no_permission' && calls.every(({ full }) => !full),
          limits: calls.map(({ entry }) => entry),
        },
      ],
    };
  }
}

/** Meta's business-scoped user ids: country code, dot, letters and digits. */
const USER_ID = /^[A-Z]{2}\.[A-Za-z0-9.]{1,125}$/;

/**
 * The user that a request names: a number in `numberField`, else a business-scoped user id in `recipient`; with both the
 * number wins (Meta's page on business-scoped user ids). @throws GraphRefusal 100
 */
export function readUser(fields: Readonly<Record<string, unknown>>, numberField: 'to' | 'user_wa_id'): string {
  const { [numberField]: number, recipient } = fields;
  if (number !== undefined || recipient === undefined) return readNumber(number, numberField);
  if (typeof recipient !== 'string' || !USER_ID.test(recipient)) {
    throw invalidParameter('recipient must be a business-scoped user id');
  }
  return recipient;
}

/** A number: digits with or without a plus. */
function readNumber(value: unknown, field: string): string {
  const digits = typeof value === 'string' ? value.replace(/^\+/, '') : typeof value === 'number' ? String(value) : '';
  if (!/^\d{5,15}$/.test(digits)) throw invalidParameter(`${field} must be a phone number`);
  return digits;
}
