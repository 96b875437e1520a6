import type { Journal, JournalEvent } from '../call/journal.js';
import type { CallObserver, CallStep } from '../call/observer.js';
import type { Clock, Timer } from '../lib/clock.js';
import { withDeadline } from '../lib/deadline.js';
import type { CallId, WaCallId } from '../lib/ids.js';
import type { Logger } from '../lib/logger.js';
import type { MediaEngine } from '../media/media-engine.js';
import type { WaNumber } from '../routing/types.js';
import { isAcceptedAlready, isRateLimit, isTransient } from './graph-classify.js';
import type { CallActions } from './graph-client.js';
import { GraphError } from './graph-error.js';
import { JournalError } from './leg-reason.js';
import type { CallDirectory } from './call-directory.js';

/** Longest wait for the journal, in milliseconds. */
const JOURNAL_DEADLINE_MS = 2000;
/** Longest a leg takes to end, in milliseconds; what is still on its way then goes on without it. */
const END_DEADLINE_MS = 15_000;
/** How long Meta's terminate, with the times that it bills by, is waited for once ours is through, in milliseconds. */
const LAST_WORD_MS = 1000;

/** What both kinds of WhatsApp leg work with. */
export interface WhatsAppLegDeps {
  readonly graph: CallActions;
  readonly media: MediaEngine;
  readonly directory: CallDirectory;
  readonly journal: Journal;
  readonly observer: CallObserver;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The Meta side of one leg: requests with their timeline, journal entries, and the timers of the leg. */
export class LegWire {
  readonly #timers = new Map<string, Timer>();
  #isStopping = false;

  constructor(
    private readonly deps: WhatsAppLegDeps,
    private readonly call: CallId,
    private readonly number: WaNumber,
  ) {}

  step(step: CallStep, detail: Readonly<Record<string, string | number | boolean>>): void {
    this.deps.observer.step(this.call, step, detail);
  }

  /** Appends to the journal before the step it names is taken. @throws JournalError */
  async journal(event: JournalEvent, data: Readonly<Record<string, string>>): Promise<void> {
    const entry = { call: this.call, event, data: { leg: 'whatsapp', numberId: this.number.id, ...data } };
    try {
      await withDeadline(this.deps.journal.append(entry), JOURNAL_DEADLINE_MS, 'journal', this.deps.clock);
    } catch (cause) {
      throw new JournalError(cause);
    }
  }

  /** Posts one action and notes on the timeline what came of it. */
  async request<T>(step: CallStep, send: () => Promise<T>): Promise<T> {
    const startedMs = this.deps.clock.monotonicMs();
    const tookMs = (): number => Math.round(this.deps.clock.monotonicMs() - startedMs);
    try {
      const answer = await send();
      this.step(step, { direction: 'out', ok: true, tookMs: tookMs() });
      return answer;
    } catch (error) {
      const code = error instanceof GraphError ? (error.metaCode ?? error.fault) : 'internal';
      this.step(step, { direction: 'out', ok: false, tookMs: tookMs(), code });
      throw error;
    }
  }

  /** Ends the call at Meta; resolves when that is done or given up. */
  async end(action: 'reject' | 'terminate', waCallId: WaCallId): Promise<void> {
    const ref = { numberId: this.number.id, waCallId, logger: this.deps.logger };
    try {
      await this.request(`graph.${action}`, () => this.deps.graph[action](ref));
    } catch (err) {
      // Meta's own time-outs end the call in the end: its client gives up without media after 20 to 30 s.
      this.deps.logger.error('call could not be ended at Meta', { action, waCallId, err });
    }
  }

  /** The daemon stops: Meta's terminate is not waited for. */
  stopping(): void {
    this.#isStopping = true;
  }

  /** Waits for Meta's own terminate once ours is through. */
  armWord(fire: () => void): void {
    if (this.#isStopping) fire();
    else this.arm('word', LAST_WORD_MS, fire);
  }

  disarmWord(): void {
    this.disarm('word');
  }

  armEnd(fire: () => void): void {
    this.arm('end', END_DEADLINE_MS, fire);
  }

  disarmEnd(): void {
    this.disarm('end');
  }

  arm(name: string, delayMs: number, fire: () => void): void {
    this.disarm(name);
    this.#timers.set(name, this.deps.clock.after(delayMs, fire));
  }

  disarm(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }
}

/** Whether a failed pre_accept makes the call hopeless: Meta refused it. Trouble on the way leaves `accept` its chance. */
export function isFatalForPreAccept(error: unknown): boolean {
  if (!(error instanceof GraphError)) return true;
  return !isTransient(error) && !isRateLimit(error) && !isAcceptedAlready(error);
}
