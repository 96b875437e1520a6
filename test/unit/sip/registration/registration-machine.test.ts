import { describe, expect, it } from 'vitest';
import {
  idleRegistration,
  registrationTransition,
  type RegistrationEvent,
  type RegistrationPhase,
  type RegistrationState,
} from '../../../../src/sip/registration/registration-machine.js';

const phases: readonly RegistrationPhase[] = [
  ...(['idle', 'registering', 'registered', 'refreshing', 'waiting', 'unregistering', 'stopped'] as const),
];
const in_ = (phase: RegistrationPhase, more: Partial<RegistrationState> = {}): RegistrationState => ({
  ...idleRegistration(600_000),
  phase,
  mayBeBound: phase === 'registered' || phase === 'refreshing',
  ...more,
});
const failure = { kind: 'unreachable', why: '503' } as const;

/** Every event, with times that do something. */
const events = {
  start: { type: 'start' },
  due: { type: 'due' },
  granted: { type: 'granted', lifetimeMs: 300_000 },
  failed: { type: 'failed', failure },
  tooBrief: { type: 'tooBrief', leastMs: 900_000 },
  flowLost: { type: 'flowLost', upMs: 10_000 },
  moved: { type: 'moved', upMs: 60_000 },
  linkLost: { type: 'linkLost' },
  linkBack: { type: 'linkBack' },
  stop: { type: 'stop' },
  unregistered: { type: 'unregistered' },
} as const satisfies Record<RegistrationEvent['type'], RegistrationEvent>;

/** Phase after it and the effects' names, in the order of `phases`; `-`: nothing changes and nothing is done. */
const table: Readonly<Record<RegistrationEvent['type'], readonly string[]>> = {
  start: ['registering register', '-', '-', '-', '-', '-', '-'],
  due: ['-', '-', 'refreshing register', '-', 'registering register', '-', '-'],
  granted: ['-', 'registered wake', '-', 'registered wake', '-', '-', '-'],
  failed: ['-', 'waiting wake', '-', 'waiting wake', '-', '-', '-'],
  tooBrief: ['-', 'registering register', '-', 'refreshing register', '-', '-', '-'],
  flowLost: ['-', '-', 'refreshing register', '-', '-', '-', '-'],
  moved: ['-', '-', 'refreshing register', '-', '-', '-', '-'],
  linkLost: ['-', 'waiting rest', 'waiting rest', 'waiting rest', 'waiting rest', '-', '-'],
  linkBack: ['-', ...Array<string>(4).fill('registering register'), '-', '-'],
  stop: [
    ...['stopped rest', 'unregistering unregister', 'unregistering unregister', 'unregistering unregister'],
    ...['stopped rest', '-', '-'],
  ],
  unregistered: ['-', '-', '-', '-', '-', 'stopped rest', '-'],
};

