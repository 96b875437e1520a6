import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { MediaError } from '../../../src/media/media-error.js';
import { PortPool } from '../../../src/media/port-pool.js';

describe('port pool', () => {
  it('hands out even ports whose odd neighbour is in the range, each once', () => {
    const pool = new PortPool({ range: [10_001, 10_008], clock: new FakeClock(), random: () => 0 });
    expect(pool.available).toBe(3);
    expect([pool.acquire(), pool.acquire(), pool.acquire()].sort()).toEqual([10_002, 10_004, 10_006]);
    expect([pool.taken, pool.available]).toEqual([3, 0]);
  });

  it('refuses with `limit` when it is used up', () => {
    const pool = new PortPool({ range: [10_000, 10_001], clock: new FakeClock(), random: () => 0.9 });
    pool.acquire();
    expect(() => pool.acquire()).toThrow(MediaError);
    expect(() => pool.acquire()).toThrow(expect.objectContaining({ endCode: 'limit' }));
    const reason = new MediaError('limit', 'all RTP ports are in use').toEndReason();
    expect(reason).toMatchObject({ code: 'limit', sipStatus: 503, retryAfterS: 5 });
    expect(new MediaError('no_codec', 'none').toEndReason()).not.toHaveProperty('retryAfterS');
  });

  it('lets a pair rest for 5 s before it is used again', () => {
    const clock = new FakeClock();
    const pool = new PortPool({ range: [10_000, 10_003], clock, random: () => 0 });
    const [a, b] = [pool.acquire(), pool.acquire()];
    pool.release(a);
    clock.advance(3000);
    pool.release(b);
    pool.release(b);
    clock.advance(1999);
    expect(() => pool.acquire()).toThrow(MediaError);
    clock.advance(1);
    expect(pool.available).toBe(1);
    expect(pool.acquire()).toBe(a);
    clock.advance(3000);
    expect(pool.acquire()).toBe(b);
    expect(clock.armed).toBe(0);
  });

  it('takes ports in the order of chance, not of numbers', () => {
    let seed = 1;
    const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
    const pool = new PortPool({ range: [10_000, 10_199], clock: new FakeClock(), random });
    const order = Array.from({ length: 100 }, () => pool.acquire());
    const neighbours = order.filter((port, i) => Math.abs(port - (order[i - 1] ?? 0)) === 2).length;
    expect(neighbours).toBeLessThan(10);
    expect(new Set(order).size).toBe(100);
  });
});
