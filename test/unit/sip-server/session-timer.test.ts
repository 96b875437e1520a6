import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { SessionTimerRunner } from '../../../src/sip-server/dialog/session-timer-runner.js';
import type { SessionTimerEffect, SessionTimerState } from '../../../src/sip-server/dialog/session-timer.js';
import { transition } from '../../../src/sip-server/dialog/session-timer.js';
import type { SessionTerms } from '../../../src/sip-server/dialog/session-timer-terms.js';
import {
  answerTerms,
  asksTooShort,
  DEFAULT_SESSION_POLICY,
  learnTerms,
  offerTerms,
} from '../../../src/sip-server/dialog/session-timer-terms.js';
import type { SipHeader, SipRequest, SipResponse } from '../../../src/sip-server/sip/message.js';
import { header, NO_BODY } from '../../../src/sip-server/sip/message.js';

const lines = (texts: readonly string[]): SipHeader[] =>
  texts.map((text) => header(text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1).trim()));
const texts = (headers: readonly SipHeader[]): string[] => headers.map(({ name, value }) => `${name}: ${value}`);
const request = (...headers: string[]): SipRequest => ({
  kind: 'request',
  method: 'INVITE',
  uri: 'sip:x@192.0.2.1',
  version: '2.0',
  headers: lines(headers),
  body: NO_BODY,
});
const response = (...headers: string[]): SipResponse => ({
  kind: 'response',
  status: 200,
  reason: 'OK',
  version: '2.0',
  headers: lines(headers),
  body: NO_BODY,
});
const policy = DEFAULT_SESSION_POLICY;
const off = { expiresS: 0, minS: 90 };
const us = (intervalS: number): SessionTerms => ({ intervalS, refresher: 'us' });
const them = (intervalS: number): SessionTerms => ({ intervalS, refresher: 'them' });

describe('terms of a session timer, answering (RFC 4028 §9)', () => {
  const KNOWS = 'Supported: replaces, timer';
  it.each<[string, string[], SessionTerms | undefined, SessionTerms | undefined]>([
    ['nothing said', [], undefined, undefined],
    ['known, not asked: ours', [KNOWS], undefined, us(600)],
    ['known, not asked, with a larger Min-SE', [KNOWS, 'Min-SE: 900'], undefined, us(900)],
    ['asked, no refresher named', [KNOWS, 'Session-Expires: 300'], undefined, us(300)],
    ['the peer wants to', [KNOWS, 'Session-Expires: 300;refresher=uac'], undefined, them(300)],
    ['the peer wants us to', ['k: TIMER', 'x: 300 ; Refresher=UAS'], undefined, us(300)],
    ['required instead of supported', ['Require: timer', 'Session-Expires: 300;refresher=uac'], undefined, them(300)],
    ['longer than ours is shortened', [KNOWS, 'Session-Expires: 1800;refresher=uac'], undefined, them(600)],
    ['not below their Min-SE', [KNOWS, 'Session-Expires: 1800', 'Min-SE: 1200'], undefined, us(1200)],
    ['asked by a proxy, the peer knows nothing', ['Session-Expires: 300;refresher=uac'], undefined, us(300)],
    ['a proxy asks for too little', ['Session-Expires: 1'], undefined, undefined],
    ['malformed', ['Session-Expires: soon'], undefined, undefined],
    ['roles are kept', [KNOWS, 'Session-Expires: 300'], them(300), them(300)],
    ['an old peer forgets the extension: we go on', [], them(300), us(300)],
  ])('%s', (_name, headers, current, terms) => {
    expect(answerTerms(request(...headers), policy, current)?.terms).toEqual(terms);
    expect(answerTerms(request(...headers), off, current)).toBeUndefined();
  });

  it('are told with Require where the peer knows the extension, beside what the application says', () => {
    const known = answerTerms(request(KNOWS, 'Session-Expires: 300;refresher=uac'), policy, undefined);
    expect(texts(known?.headers(lines(['Supported: path', 'Require: foo'])) ?? [])).toEqual([
      'Supported: path, timer',
      'Require: foo, timer',
      'Session-Expires: 300;refresher=uac',
    ]);
    const unknown = answerTerms(request('Session-Expires: 300'), policy, undefined);
    expect(texts(unknown?.headers([]) ?? [])).toEqual(['Supported: timer', 'Session-Expires: 300;refresher=uas']);
  });

  it.each<[string[], boolean]>([
    [[KNOWS, 'Session-Expires: 89'], true],
    [[KNOWS, 'Session-Expires: 90'], false],
    [['Session-Expires: 89'], false],
    [[KNOWS], false],
  ])('too short: %j is %s', (headers, short) => {
    expect(asksTooShort(request(...headers), policy)).toBe(short);
    expect(asksTooShort(request(...headers), off)).toBe(false);
  });
});

