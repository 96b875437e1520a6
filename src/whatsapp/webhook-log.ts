import type { Clock } from '../lib/clock.js';
import type { CallId } from '../lib/ids.js';
import type { LogFields, Logger } from '../lib/logger.js';
import { BoundedMemory } from './bounded-memory.js';
import { PARKED_MS, type CallDirectory } from './call-directory.js';
import type { WebhookError } from './graph-cause.js';
import type { WebhookEvent, WebhookResult } from './webhook-events.js';

/** How long the same warning is not repeated, in milliseconds. */
const QUIET_MS = 60_000;
/** How long a number that is not configured counts as seen, in milliseconds: the set-up is not going to change by itself. */
const FOREIGN_QUIET_MS = 24 * 3600_000;
const WARNINGS_KEPT = 1000;

export interface WebhookLogOptions {
  readonly directory: Pick<CallDirectory, 'callOf' | 'knows'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * What is said of webhook events: each at debug, and as a warning, bounded in number, those that were dropped although an
 * operator may wonder where a call went.
 */
export class WebhookLog {
  readonly #quiet: BoundedMemory<true>;
  readonly #foreign: BoundedMemory<true>;

  constructor(private readonly options: WebhookLogOptions) {
    this.#quiet = new BoundedMemory(options.clock, QUIET_MS, WARNINGS_KEPT);
    this.#foreign = new BoundedMemory(options.clock, FOREIGN_QUIET_MS, WARNINGS_KEPT);
  }

  /** Notes what became of an event that came in. */
  event(event: WebhookEvent, result: WebhookResult): void {
    const about = { ...this.#about(event), result };
    const what = event.kind === 'unknown' ? { field: event.field, what: event.what } : undefined;
    this.options.logger.debug('webhook event', { ...about, ...what });
    this.#warnOfResult(event, result, about);
    this.#warnOfErrors(event, result, about);
  }

  failed(event: WebhookEvent, err: unknown): void {
    this.options.logger.error('webhook event failed', { ...this.#about(event), err });
  }

  #about(event: WebhookEvent): LogFields {
    const { kind, numberId } = event;
    if (!('waCallId' in event)) return { kind, numberId };
    const call: CallId | undefined = this.options.directory.callOf(event);
    return { kind, numberId, waCallId: event.waCallId, ...(call && { call }) };
  }

  #warnOfResult(event: WebhookEvent, result: WebhookResult, about: LogFields): void {
    const key = `${result}|${event.kind}|${event.numberId ?? ''}`;
    switch (result) {
      case 'not_graph':
        return this.#warn(key, 'webhook call on a number that is set to SIP signalling', about);
      case 'foreign_number':
        return this.#warn(event.numberId ?? '', 'webhook of a number that is not configured', about, this.#foreign);
      case 'stale':
        return this.#warn(key, 'webhook call is too old or from the future', { ...about, ...this.#age(event) });
      default:
        return;
    }
  }

  #age(event: WebhookEvent): LogFields {
    if (!('timestampMs' in event) || event.timestampMs === undefined) return {};
    const ageS = Math.round((this.options.clock.now() - event.timestampMs) / 1000);
    const late = 'Meta delivered late, or the clock of this host is ahead';
    return { ageS, hint: ageS < 0 ? 'the clock of this host is behind' : late };
  }

  /** Errors that a call has are its reason to end; these are nobody's. */
  #warnOfErrors(event: WebhookEvent, result: WebhookResult, about: LogFields): void {
    const errors = 'errors' in event ? event.errors : [];
    if (errors.length === 0 || hasTakenErrors.has(result)) return;
    if (result !== 'parked' || !('waCallId' in event)) return this.#warnOf(errors, about);
    const { directory, clock } = this.options;
    clock.after(PARKED_MS, () => {
      if (!directory.knows(event.waCallId)) this.#warnOf(errors, about);
    });
  }

  #warnOf(errors: readonly WebhookError[], about: LogFields): void {
    for (const { code, title, details } of errors) {
      const key = `errors|${String(about['numberId'])}|${code}`;
      this.#warn(key, 'webhook errors that belong to no call', { ...about, metaCode: code, title, details });
    }
  }

  #warn(key: string, message: string, fields: LogFields, memory = this.#quiet): void {
    if (memory.has(key)) return;
    memory.add(key, true);
    this.options.logger.warn(message, fields);
  }
}

/** The event reached its call, or did so before, or has its own warning. */
const hasTakenErrors: ReadonlySet<WebhookResult> = new Set(['handled', 'duplicate', 'foreign_number', 'failed']);