describe('registrationTransition', () => {
  const cells = Object.values(events).flatMap((event) =>
    phases.map((phase, index) => [event.type, phase, table[event.type][index] ?? ''] as const),
  );

  it.each(cells)('%s in %s: %s', (type, phase, expected) => {
    const before = in_(phase);
    const { next, effects } = registrationTransition(before, events[type]);
    if (expected !== '-') return expect([next.phase, ...effects.map((one) => one.type)].join(' ')).toBe(expected);
    expect([next, effects]).toEqual([before, []]);
  });

  it.each([
    // At 75 to 90 %, but 5 s before the end at least, and not before 10 s.
    [600, 450_000, 540_000],
    [30, 22_500, 25_000],
    [40, 30_000, 35_000],
    [14, 10_000, 10_000],
    [3, 10_000, 10_000],
    // No registrar's word moves the refresh beyond a day.
    [10_000_000, 64_800_000, 77_760_000],
  ])('refreshes a registration of %i s between %i and %i ms', (lifetimeS, leastMs, mostMs) => {
    const { effects } = registrationTransition(in_('registering'), { type: 'granted', lifetimeMs: lifetimeS * 1_000 });
    expect(effects).toEqual([{ type: 'wake', leastMs, mostMs }]);
  });

  it('waits longer after each failure, by RFC 5626: from 30 s on, 30 min at most', () => {
    const pauses: unknown[] = [];
    let state = in_('registering');
    for (let failures = 0; failures < 8; failures++) {
      const { next, effects } = registrationTransition({ ...state, phase: 'registering' }, events.failed);
      state = next;
      pauses.push(...effects.map((one) => (one.type === 'wake' ? [one.leastMs, one.mostMs] : one)));
    }
    expect(pauses).toEqual([
      ...[30, 60, 120, 240, 480, 900, 900].map((s) => [s * 1_000, s * 2_000]),
      [900_000, 1_800_000],
    ]);
  });

  it.each([
    ['refused', undefined, 300_000],
    ['refused', 60_000, 300_000],
    ['refused', 900_000, 900_000],
    ['unreachable', 120_000, 120_000],
    ['unreachable', 1_000, 10_000],
    ['unreachable', 3_600_000, 1_800_000],
  ] as const)('comes back to one that is %s with Retry-After %s after %i ms', (kind, retryAfterMs, leastMs) => {
    const event = { type: 'failed', failure: { kind, why: 'no', retryAfterMs } } as const;
    const { effects } = registrationTransition(in_('registering', { failures: 4 }), event);
    expect(effects).toEqual([{ type: 'wake', leastMs, mostMs: leastMs * 1.1 }]);
  });

  it.each([600_000, 60_000, 86_400_001])('does not believe a 423 that wants %i ms', (leastMs) => {
    const { next, effects } = registrationTransition(in_('registering'), { type: 'tooBrief', leastMs });
    expect(next).toMatchObject({ phase: 'waiting', askMs: 600_000, failure: { kind: 'refused' } });
    expect(effects).toEqual([{ type: 'wake', leastMs: 300_000, mostMs: 330_000 }]);
  });

  it('asks for what a 423 wants from then on', () => {
    const { next, effects } = registrationTransition(in_('refreshing'), { type: 'tooBrief', leastMs: 86_400_000 });
    expect(effects).toEqual([{ type: 'register', lifetimeMs: 86_400_000 }]);
    const granted = registrationTransition(next, events.granted).next;
    expect(registrationTransition(granted, events.due).effects).toEqual([{ type: 'register', lifetimeMs: 86_400_000 }]);
  });

  it('makes good a lost connection at once, but not one after the other', () => {
    const first = registrationTransition(in_('registered'), events.flowLost).next;
    const again = registrationTransition(first, events.granted).next;
    expect(registrationTransition(again, events.flowLost)).toMatchObject({
      next: { phase: 'waiting', failures: 2 },
      effects: [{ type: 'wake', leastMs: 60_000, mostMs: 120_000 }],
    });
    // One that lasted a minute has not failed.
    const lasting = registrationTransition(again, { type: 'flowLost', upMs: 60_000 });
    expect(lasting).toMatchObject({ next: { phase: 'refreshing', failures: 1 }, effects: [{ type: 'register' }] });
  });

  it('does not ask a registrar each time that it sees us elsewhere', () => {
    const before = in_('registered');
    expect(registrationTransition(before, { type: 'moved', upMs: 59_999 })).toEqual({ next: before, effects: [] });
  });

  it('takes back what may be bound, and only that', () => {
    const lost = registrationTransition(in_('refreshing'), events.failed).next;
    expect(registrationTransition(lost, events.stop).next.phase).toBe('unregistering');
    const refused = { type: 'failed', failure: { kind: 'refused', why: '403' } } as const;
    const dropped = registrationTransition(in_('refreshing'), refused).next;
    expect(registrationTransition(dropped, events.stop).next.phase).toBe('stopped');
  });
});
