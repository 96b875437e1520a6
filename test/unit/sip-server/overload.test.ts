import { beforeEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { Overload, OVERLOAD_LIMITS } from '../../../src/sip-server/core/overload.js';
import { RecordingLogger } from '../../support/recording-logger.js';

/** A clock of a process that is `lateMs` behind with its timers. */
class LateClock extends FakeClock {
  lateMs = 0;
  override after(delayMs: number, callback: () => void): ReturnType<FakeClock['after']> {
    return super.after(delayMs + this.lateMs, callback);
  }
}

let clock: LateClock;
let log: RecordingLogger;
let waiting: { requests: number; bytes: number };
let overload: Overload;

beforeEach(() => {
  clock = new LateClock();
  log = new RecordingLogger();
  waiting = { requests: 0, bytes: 0 };
  overload = new Overload(clock, OVERLOAD_LIMITS, () => waiting, log);
});

/** Messages keep coming for so long; tells what the last of them found. */
function busyFor(ms: number): boolean {
  for (let passedMs = 0; passedMs < ms; passedMs += 50) {
    expect(overload.isOn).toBeTypeOf('boolean');
    clock.advance(50);
  }
  return overload.isOn;
}

describe('by the delay of the event loop', () => {
  it('a process that keeps up is not overloaded', () => {
    clock.lateMs = 90;
    expect(busyFor(10_000)).toBe(false);
    expect(log.lines).toEqual([]);
  });

  it('one that is 300 ms behind for long is, until it is less than 100 ms behind', () => {
    clock.lateMs = 300;
    expect(busyFor(1_500)).toBe(false);
    expect(busyFor(2_000)).toBe(true);
    clock.lateMs = 150;
    expect(busyFor(3_000)).toBe(true);
    clock.lateMs = 50;
    expect(busyFor(1_500)).toBe(false);
    expect(log.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: SIP overload: new requests are refused',
      'info: SIP overload is over',
    ]);
  });

  it('one long pause is none', () => {
    expect(busyFor(1_000)).toBe(false);
    clock.lateMs = 3_000;
    busyFor(100);
    clock.lateMs = 0;
    expect(busyFor(5_000)).toBe(false);
    expect(log.lines).toEqual([]);
  });
});

describe.each([
  ['requests', 10_000, 8_000],
  ['bytes', 1024 * 1024, 256 * 1024],
] as const)('by what waits for the application: %s', (what, begin, end) => {
  it('begins and ends at different values', () => {
    waiting[what] = begin - 1;
    expect(busyFor(1_000)).toBe(false);
    waiting[what] = begin;
    expect(busyFor(200)).toBe(true);
    waiting[what] = end;
    expect(busyFor(1_000)).toBe(true);
    waiting[what] = end - 1;
    expect(busyFor(200)).toBe(false);
  });
});

it('has no timer when nothing comes', () => {
  busyFor(500);
  clock.advance(200);
  expect(clock.armed).toBe(0);
});

it('ends by itself when nothing comes any more', () => {
  waiting.requests = 10_000;
  expect(busyFor(200)).toBe(true);
  waiting.requests = 0;
  clock.advance(500);
  expect(log.lines.at(-1)?.message).toBe('SIP overload is over');
  expect(clock.armed).toBe(0);
});
