import { describe, expect, it } from 'vitest';
import {
  initialCallState,
  transition,
  type CallEffect,
  type CallEvent,
  type CallEventType,
  type CallState,
  type CallStateName,
} from '../../../src/call/call-machine.js';
import { endReason } from '../../../src/call/end-reason.js';

const busy = endReason('busy');

/** One event of every type; B events belong to attempt 0, the one that is dialled in every state below. */
const events: { readonly [Type in CallEventType]: Extract<CallEvent, { type: Type }> } = {
  routed: { type: 'routed', targets: 2 },
  refused: { type: 'refused', reason: busy },
  'a.confirmed': { type: 'a.confirmed' },
  'a.cancelled': { type: 'a.cancelled', reason: endReason('cancelled') },
  'a.failed': { type: 'a.failed', reason: endReason('media_failed') },
  'a.ended': { type: 'a.ended', reason: endReason('hangup') },
  'a.terminated': { type: 'a.terminated' },
  'b.progress': { type: 'b.progress', attempt: 0 },
  'b.earlyMedia': { type: 'b.earlyMedia', attempt: 0 },
  'b.answered': { type: 'b.answered', attempt: 0 },
  'b.failed': { type: 'b.failed', attempt: 0, reason: busy, retry: true },
  'b.ended': { type: 'b.ended', attempt: 0, reason: endReason('hangup') },
  'b.terminated': { type: 'b.terminated', attempt: 0 },
  held: { type: 'held', leg: 'b' },
  resumed: { type: 'resumed', leg: 'b' },
  dtmf: { type: 'dtmf', leg: 'b', digit: '5', durationMs: 100 },
  mediaMoved: { type: 'mediaMoved', leg: 'b' },
  noAnswer: { type: 'noAnswer' },
  answerAck: { type: 'answerAck' },
  maxDuration: { type: 'maxDuration' },
  teardown: { type: 'teardown' },
  mediaFirst: { type: 'mediaFirst' },
  mediaIdle: { type: 'mediaIdle' },
  'admin.hangup': { type: 'admin.hangup' },
  'shutdown.force': { type: 'shutdown.force' },
};

const base: CallState = { ...initialCallState, targets: 2, attempt: 0, openB: [0] };
const states: Readonly<Record<CallStateName, CallState>> = {
  offered: initialCallState,
  dialing: { ...base, name: 'dialing', armed: ['noAnswer'] },
  alerting: { ...base, name: 'alerting', armed: ['noAnswer'] },
  answering: { ...base, name: 'answering', armed: ['answerAck'] },
  connected: { ...base, name: 'connected', armed: ['maxDuration'] },
  ending: { ...base, name: 'ending', armed: ['teardown'], end: { reason: busy, by: 'b' } },
  ended: { ...base, name: 'ended', openA: false, openB: [], end: { reason: busy, by: 'b' } },
};

/** Compact form: `next: effect effect …`; `-` is absorbed (same state, no effect). */
function show(before: CallState, event: CallEvent): string {
  const { next, effects } = transition(before, event);
  if (next === before && effects.length === 0) return '-';
  return [`${next.name}:`, ...effects.map(showEffect)].join(' ');
}

function showEffect(effect: CallEffect): string {
  switch (effect.type) {
    case 'hangup':
      return `hangup(${effect.leg},${effect.reason.code})`;
    case 'reject':
      return `reject(${effect.reason.code})`;
    case 'dial':
      return `dial(${effect.attempt})`;
    case 'bridge':
      return `bridge(${effect.do})`;
    case 'arm':
      return `+${effect.timer}`;
    case 'disarm':
      return `-${effect.timer}`;
    case 'dtmf':
      return `dtmf(${effect.to},${effect.digit})`;
    case 'record':
      return `record(${effect.what})`;
    case 'ended':
      return `ended(${effect.reason.code},${effect.by})`;
    case 'trying':
    case 'ring':
    case 'answer':
    case 'forceRelease':
      return effect.type;
  }
}

