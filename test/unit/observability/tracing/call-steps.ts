import type { CallRecord } from '../../../../src/call/call-record.js';
import type { CallStep } from '../../../../src/call/observer.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import type { CallId } from '../../../../src/lib/ids.js';
import { silentLogger } from '../../../../src/lib/logger.js';
import { Timeline, type StepDetail } from '../../../../src/observability/timeline.js';

export const CALL = '01JD3Q8Z5K0000000000000001' as CallId;
/** When the calls of these tests begin, Unix milliseconds. */
export const START_MS = Date.UTC(2026, 10, 22, 10, 0, 0);

/** Milliseconds since the start, the step, and its detail. */
export type Step = readonly [number, CallStep, StepDetail?];

/** The timeline of one call with these steps, as the daemon's own class keeps it. */
export function timelineOf(steps: readonly Step[], call = CALL): Timeline {
  const clock = new FakeClock(START_MS);
  const timeline = new Timeline(silentLogger, clock);
  for (const [atMs, step, detail] of steps) {
    clock.advance(atMs - clock.monotonicMs());
    timeline.step(call, step, detail);
  }
  return timeline;
}

/** The record of a call that ended after `endMs`. */
export function recordOf(endMs: number, more: Partial<CallRecord> = {}): CallRecord {
  return {
    ...{ version: 1, call: CALL, direction: 'user_initiated', number: 'sales', user: '12025550173', trunk: 'pbx' },
    ...{ start: new Date(START_MS).toISOString(), end: new Date(START_MS + endMs).toISOString() },
    ...{ durationMs: endMs, billsecMs: 0, endedBy: 'a', code: 'hangup', sipStatus: 480, q850: 16, result: 'success' },
    ...more,
  };
}

const state = (from: string, to: string, event: string): StepDetail => ({ from, to, event });

/** A user's call that is answered, talks for a minute and is hung up by the PBX. */
export const userCall: readonly Step[] = [
  [0, 'webhook.connect', { direction: 'in', waCallId: 'wacid.1' }],
  [2, 'call.state', state('offered', 'dialing', 'routed')],
  [3, 'sip.invite', { direction: 'out', trunk: 'pbx', uri: 'sip:+12025550142@127.0.0.1' }],
  [40, 'sip.ringing', { direction: 'in', status: 180 }],
  [41, 'call.state', state('dialing', 'alerting', 'b.progress')],
  [100, 'graph.pre_accept', { direction: 'out', ok: true, tookMs: 98 }],
  [150, 'ice.connected'],
  [190, 'dtls.connected'],
  [2_000, 'sip.answer', { direction: 'in', status: 200 }],
  [2_001, 'sip.ack', { direction: 'out' }],
  [2_002, 'call.state', state('alerting', 'answering', 'b.answered')],
  [2_100, 'graph.accept', { direction: 'out', ok: true, tookMs: 97 }],
  [2_101, 'call.state', state('answering', 'connected', 'a.confirmed')],
  [2_130, 'media.first_from_pbx'],
  [62_000, 'sip.bye', { direction: 'in' }],
  [62_001, 'call.state', state('connected', 'ending', 'b.ended')],
  [62_080, 'graph.terminate', { direction: 'out', ok: true, tookMs: 78 }],
  [62_200, 'webhook.terminate', { direction: 'in' }],
  [62_200, 'call.ended', { code: 'hangup', by: 'b', sipStatus: 480 }],
];

/** A call from the PBX to a user who answers and hangs up. */
export const businessCall: readonly Step[] = [
  [0, 'sip.invite', { direction: 'in', from: '127.0.0.1', trunk: 'pbx' }],
  [5, 'call.state', state('offered', 'dialing', 'routed')],
  [300, 'graph.connect', { direction: 'out', ok: true, tookMs: 290 }],
  [900, 'webhook.ringing', { direction: 'in' }],
  [901, 'sip.ringing', { direction: 'out', status: 180 }],
  [902, 'call.state', state('dialing', 'alerting', 'b.progress')],
  [950, 'webhook.connect', { direction: 'in' }],
  [1_000, 'ice.connected'],
  [1_060, 'dtls.connected'],
  [5_000, 'webhook.accepted', { direction: 'in' }],
  [5_001, 'call.state', state('alerting', 'answering', 'b.answered')],
  [5_002, 'sip.answer', { direction: 'out', status: 200 }],
  [5_020, 'sip.ack', { direction: 'in' }],
  [5_021, 'call.state', state('answering', 'connected', 'a.confirmed')],
  [9_000, 'webhook.terminate', { direction: 'in' }],
  [9_001, 'call.state', state('connected', 'ending', 'b.ended')],
  [9_002, 'sip.bye', { direction: 'out' }],
  [9_010, 'call.ended', { code: 'hangup', by: 'b', sipStatus: 480 }],
];

/** A user's call that the PBX refuses with 486, which is then rejected at Meta. */
export const refusedCall: readonly Step[] = [
  [0, 'webhook.connect', { direction: 'in', waCallId: 'wacid.1' }],
  [2, 'call.state', state('offered', 'dialing', 'routed')],
  [3, 'sip.invite', { direction: 'out', trunk: 'pbx' }],
  [90, 'graph.pre_accept', { direction: 'out', ok: true, tookMs: 80 }],
  [120, 'sip.refused', { direction: 'in', status: 486 }],
  [121, 'call.state', state('dialing', 'ending', 'b.failed')],
  [200, 'graph.terminate', { direction: 'out', ok: false, tookMs: 70, code: 138021 }],
  [201, 'call.ended', { code: 'busy', by: 'b', sipStatus: 486 }],
];
