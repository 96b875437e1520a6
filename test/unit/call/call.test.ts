import { beforeEach, describe, expect, it } from 'vitest';
import { Call, fixedTimeouts, type CallOutcome } from '../../../src/call/call.js';
import { endReason } from '../../../src/call/end-reason.js';
import type { MediaBridge } from '../../../src/call/media-bridge.js';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import { ScriptedLeg } from '../../support/scripted-leg.js';

describe('call', () => {
  let log: string[];
  let clock: FakeClock;
  let outcomes: CallOutcome[];
  let a: ScriptedLeg;
  let b: ScriptedLeg;
  let call: Call;
  let keepFails: boolean;
  let mediaTimeout: (kind: 'first' | 'idle') => void;

  beforeEach(() => {
    log = [];
    clock = new FakeClock();
    outcomes = [];
    keepFails = false;
    a = new ScriptedLeg('a', log);
    b = new ScriptedLeg('b', log);
    const bridge: MediaBridge = {
      prepare: (one) => {
        log.push(`keep ${one}`);
        if (keepFails) throw new Error('no memory');
      },
      connect: (one, two) => void log.push(`bridge ${one} ${two}`),
      disconnect: () => void log.push('unbridge'),
      sendDtmf: (...key) => void log.push(`dtmf ${key.join(' ')}`),
      onTimeout: (listener) => (mediaTimeout = listener),
    };
    call = new Call({
      id: '01CALL' as CallId,
      direction: 'user_initiated',
      a,
      bridge,
      timeouts: { ...fixedTimeouts, noAnswer: 25_000, maxDuration: 3_600_000 },
      clock,
      observer: { step: () => undefined },
      logger: silentLogger,
      onEnded: (outcome) => outcomes.push(outcome),
    });
  });

  const answer = (): void => {
    call.route([() => b]);
    b.say({ type: 'progress' });
    clock.advance(2_000);
    b.say({ type: 'answered' });
    a.say({ type: 'confirmed' });
  };

  it('carries a call from offer to hang-up and reports how it went', () => {
    answer();
    expect(log).toEqual(['a trying', 'b dial', 'a ring', 'keep media-b', 'a answer', 'bridge media-a media-b']);
    clock.advance(5_000);
    b.say({ type: 'ended', reason: endReason('hangup') });
    b.say({ type: 'terminated' });
    expect(outcomes).toEqual([]);
    a.say({ type: 'terminated' });
    expect(log.slice(6)).toEqual(['unbridge', 'a hangup hangup']);
    expect(outcomes).toMatchObject([
      { durationMs: 7_000, billsecMs: 5_000, endedBy: 'b', a: { name: 'a' }, b: { name: 'b' } },
    ]);
    expect(outcomes[0]?.reason.code).toBe('hangup');
    expect(clock.armed).toBe(0);
  });

  it.each(['a', 'b'] as const)('tells how the audio was on either side when leg %s is of WhatsApp', (which) => {
    const legs = { a, b };
    const direction = { packets: 1 };
    legs[which].kind = 'whatsapp';
    a.quality = { codec: 'of a', received: direction, sent: direction };
    b.quality = { codec: 'of b', received: direction, sent: direction };
    answer();
    b.say({ type: 'ended', reason: endReason('hangup') });
    b.say({ type: 'terminated' });
    a.say({ type: 'terminated' });
    const other = which === 'a' ? 'b' : 'a';
    expect(outcomes[0]?.quality).toMatchObject({ whatsapp: { codec: `of ${which}` }, pbx: { codec: `of ${other}` } });
  });

  it('plays a key told outside the media at the other leg, where it has media', () => {
    answer();
    b.say({ type: 'dtmf', digit: '5', durationMs: 120 });
    a.say({ type: 'dtmf', digit: '#', durationMs: 300 });
    a.mediaId = undefined;
    b.say({ type: 'dtmf', digit: '6', durationMs: 120 });
    expect(log.slice(6)).toEqual(['dtmf media-a 5 120', 'dtmf media-b # 300']);
  });

  it('goes on without the first words when they cannot be kept', () => {
    keepFails = true;
    answer();
    expect(log.slice(-3)).toEqual(['keep media-b', 'a answer', 'bridge media-a media-b']);
    expect(call.state).toBe('connected');
  });

  it('keeps the first words also while the caller has no media yet', () => {
    a.mediaId = undefined;
    call.route([() => b]);
    b.say({ type: 'answered' });
    a.mediaId = 'media-a';
    a.say({ type: 'confirmed' });
    expect(log.slice(2)).toEqual(['keep media-b', 'a answer', 'bridge media-a media-b']);
  });

  it('lets go of what it kept when the caller leaves before the call is up', () => {
    call.route([() => b]);
    b.say({ type: 'answered' });
    a.say({ type: 'cancelled', reason: endReason('cancelled') });
    expect(log.slice(-4)).toEqual(['keep media-b', 'a answer', 'unbridge', 'b hangup cancelled']);
  });

  it('joins the media of whom a leg is put through to, and nothing while there is none', () => {
    answer();
    b.mediaId = undefined;
    b.say({ type: 'mediaMoved' });
    b.mediaId = 'media-c';
    b.say({ type: 'mediaMoved' });
    expect(log.slice(6)).toEqual(['unbridge', 'bridge media-a media-c']);
    expect(call.state).toBe('connected');
  });

  it('waits with joining when the dialled side is put through before the caller is up', () => {
    call.route([() => b]);
    b.say({ type: 'answered' });
    b.mediaId = undefined;
    b.say({ type: 'mediaMoved' });
    a.say({ type: 'confirmed' });
    b.mediaId = 'media-c';
    b.say({ type: 'mediaMoved' });
    expect(log.slice(2)).toEqual(['keep media-b', 'a answer', 'unbridge', 'bridge media-a media-c']);
    expect(call.state).toBe('connected');
  });

  it('dials the next target when one fails, and refuses the caller when none is left', () => {
    const b2 = new ScriptedLeg('b2', log);
    call.route([() => b, () => b2]);
    b.say({ type: 'failed', reason: endReason('trunk_down'), retry: true });
    b.say({ type: 'terminated' });
    b2.say({ type: 'failed', reason: endReason('busy'), retry: true });
    b2.say({ type: 'terminated' });
    a.say({ type: 'terminated' });
    expect(log).toEqual(['a trying', 'b dial', 'b2 dial', 'a reject busy']);
    expect(outcomes).toMatchObject([{ reason: { code: 'busy' }, answerMs: undefined, billsecMs: 0 }]);
  });

  it('gives up when nobody answers in time', () => {
    call.route([() => b]);
    clock.advance(24_999);
    expect(log).toHaveLength(2);
    clock.advance(1);
    expect(log.slice(2)).toEqual(['a reject no_answer', 'b hangup no_answer']);
  });

  it('is over after the teardown time even if a leg never reports', () => {
    call.route([() => b]);
    a.say({ type: 'cancelled', reason: endReason('cancelled') });
    a.say({ type: 'terminated' });
    clock.advance(fixedTimeouts.teardown);
    expect(outcomes).toMatchObject([{ reason: { code: 'cancelled' }, endedBy: 'a' }]);
    b.say({ type: 'terminated' });
    expect(outcomes).toHaveLength(1);
  });

  it('ends both legs when media stops', () => {
    answer();
    mediaTimeout('idle');
    expect(log.slice(-3)).toEqual(['unbridge', 'a hangup media_timeout', 'b hangup media_timeout']);
  });

  it('ends rather than hangs when an adapter throws', () => {
    call.route([
      () => {
        throw new Error('no such trunk');
      },
    ]);
    expect(log).toEqual(['a trying', 'a reject shutdown']);
  });

  it('takes events that arrive while it acts in order, not nested', () => {
    const eager = new ScriptedLeg('eager', log);
    eager.dial = () => {
      log.push('eager dial');
      eager.say({ type: 'answered' });
      log.push('eager dial returns');
    };
    call.route([() => eager]);
    expect(log).toEqual(['a trying', 'eager dial', 'eager dial returns', 'keep media-eager', 'a answer']);
  });
});
