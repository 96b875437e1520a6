import { describe, expect, it } from 'vitest';
import type { CallStart } from '../../../src/call/call-record.js';
import { EventBus, type EventSubscription, type PublishedEvent } from '../../../src/observability/event-bus.js';

const started = (call: string) => ({
  type: 'call_started' as const,
  data: { call, direction: 'user_initiated', start: '2026-01-01T00:00:00.000Z' } as CallStart,
});

async function all(subscription: EventSubscription): Promise<PublishedEvent[]> {
  const read: PublishedEvent[] = [];
  for await (const event of subscription) read.push(event);
  return read;
}
const idsOf = (events: readonly PublishedEvent[]): number[] => events.map(({ id }) => id);

describe('event bus', () => {
  it('tells every subscriber what happens from then on, in order', async () => {
    const bus = new EventBus();
    bus.publish(started('before'));
    const first = all(bus.subscribe());
    bus.publish(started('a'));
    const second = all(bus.subscribe());
    bus.publish(started('b'));
    bus.close();
    expect(await first).toEqual([
      { ...started('a'), id: 2 },
      { ...started('b'), id: 3 },
    ]);
    expect(idsOf(await second)).toEqual([3]);
    expect(bus.size).toBe(0);
  });

  it('wakes a reader that waits', async () => {
    const bus = new EventBus();
    const reader = bus.subscribe()[Symbol.asyncIterator]();
    const next = reader.next();
    bus.publish(started('a'));
    expect(await next).toMatchObject({ done: false, value: { id: 1 } });
  });

  it('ends a reader that waits when it is closed, and forgets what it had not read', async () => {
    const bus = new EventBus();
    const waiting = bus.subscribe();
    const read = all(waiting);
    waiting.close();
    expect(await read).toEqual([]);
    const full = bus.subscribe();
    bus.publish(started('a'));
    full.close();
    full.close();
    bus.publish(started('b'));
    expect(await all(full)).toEqual([]);
    expect(bus.size).toBe(0);
  });

  it('drops a subscriber that does not keep up, says how much it missed, and leaves the others alone', async () => {
    const bus = new EventBus(3);
    const slow = bus.subscribe();
    const quick = bus.subscribe();
    const kept: number[] = [];
    const reading = (async () => {
      for await (const { id } of quick) kept.push(id);
    })();
    for (let i = 0; i < 6; i++) {
      bus.publish(started(String(i)));
      await Promise.resolve().then(() => new Promise((resolve) => setImmediate(resolve)));
    }
    expect(bus.size).toBe(1);
    expect(await all(slow)).toEqual([{ type: 'dropped', id: 4, data: { missed: 4 } }]);
    bus.close();
    await reading;
    expect(kept).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
