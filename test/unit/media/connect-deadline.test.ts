import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { ConnectDeadline } from '../../../src/media/connect-deadline.js';

type Step = readonly [atMs: number, what: 'answer' | 'offer' | 'accept' | 'up'];

/** When it ran out, if it did; with each step taken at its time. */
function ranOutAt(...steps: readonly Step[]): number | undefined {
  const clock = new FakeClock();
  let over: number | undefined;
  const deadline = new ConnectDeadline(clock, () => (over ??= clock.monotonicMs()));
  for (const [atMs, what] of steps) {
    clock.advance(atMs - clock.monotonicMs());
    if (what === 'accept') deadline.accepted();
    else if (what === 'up') deadline.end();
    else deadline.begin(what === 'offer');
  }
  clock.advance(100_000);
  deadline.end();
  expect(clock.armed).toBe(0);
  return over;
}

it.each([
  ['our answer, pre-accepted, never accepted', [[0, 'answer']], 11_500],
  [
    'our answer, accepted at once',
    [
      [0, 'answer'],
      [0, 'accept'],
    ],
    8000,
  ],
  [
    'our answer, sent by accept alone',
    [
      [0, 'accept'],
      [100, 'answer'],
    ],
    8100,
  ],
  [
    'our answer, accepted after 9 s of ringing',
    [
      [0, 'answer'],
      [9000, 'accept'],
    ],
    17_000,
  ],
  [
    'our answer, accepted twice',
    [
      [0, 'answer'],
      [3000, 'accept'],
      [7000, 'accept'],
    ],
    11_000,
  ],
  ['our offer, the user never accepts', [[0, 'offer']], undefined],
  [
    'our offer, accepted after a minute',
    [
      [0, 'offer'],
      [60_000, 'accept'],
    ],
    68_000,
  ],
  [
    'up in time',
    [
      [0, 'answer'],
      [9000, 'up'],
      [10_000, 'accept'],
    ],
    undefined,
  ],
  [
    'up at the last moment',
    [
      [0, 'answer'],
      [0, 'accept'],
      [7999, 'up'],
    ],
    undefined,
  ],
] as const)('media has to be up: %s', (_name, steps, expected) => {
  expect(ranOutAt(...(steps as readonly Step[]))).toBe(expected);
});
