import { beforeEach, describe, expect, it } from 'vitest';
import { LogLevels } from '../../../../src/daemon/admin/log-levels.js';
import { FakeClock } from '../../../../src/lib/clock.js';
import type { LogLevel } from '../../../../src/lib/logger.js';

describe('log levels', () => {
  let clock: FakeClock;
  let configured: LogLevel;
  let general: LogLevel | undefined;
  let ofCalls: Map<string, LogLevel>;
  let levels: LogLevels;
  beforeEach(() => {
    clock = new FakeClock();
    configured = 'info';
    general = undefined;
    ofCalls = new Map();
    levels = new LogLevels({
      log: {
        setLevel: (level) => (general = level),
        setCallLevel: (call, level) => {
          if (level) ofCalls.set(call, level);
          else ofCalls.delete(call);
        },
      },
      configured: () => configured,
      isLive: (call) => call.startsWith('LIVE'),
      clock,
    });
  });

  it('of all, for a time', () => {
    levels.set({ level: 'debug', forMs: 600_000 });
    expect(general).toBe('debug');
    expect(levels.view()).toEqual({
      ...{ level: 'debug', configured: 'info', until: new Date(clock.now() + 600_000).toISOString() },
      calls: [],
    });
    clock.advance(600_000);
    expect([general, levels.view().level, levels.view().until]).toEqual(['info', 'info', undefined]);
  });

  it('of all, for good, over a reload, and back to what is configured then', () => {
    levels.set({ level: 'debug' });
    configured = 'warn';
    levels.configured();
    expect(general).toBe('debug');
    levels.set({ level: null });
    expect(general).toBe('warn');
    configured = 'error';
    levels.configured();
    expect(general).toBe('error');
  });

  it('asked for again has the new time alone', () => {
    levels.set({ level: 'debug', forMs: 1_000 });
    levels.set({ level: 'warn', forMs: 10_000 });
    clock.advance(1_000);
    expect(general).toBe('warn');
    clock.advance(9_000);
    expect(general).toBe('info');
    expect(clock.armed).toBe(0);
  });

  it('of a live call: until its time, its end, or until it is taken back', () => {
    for (const call of ['LIVE1', 'LIVE2', 'LIVE3']) levels.set({ level: 'debug', call, forMs: 1_000 });
    expect([...ofCalls.keys()]).toEqual(['LIVE1', 'LIVE2', 'LIVE3']);
    levels.callEnded('LIVE1');
    levels.set({ level: null, call: 'LIVE2' });
    expect([...ofCalls.keys()]).toEqual(['LIVE3']);
    clock.advance(1_000);
    expect([ofCalls.size, levels.view().calls, clock.armed]).toEqual([0, [], 0]);
  });

  it('of a call that is not live: no', () => {
    expect(() => levels.set({ level: 'debug', call: 'GONE' })).toThrow('not live');
    expect(ofCalls.size).toBe(0);
  });
});