describe('terms of a session timer, asking (RFC 4028 §7)', () => {
  it.each<[string[], SessionTerms | undefined]>([
    [[], undefined],
    [['Session-Expires: 1800;refresher=uas'], them(1800)],
    [['Session-Expires: 1800;refresher=uac'], us(1800)],
    [['x: 1800'], us(1800)],
    [['Session-Expires: 1;refresher=uac'], us(90)],
  ])('%j', (headers, terms) => {
    expect(learnTerms(response(...headers), policy)).toEqual(terms);
    expect(learnTerms(response(...headers), off)).toBeUndefined();
  });

  it('leave the role to the peer at first, and keep it later', () => {
    expect(texts(offerTerms([], policy, undefined))).toEqual([
      'Supported: timer',
      'Session-Expires: 600',
      'Min-SE: 90',
    ]);
    const again = offerTerms(lines(['Session-Expires: 7', 'Supported: timer']), policy, us(300), 400);
    expect(texts(again)).toEqual(['Supported: timer', 'Session-Expires: 400;refresher=uac', 'Min-SE: 400']);
    expect(texts(offerTerms([], policy, them(300)))).toContain('Session-Expires: 300;refresher=uas');
  });
});

const idle = (terms: SessionTerms, method: 'UPDATE' | 'INVITE' = 'UPDATE'): SessionTimerState => ({
  type: 'idle',
  terms,
  method,
});
const refreshing = (method: 'UPDATE' | 'INVITE' = 'UPDATE', raised = 0): SessionTimerState => ({
  type: 'refreshing',
  terms: us(600),
  method,
  raised,
});
const refused = (status: number, minSeS = 0) => ({ type: 'refused', status, minSeS, glareMs: 2500 }) as const;
const again = (method: 'UPDATE' | 'INVITE', minSeS = 0): SessionTimerEffect => ({
  type: 'refresh',
  method,
  terms: us(600),
  minSeS,
});
const BYE: readonly SessionTimerEffect[] = [{ type: 'disarm' }, { type: 'bye' }];

describe('session timer machine', () => {
  it.each<[string, SessionTimerState, Parameters<typeof transition>[1], string, readonly SessionTimerEffect[]]>([
    [
      'we refresh at half the interval and give up 32 s before its end',
      { type: 'off' },
      { type: 'agreed', terms: us(600), canUpdate: true },
      'idle',
      [{ type: 'disarm' }, { type: 'armExpiry', delayMs: 568_000 }, { type: 'armRefresh', delayMs: 300_000 }],
    ],
    [
      'they refresh; a short one ends a third early',
      { type: 'off' },
      { type: 'agreed', terms: them(90), canUpdate: false },
      'idle',
      [{ type: 'disarm' }, { type: 'armExpiry', delayMs: 60_000 }],
    ],
    ['agreed away', idle(us(600)), { type: 'agreed', terms: undefined, canUpdate: true }, 'off', [{ type: 'disarm' }]],
    ['due', idle(us(600)), { type: 'refreshDue', busy: false }, 'refreshing', [again('UPDATE')]],
    ['due by INVITE', idle(us(600), 'INVITE'), { type: 'refreshDue', busy: false }, 'refreshing', [again('INVITE')]],
    ['busy', idle(us(600)), { type: 'refreshDue', busy: true }, 'idle', [{ type: 'armRefresh', delayMs: 2000 }]],
    ['422', refreshing(), refused(422, 900), 'refreshing', [again('UPDATE', 900)]],
    ['422 without end', refreshing('UPDATE', 3), refused(422, 900), 'idle', [{ type: 'armRefresh', delayMs: 100_000 }]],
    ['UPDATE not allowed', refreshing(), refused(405), 'refreshing', [again('INVITE')]],
    ['INVITE not allowed', refreshing('INVITE'), refused(405), 'idle', [{ type: 'armRefresh', delayMs: 100_000 }]],
    ['glare', refreshing(), refused(491), 'idle', [{ type: 'armRefresh', delayMs: 2500 }]],
    ['overload', refreshing(), refused(503), 'idle', [{ type: 'armRefresh', delayMs: 100_000 }]],
    ['no answer', refreshing(), refused(408), 'ended', BYE],
    ['unknown there', refreshing(), refused(481), 'ended', BYE],
    ['nobody refreshed', idle(them(600)), { type: 'expired' }, 'ended', BYE],
    ['our refresh hangs', refreshing(), { type: 'expired' }, 'ended', BYE],
    ['a late refusal', idle(us(600)), refused(481), 'idle', []],
    ['over is over', { type: 'ended' }, { type: 'agreed', terms: us(600), canUpdate: true }, 'ended', []],
  ])('%s', (_name, state, event, type, effects) => {
    const step = transition(state, event);
    expect(step.state.type).toBe(type);
    expect(step.effects).toEqual(effects);
  });

  it('does not go back to UPDATE once it was refused', () => {
    const step = transition(refreshing('INVITE'), { type: 'agreed', terms: us(600), canUpdate: true });
    expect(step.state).toEqual(idle(us(600), 'INVITE'));
  });
});

describe('session timer on a clock', () => {
  it('keeps a refreshed session for a day and ends an abandoned one 32 s early', () => {
    const clock = new FakeClock();
    let refreshes = 0;
    let expired = 0;
    const runner: SessionTimerRunner = new SessionTimerRunner({
      clock,
      isBusy: () => false,
      refresh: () => {
        refreshes++;
        if (refreshes < 288) runner.take({ type: 'agreed', terms: us(600), canUpdate: true });
      },
      expire: () => expired++,
    });
    runner.take({ type: 'agreed', terms: us(600), canUpdate: true });
    clock.advance(24 * 3_600_000);
    expect([refreshes, expired]).toEqual([288, 0]);
    clock.advance(267_999);
    expect(expired).toBe(0);
    clock.advance(1);
    expect(expired).toBe(1);
    clock.advance(3_600_000);
    expect([refreshes, expired]).toEqual([288, 1]);
  });
});
