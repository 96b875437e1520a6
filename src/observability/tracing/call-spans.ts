import type { CallRecord } from '../../call/call-record.js';
import type { Redaction } from '../redaction.js';
import type { TimelineEntry } from '../timeline.js';
import { attributesOf, firstOf, span, type CallSpan, type Moment, type SpanEvent } from './call-span.js';
import { graphSpans, inviteSpans, mediaSetupSpans, userDialSpans, type ShowDetail } from './leg-spans.js';

/** Steps that are the beginning or end of a span; the others are events of the call. */
const IN_SPANS: ReadonlySet<TimelineEntry['step']> = new Set([
  ...(['sip.invite', 'sip.ringing', 'sip.progress', 'sip.answer', 'sip.ack'] as const),
  ...(['ice.connected', 'dtls.connected', 'call.state', 'call.ended'] as const),
]);

/** What of a call's record goes into its root span: no payloads, and nothing that the log does not have. */
const OF_THE_RECORD = [
  ...(['call', 'direction', 'number', 'user', 'trunk', 'endedBy', 'code', 'sipStatus', 'q850', 'result'] as const),
  ...([
    'metaCode',
    'text',
    'waCallId',
    'sipCallIdA',
    'sipCallIdB',
    'codec',
    'srtp',
    'durationMs',
    'billsecMs',
  ] as const),
] as const;

/**
 * The spans of a call that is over, as one tree: the root is the call by its record, below it routing, the dialling of both
 * sides, requests to Meta, the set-up of media, the time it was bridged, and the hang-up. Steps that begin or end none of these
 * are events of the root. `redaction` shows of every value what the log shows.
 */
export function callSpans(
  record: CallRecord,
  steps: readonly TimelineEntry[],
  redaction: Pick<Redaction, 'value'>,
): CallSpan {
  const startMs = Date.parse(record.start);
  const endMs = Math.max(startMs, Date.parse(record.end));
  const moments = momentsOf(steps, startMs, endMs);
  const shown: ShowDetail = (detail) => redaction.value(detail) as Record<string, unknown>;
  const facts = Object.fromEntries(OF_THE_RECORD.map((name) => [name, record[name]]));
  const failed = record.result !== 'success' && record.result !== 'indeterminate';
  return span('call', startMs, endMs, {
    kind: 'server',
    attributes: attributesOf(redaction.value(facts) as Record<string, unknown>),
    events: eventsOf(moments, shown),
    error: failed ? record.code : undefined,
    children: childrenOf(record, moments, { startMs, endMs, shown }),
  });
}

/** Steps by the monotonic clock: whoever sets the wall clock in the middle of a call turns no span around. */
function momentsOf(steps: readonly TimelineEntry[], startMs: number, endMs: number): Moment[] {
  const originMs = steps[0]?.at ?? startMs;
  return steps.map(({ step, sinceStartMs, detail }) => {
    const atMs = Math.min(endMs, Math.max(startMs, originMs + sinceStartMs));
    return { step, atMs, detail };
  });
}

interface CallBounds {
  readonly startMs: number;
  readonly endMs: number;
  readonly shown: ShowDetail;
}

function childrenOf(record: CallRecord, moments: readonly Moment[], { startMs, endMs, shown }: CallBounds): CallSpan[] {
  const state = (which: 'from' | 'to', name: string): Moment | undefined =>
    firstOf(moments, ['call.state'], (detail) => detail[which] === name);
  const ending = state('to', 'ending');
  const legs = { moments, endMs: ending?.atMs ?? endMs, shown };
  const dialled = userDialSpans(legs, startMs);
  const requests = graphSpans(legs, startMs).filter(({ name }) => name !== 'graph connect' || dialled.length === 0);
  const isOfHangUp = ({ name, endMs: atMs }: CallSpan): boolean =>
    (name === 'graph reject' || name === 'graph terminate') && ending !== undefined && atMs >= ending.atMs;
  const connected = state('to', 'connected');
  return [
    ...routeSpans(record, startMs, state('from', 'offered')),
    ...dialled,
    ...inviteSpans(legs),
    ...requests.filter((one) => !isOfHangUp(one)),
    ...mediaSetupSpans(legs),
    ...(connected ? [span('bridged', connected.atMs, legs.endMs)] : []),
    ...(ending ? [hangUpSpan(ending, endMs, requests.filter(isOfHangUp), shown)] : []),
  ].sort((a, b) => a.startMs - b.startMs);
}

/** Where the call is to go: the routes, and the user's permission. Nothing of a call whose steps are not known. */
function routeSpans(record: CallRecord, startMs: number, routed: Moment | undefined): CallSpan[] {
  if (!routed) return [];
  const isRefused = routed.detail['event'] === 'refused';
  return [span('route', startMs, routed.atMs, { error: isRefused ? record.code : undefined })];
}

function hangUpSpan(ending: Moment, endMs: number, children: readonly CallSpan[], shown: ShowDetail): CallSpan {
  const { event } = shown(ending.detail);
  return span('hang-up', ending.atMs, endMs, { attributes: attributesOf({ event }), children });
}

const eventsOf = (moments: readonly Moment[], shown: ShowDetail): SpanEvent[] =>
  moments
    .filter(({ step }) => !IN_SPANS.has(step) && !step.startsWith('graph.'))
    .map(({ step, atMs, detail }) => ({ name: step, atMs, attributes: attributesOf(shown(detail)) }));