const operatorBeforeAnswer = (code: string) => `ending: -noAnswer reject(${code}) hangup(b,${code}) +teardown`;
const beforeAnswer = {
  routed: '-',
  refused: '-',
  'a.confirmed': '-',
  'a.cancelled': 'ending: -noAnswer hangup(b,cancelled) +teardown',
  'a.failed': 'ending: -noAnswer hangup(b,media_failed) +teardown',
  'a.ended': 'ending: -noAnswer hangup(b,hangup) +teardown',
  'a.terminated': 'ending: -noAnswer hangup(b,internal) +teardown',
  'b.answered': 'answering: bridge(keep) -noAnswer +answerAck answer',
  'b.failed': 'dialing: record(failover) dial(1)',
  'b.ended': 'ending: -noAnswer reject(hangup) +teardown',
  'b.terminated': 'ending: -noAnswer reject(internal) +teardown',
  held: '-',
  resumed: '-',
  dtmf: '-',
  mediaMoved: '-',
  noAnswer: 'ending: reject(no_answer) hangup(b,no_answer) +teardown',
  answerAck: '-',
  maxDuration: '-',
  teardown: '-',
  mediaFirst: '-',
  mediaIdle: '-',
  'admin.hangup': operatorBeforeAnswer('admin'),
  'shutdown.force': operatorBeforeAnswer('shutdown'),
} as const;

const table: Readonly<Record<CallStateName, Readonly<Record<CallEventType, string>>>> = {
  offered: {
    routed: 'dialing: +noAnswer trying dial(0)',
    refused: 'ending: reject(busy) +teardown',
    'a.confirmed': '-',
    'a.cancelled': 'ending: +teardown',
    'a.failed': 'ending: +teardown',
    'a.ended': 'ending: +teardown',
    'a.terminated': 'ended: +teardown -teardown ended(internal,a)',
    'b.progress': '-',
    'b.earlyMedia': '-',
    'b.answered': '-',
    'b.failed': '-',
    'b.ended': '-',
    'b.terminated': '-',
    held: '-',
    resumed: '-',
    dtmf: '-',
    mediaMoved: '-',
    noAnswer: '-',
    answerAck: '-',
    maxDuration: '-',
    teardown: '-',
    mediaFirst: '-',
    mediaIdle: '-',
    'admin.hangup': 'ending: reject(admin) +teardown',
    'shutdown.force': 'ending: reject(shutdown) +teardown',
  },
  dialing: { ...beforeAnswer, 'b.progress': 'alerting: ring', 'b.earlyMedia': 'alerting: ring' },
  alerting: { ...beforeAnswer, 'b.progress': '-', 'b.earlyMedia': '-' },
  answering: {
    routed: '-',
    refused: '-',
    'a.confirmed': 'connected: -answerAck bridge(join) +maxDuration',
    'a.cancelled': 'ending: -answerAck bridge(part) hangup(b,cancelled) +teardown',
    'a.failed': 'ending: -answerAck bridge(part) hangup(b,media_failed) +teardown',
    'a.ended': 'ending: -answerAck bridge(part) hangup(b,hangup) +teardown',
    'a.terminated': 'ending: -answerAck bridge(part) hangup(b,internal) +teardown',
    'b.progress': '-',
    'b.earlyMedia': '-',
    'b.answered': '-',
    'b.failed': 'ending: -answerAck bridge(part) hangup(a,busy) +teardown',
    'b.ended': 'ending: -answerAck bridge(part) hangup(a,hangup) +teardown',
    'b.terminated': 'ending: -answerAck bridge(part) hangup(a,internal) +teardown',
    held: '-',
    resumed: '-',
    dtmf: '-',
    mediaMoved: 'answering: bridge(keep)',
    noAnswer: '-',
    answerAck: 'ending: bridge(part) hangup(a,unavailable) hangup(b,unavailable) +teardown',
    maxDuration: '-',
    teardown: '-',
    mediaFirst: '-',
    mediaIdle: '-',
    'admin.hangup': 'ending: -answerAck bridge(part) hangup(a,admin) hangup(b,admin) +teardown',
    'shutdown.force': 'ending: -answerAck bridge(part) hangup(a,shutdown) hangup(b,shutdown) +teardown',
  },
  connected: {
    routed: '-',
    refused: '-',
    'a.confirmed': '-',
    'a.cancelled': 'ending: -maxDuration bridge(part) hangup(b,cancelled) +teardown',
    'a.failed': 'ending: -maxDuration bridge(part) hangup(b,media_failed) +teardown',
    'a.ended': 'ending: -maxDuration bridge(part) hangup(b,hangup) +teardown',
    'a.terminated': 'ending: -maxDuration bridge(part) hangup(b,internal) +teardown',
    'b.progress': '-',
    'b.earlyMedia': '-',
    'b.answered': '-',
    'b.failed': 'ending: -maxDuration bridge(part) hangup(a,busy) +teardown',
    'b.ended': 'ending: -maxDuration bridge(part) hangup(a,hangup) +teardown',
    'b.terminated': 'ending: -maxDuration bridge(part) hangup(a,internal) +teardown',
    held: 'connected: record(held)',
    resumed: 'connected: record(resumed)',
    dtmf: 'connected: dtmf(a,5)',
    mediaMoved: 'connected: bridge(join)',
    noAnswer: '-',
    answerAck: '-',
    maxDuration: 'ending: bridge(part) hangup(a,max_duration) hangup(b,max_duration) +teardown',
    teardown: '-',
    mediaFirst: 'ending: -maxDuration bridge(part) hangup(a,media_timeout) hangup(b,media_timeout) +teardown',
    mediaIdle: 'ending: -maxDuration bridge(part) hangup(a,media_timeout) hangup(b,media_timeout) +teardown',
    'admin.hangup': 'ending: -maxDuration bridge(part) hangup(a,admin) hangup(b,admin) +teardown',
    'shutdown.force': 'ending: -maxDuration bridge(part) hangup(a,shutdown) hangup(b,shutdown) +teardown',
  },
  ending: {
    routed: '-',
    refused: '-',
    'a.confirmed': '-',
    'a.cancelled': '-',
    'a.failed': '-',
    'a.ended': '-',
    'a.terminated': 'ending:',
    'b.progress': '-',
    'b.earlyMedia': '-',
    'b.answered': '-',
    'b.failed': '-',
    'b.ended': '-',
    'b.terminated': 'ending:',
    held: '-',
    resumed: '-',
    dtmf: '-',
    mediaMoved: '-',
    noAnswer: '-',
    answerAck: '-',
    maxDuration: '-',
    teardown: 'ended: forceRelease ended(busy,b)',
    mediaFirst: '-',
    mediaIdle: '-',
    'admin.hangup': '-',
    'shutdown.force': '-',
  },
  ended: Object.fromEntries(Object.keys(events).map((type) => [type, '-'])) as Record<CallEventType, string>,
};

