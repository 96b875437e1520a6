import { expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { GraphError } from '../../../src/whatsapp/graph-error.js';
import type { Lane } from '../../../src/whatsapp/graph-request.js';
import { GraphSlots, type Release } from '../../../src/whatsapp/graph-slots.js';
import { settled } from '../../support/eventually.js';

const marks = { end: 3, answer: 2, connect: 1, other: 1 };
const ask = (lane: Lane, signal?: AbortSignal) => ({ lane, numberId: '1', what: lane, signal });

it('a slot given back twice frees one place', async () => {
  const slots = new GraphSlots(new FakeClock(), marks);
  const first = await slots.take(ask('connect'), 1000);
  const order: string[] = [];
  const waiting = [1, 2].map((name) => slots.take(ask('connect'), 1000).then(() => void order.push(String(name))));
  first();
  first();
  await settled();
  expect([order, slots.inFlight, slots.waiting('connect')]).toEqual([['1'], 1, 1]);
  expect(waiting).toHaveLength(2);
});

it('no timer is left once a slot is taken, refused, given up or out of time', async () => {
  const clock = new FakeClock();
  const slots = new GraphSlots(clock, marks);
  const abort = new AbortController();
  await slots.take(ask('connect'), 1000);
  const late = slots.take(ask('connect'), 1000);
  const gone = slots.take(ask('other', abort.signal), 5000);
  const refused = slots.take(ask('other'), 5000);
  expect(clock.armed).toBe(3);
  abort.abort();
  await expect(gone).rejects.toMatchObject({ fault: 'held', unsent: true });
  slots.refuse(({ lane }) => (lane === 'other' ? new GraphError('held', 'later', { unsent: true }) : undefined));
  await expect(refused).rejects.toMatchObject({ message: 'later' });
  clock.advance(1000);
  await expect(late).rejects.toMatchObject({ fault: 'timeout', unsent: true });
  expect([clock.armed, slots.waiting()]).toEqual([0, 0]);
});

it('what was given up before it is asked for never waits', async () => {
  const slots = new GraphSlots(new FakeClock(), marks);
  await expect(slots.take(ask('answer', AbortSignal.abort()), 1000)).rejects.toMatchObject({ fault: 'held' });
  expect([slots.waiting(), slots.inFlight]).toEqual([0, 0]);
});

it.each<[Lane, boolean]>([
  ['connect', true],
  ['other', true],
  ['answer', false],
  ['end', false],
])('beyond 500 that wait, more of lane %s are refused: %s', async (lane, isRefused) => {
  const slots = new GraphSlots(new FakeClock(), { end: 1, answer: 1, connect: 1, other: 1 });
  await slots.take(ask('end'), 1000);
  const waiting: Promise<Release>[] = [];
  for (let i = 0; i < 500; i++) waiting.push(slots.take(ask(lane), 1000));
  const more = slots.take(ask(lane), 1000);
  if (isRefused) await expect(more).rejects.toMatchObject({ fault: 'held', httpStatus: 429, retryAfterS: 1 });
  expect(slots.waiting(lane)).toBe(isRefused ? 500 : 501);
  expect(waiting).toHaveLength(500);
});
