import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import { MediaError } from '../../../../src/media/media-error.js';
import { SetUpGate, type Leave } from '../../../../src/media/workers/set-up-gate.js';

const limits = { atOnce: 2, waiting: 2, waitMs: 2000, holdMs: 250 };

class Scene {
  readonly clock = new FakeClock();
  readonly gate = new SetUpGate(this.clock, limits);
  readonly seen: string[] = [];
  readonly leaves = new Map<string, Leave>();

  enter(name: string): void {
    this.gate.enter().then(
      (leave) => {
        this.seen.push(name);
        this.leaves.set(name, leave);
      },
      (error: unknown) => this.seen.push(`${name} ${error instanceof MediaError ? error.endCode : 'fault'}`),
    );
  }

  /** Everything that is resolved has run. */
  async after(ms = 0): Promise<string[]> {
    this.clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
    return this.seen.splice(0);
  }
}

describe('the gate of set-ups', () => {
  it('lets so many in, the others in order as places come free', async () => {
    const scene = new Scene();
    for (const name of ['a', 'b', 'c', 'd']) scene.enter(name);
    expect(await scene.after()).toEqual(['a', 'b']);
    scene.leaves.get('b')?.();
    scene.leaves.get('b')?.();
    expect(await scene.after()).toEqual(['c']);
    scene.leaves.get('a')?.();
    expect(await scene.after()).toEqual(['d']);
    expect(scene.gate.length).toBe(2);
  });

  it('lets the next in when one takes so long that it waits for its peer', async () => {
    const scene = new Scene();
    for (const name of ['a', 'b', 'c']) scene.enter(name);
    await scene.after(limits.holdMs - 1);
    expect(scene.gate.length).toBe(3);
    expect(await scene.after(1)).toEqual(['c']);
    // Its place is somebody else's now.
    scene.leaves.get('a')?.();
    expect(scene.gate.length).toBe(1);
  });

  it('refuses when too many wait, and who has waited too long', async () => {
    const scene = new Scene();
    const held = new SetUpGate(scene.clock, { ...limits, holdMs: 60_000 });
    const outcome = (entered: Promise<Leave>): Promise<unknown> =>
      entered.then(
        () => 'in',
        (error: unknown) => (error as MediaError).endCode,
      );
    const outcomes = [1, 2, 3, 4, 5].map(() => outcome(held.enter()));
    expect(await Promise.all([outcomes[0], outcomes[1], outcomes[4]])).toEqual(['in', 'in', 'limit']);
    scene.clock.advance(limits.waitMs);
    expect(await Promise.all(outcomes.slice(2, 4))).toEqual(['limit', 'limit']);
    expect(held.length).toBe(2);
  });

  it('leaves no timer behind when it closes', async () => {
    const scene = new Scene();
    for (const name of ['a', 'b', 'c']) scene.enter(name);
    await scene.after();
    scene.gate.close(new MediaError('internal', 'gone'));
    expect(await scene.after()).toEqual(['c internal']);
    expect(scene.clock.armed).toBe(0);
  });
});