describe('call machine', () => {
  for (const name of Object.keys(states) as CallStateName[]) {
    for (const type of Object.keys(events) as CallEventType[]) {
      it(`${name} × ${type}`, () => {
        expect(show(states[name], events[type])).toBe(table[name][type]);
      });
    }
  }

  it('ends when the last open leg reports terminated', () => {
    const oneLeft = transition(states.ending, events['a.terminated']).next;
    expect(show(oneLeft, events['b.terminated'])).toBe('ended: -teardown ended(busy,b)');
  });

  it('does not dial on when the cause forbids it or no target is left', () => {
    expect(show(states.dialing, { ...events['b.failed'], retry: false })).toBe(
      'ending: -noAnswer reject(busy) +teardown',
    );
    const last: CallState = { ...states.dialing, attempt: 1, openB: [1] };
    expect(show(last, { ...events['b.failed'], attempt: 1 })).toBe('ending: -noAnswer reject(busy) +teardown');
  });

  it('absorbs what an earlier attempt still says, and waits for its termination at the end', () => {
    const second = transition(states.alerting, events['b.failed']).next;
    expect(show(second, events['b.answered'])).toBe('-');
    expect(second.openB).toEqual([0, 1]);
    expect(transition(second, events['b.terminated']).next.openB).toEqual([1]);
  });

  it('keeps nothing for the caller of whom only the dialled side can speak before the call is up', () => {
    expect(show(states.answering, { type: 'mediaMoved', leg: 'a' })).toBe('-');
  });

  it('refuses a route without targets', () => {
    expect(show(states.offered, { type: 'routed', targets: 0 })).toBe('ending: reject(no_route) +teardown');
  });
});
