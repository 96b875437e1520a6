import type { CallRecord } from '../../call/call-record.js';
import type { Call } from '../../call/call.js';
import type { Leg, LegFacts } from '../../call/leg.js';
import { legStatesAfter, noLegs, type LegStates } from '../../call/leg-states.js';
import type { QualityReport } from '../../call/media-quality.js';
import { ProblemError } from '../../http/api/problem.js';
import type { CallDetailOut, CallOut, CallsQuery, LegOut, QualityOut, StepOut } from '../../http/api/schemas.js';
import { given } from '../../lib/given.js';
import type { CallId } from '../../lib/ids.js';
import type { CallHistory, KnownCall } from '../../observability/call-history.js';
import type { Redaction } from '../../observability/redaction.js';
import type { Timeline, TimelineEntry } from '../../observability/timeline.js';

export interface CallViewsOptions {
  readonly history: CallHistory;
  readonly timeline: Timeline;
  /** A live call. */
  readonly call: (id: CallId) => Call | undefined;
  readonly redaction: Redaction;
}

type Masked = <T>(value: T, field?: string) => T;

/** Calls as the admin API shows them. */
export class CallViews {
  readonly #masked: Masked;

  constructor(private readonly options: CallViewsOptions) {
    this.#masked = <T>(value: T, field = '') => options.redaction.value(value, field) as T;
  }

  list({ state, limit }: CallsQuery): CallOut[] {
    const { history } = this.options;
    const live = state === 'ended' ? [] : history.live();
    const ended = state === 'live' ? [] : history.recent(limit);
    return [...live, ...ended].map((known) => this.#view(known));
  }

  failures(limit: number): CallOut[] {
    const failed = this.options.history.recent(limit, ({ result }) => result !== 'success');
    return failed.map((known) => this.#view(known));
  }

  /** @throws ProblemError when none, or several, begin so */
  one(idOrPrefix: string): CallDetailOut {
    const { history, timeline } = this.options;
    const found = idOrPrefix === '' ? [] : history.beginningWith(idOrPrefix);
    const [known, ...others] = found;
    if (!known) throw new ProblemError('no_such_call');
    if (others.length > 0) {
      const calls = found.slice(0, 10).map(({ start }) => start.call);
      throw new ProblemError('ambiguous_call', `${found.length} calls begin like this`, { calls });
    }
    const { call } = known.start;
    return {
      ...this.#view(known),
      timeline: timeline.stepsOf(call).map((entry) => this.#step(entry)),
      samples: history.samplesOf(call).map(({ at, ...sample }) => ({ ...sample, at: iso(at) })),
    };
  }

  #step({ step, at, sinceStartMs, detail }: TimelineEntry): StepOut {
    return { step, at: iso(at), sinceStartMs, detail: this.#masked({ ...detail }) };
  }

  #view({ start, record }: KnownCall): CallOut {
    const { history, timeline } = this.options;
    const { call, direction } = start;
    const steps = timeline.stepsOf(call);
    const states = steps.reduce((so, { step, detail }) => legStatesAfter(so, step, detail), noLegs);
    const quality = history.qualityOf(call);
    return {
      ...{ call, direction },
      state: record ? 'ended' : stateOf(steps),
      ...given('number', start.number),
      ...given('trunk', start.trunk),
      ...given('user', start.user && this.#masked(start.user, 'user')),
      ...given('userId', start.userId && this.#masked(start.userId, 'userId')),
      start: start.start,
      ...(record ? recordTimes(record) : liveTimes(steps, timeline.ageMs(call))),
      legs: record ? endedLegs(record) : this.#legs(call, direction, states),
      quality: { ...given('whatsapp', qualityOf(quality.whatsapp)), ...given('pbx', qualityOf(quality.pbx)) },
      ...given('outcome', record && this.#outcome(record)),
    };
  }

  #legs(id: CallId, direction: CallRecord['direction'], states: LegStates): CallOut['legs'] {
    const call = this.options.call(id);
    if (!call) return { a: { kind: direction === 'user_initiated' ? 'whatsapp' : 'sip', state: 'terminated' } };
    const { a, b } = call.legs;
    return { a: legView(a, states), ...given('b', b && legView(b, states)) };
  }

  #outcome(record: CallRecord): CallOut['outcome'] {
    const { code, result, endedBy, sipStatus, q850, metaCode, text } = record;
    const said = given('text', text && this.#masked(text));
    return { code, result, endedBy, sipStatus, q850, ...given('metaCode', metaCode), ...said };
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();

function stateOf(steps: readonly TimelineEntry[]): CallOut['state'] {
  const last = steps.findLast(({ step }) => step === 'call.state');
  return (last?.detail['to'] ?? 'offered') as CallOut['state'];
}

function recordTimes({ answer, end, durationMs, billsecMs }: CallRecord) {
  return { ...given('answer', answer), end, durationMs, billsecMs };
}

function liveTimes(steps: readonly TimelineEntry[], durationMs: number) {
  const answered = steps.find(({ step, detail }) => step === 'call.state' && detail['to'] === 'connected');
  const billsecMs = answered ? Math.max(0, durationMs - answered.sinceStartMs) : 0;
  return { ...given('answer', answered && iso(answered.at)), durationMs, billsecMs };
}

function legView({ kind, facts }: Leg, states: LegStates): LegOut {
  return { kind, state: states[kind] ?? 'trying', ...legFacts(facts) };
}

const legFacts = (facts: LegFacts): Omit<LegOut, 'kind' | 'state'> => ({
  ...given('waCallId', facts['waCallId']),
  ...given('sipCallId', facts['sipCallId']),
  ...given('remoteAddress', facts['remoteAddress']),
  ...given('srtp', facts['srtp']),
});

function endedLegs({ direction, waCallId, sipCallIdA, sipCallIdB, srtp }: CallRecord): CallOut['legs'] {
  const state = 'terminated';
  const sipCallId = sipCallIdA ?? sipCallIdB;
  const whatsapp: LegOut = { kind: 'whatsapp', state, ...given('waCallId', waCallId) };
  const sip: LegOut = { kind: 'sip', state, ...given('sipCallId', sipCallId), ...given('srtp', srtp) };
  const [a, b] = direction === 'user_initiated' ? [whatsapp, sip] : [sip, whatsapp];
  const wasDialled = direction === 'user_initiated' ? sipCallId !== undefined : waCallId !== undefined;
  return { a, ...(wasDialled ? { b } : {}) };
}

function qualityOf(report: QualityReport | undefined): QualityOut | undefined {
  if (!report) return undefined;
  const { codec, received, sent, roundTripMs } = report;
  return { codec, received: { ...received }, sent: { ...sent }, ...given('roundTripMs', roundTripMs) };
}
