import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import type { CallId } from '../../../src/lib/ids.js';
import { createLogger } from '../../../src/observability/logger.js';
import type { TimelineEntry } from '../../../src/observability/timeline.js';
import { Timeline } from '../../../src/observability/timeline.js';
import { Lines } from '../../support/lines.js';

const ONE = 'CALLONE' as CallId;
const TWO = 'CALLTWO' as CallId;

function timeline() {
  const out = new Lines();
  const clock = new FakeClock();
  const log = createLogger({ level: 'debug', format: 'json', stream: out, now: () => clock.now() });
  return { out, clock, line: new Timeline(log, clock) };
}

describe('Timeline', () => {
  it('keeps each call’s steps with the time since its first', () => {
    const { clock, line } = timeline();
    line.step(ONE, 'webhook.connect', { direction: 'in' });
    clock.advance(120.4);
    line.step(TWO, 'sip.invite');
    clock.advance(30);
    line.step(ONE, 'sip.invite', { direction: 'out', status: 100 });
    expect(line.stepsOf(ONE)).toEqual([
      { call: ONE, step: 'webhook.connect', at: Date.UTC(2026, 0, 1), sinceStartMs: 0, detail: { direction: 'in' } },
      {
        call: ONE,
        step: 'sip.invite',
        at: Date.UTC(2026, 0, 1) + 150.4,
        sinceStartMs: 150,
        detail: { direction: 'out', status: 100 },
      },
    ]);
    expect(line.stepsOf(TWO).map((entry) => entry.sinceStartMs)).toEqual([0]);
    expect(line.stepsOf('NEVER' as CallId)).toEqual([]);
    expect(line.calls).toEqual([ONE, TWO]);
  });

  it('logs each step with its call id; machinery at debug', () => {
    const { out, line } = timeline();
    line.step(ONE, 'sip.answer', { status: 200, call: 'not this one' });
    line.step(ONE, 'dtls.connected');
    expect(out.records.map(({ level, msg, call }) => [level, msg, call])).toEqual([
      ['info', 'sip.answer', ONE],
      ['debug', 'dtls.connected', ONE],
    ]);
    expect(out.records[0]).toMatchObject({ status: 200, sinceStartMs: 0 });
  });

  it('tells those who listen, until they leave, and survives one that throws', () => {
    const { out, line } = timeline();
    const heard: TimelineEntry[] = [];
    line.subscribe(() => {
      throw new Error('listener is broken');
    });
    const leave = line.subscribe((entry) => heard.push(entry));
    line.step(ONE, 'sip.bye');
    leave();
    leave();
    line.step(ONE, 'call.ended');
    expect(heard.map((entry) => entry.step)).toEqual(['sip.bye']);
    expect(out.records.filter((record) => record['msg'] === 'timeline listener failed')).toHaveLength(2);
  });

  it('keeps no more steps of a call than it can: the first and the latest', () => {
    const { clock, line } = timeline();
    line.step(ONE, 'webhook.connect');
    for (let i = 0; i < 300; i++) {
      clock.advance(1);
      line.step(ONE, 'sip.progress', { i });
    }
    const steps = line.stepsOf(ONE);
    expect(steps).toHaveLength(128);
    expect(steps[0]?.step).toBe('webhook.connect');
    expect(steps[1]?.detail).toEqual({ i: 173 });
    expect(steps.at(-1)).toMatchObject({ sinceStartMs: 300, detail: { i: 299 } });
  });

  it('keeps no more calls than it can, and forgets the oldest', () => {
    const { line } = timeline();
    for (let i = 0; i < 1_005; i++) line.step(`C${i}` as CallId, 'call.state');
    expect(line.calls).toHaveLength(1_000);
    expect(line.calls[0]).toBe('C5');
    expect(line.stepsOf('C4' as CallId)).toEqual([]);
  });

  it('does not follow what a caller changes later', () => {
    const { line } = timeline();
    const detail = { status: 180 };
    line.step(ONE, 'sip.ringing', detail);
    detail.status = 500;
    expect(line.stepsOf(ONE)[0]?.detail).toEqual({ status: 180 });
  });
});
