import { describe, expect, it } from 'vitest';
import type { Ending, MoveName, Step } from './moves.js';
import { play, type Reached } from './play.js';

/* Fault F-13 and its kin, exhaustively: what Meta sends comes in every order there is, and any one of it twice. */

/** All orders of a list; equal items are not told apart. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return [...new Set(items)].flatMap((first) => {
    const at = items.indexOf(first);
    return orders([...items.slice(0, at), ...items.slice(at + 1)]).map((rest) => [first, ...rest]);
  });
}

const withOneTwice = <T>(items: readonly T[]): T[][] => [
  ...orders(items),
  ...items.flatMap((twice) => orders([...items, twice])),
];

/** Even ones carry our key where Meta promises it, odd ones do not. */
const step = (name: MoveName, nth: number, settles: boolean): Step => [name, nth, settles];

async function faultsOf(before: readonly Step[], events: readonly MoveName[], nth: number): Promise<string[]> {
  const ending: Ending = nth % 2 === 0 ? 'answers' : 'silence';
  const isKeyed = nth % 4 < 2 ? 0 : 1;
  const settles = nth % 3 > 0;
  const steps = [...before, ...events.map((name) => step(name, isKeyed, settles))];
  const faults = await play(steps, ending, { preAccept: 'immediate' });
  return faults.length === 0 ? [] : [events.join(', '), ...faults];
}

const terminates = ['terminate COMPLETED', 'terminate FAILED', 'terminate, bare'] as const;

describe('every order of Meta’s events', () => {
  it.each([
    ['with our key', 0],
    ['without our key', 1],
  ])(
    'answers a call to a user: HTTP reply, connect, RINGING, ACCEPTED, each %s, and any of them twice',
    async (_, nth) => {
      const events = ['graph ok', 'business connect', 'RINGING', 'ACCEPTED'] as const;
      const unanswered: string[] = [];
      for (const order of withOneTwice<MoveName>(events)) {
        const reached: Reached = new Map();
        const steps = [...order, 'ACK' as const].map((name) => step(name, name === 'ACK' ? 0 : nth, true));
        const found = await play(
          [step('PBX calls', 0, true), ...steps],
          'answers',
          { preAccept: 'immediate' },
          reached,
        );
        if (found.length > 0 || !reached.has('business_initiated answered'))
          unanswered.push(order.join(', '), ...found);
      }
      expect(unanswered).toEqual([]);
    },
  );

  it('answers a user’s call: 100, 180, 183, 200 in any order that ends with 200, with the pre_accept through or not', async () => {
    const unanswered: string[] = [];
    for (const order of orders<MoveName>(['graph ok', 'sip 100', 'sip 180', 'sip 183', 'sip 200'])) {
      const isPossible =
        order.indexOf('sip 200') >
        Math.max(...['sip 100', 'sip 180', 'sip 183'].map((name) => order.indexOf(name as MoveName)));
      if (!isPossible) continue;
      const reached: Reached = new Map();
      const steps = ['user calls' as const, ...order].map((name) => step(name, 0, true));
      const found = await play(steps, 'answers', { preAccept: 'immediate' }, reached);
      if (found.length > 0 || !reached.has('user_initiated answered')) unanswered.push(order.join(', '), ...found);
    }
    expect(unanswered).toEqual([]);
  });

  it.each(terminates)(
    'of a call to a user: HTTP reply, connect, RINGING, ACCEPTED, %s, and any of them twice',
    async (terminate) => {
      const events = ['graph ok', 'business connect', 'RINGING', 'ACCEPTED', terminate] as const;
      const all = withOneTwice<MoveName>(events);
      expect(all).toHaveLength(120 + 5 * 360);
      const found: string[] = [];
      for (const [nth, order] of all.entries()) {
        found.push(...(await faultsOf([step('PBX calls', 0, true)], order, nth)));
        if (found.length > 0) break;
      }
      expect(found).toEqual([]);
    },
    60_000,
  );

  it('of a call to a user who declines: HTTP reply, connect, RINGING, ACCEPTED, REJECTED, terminate', async () => {
    const events = ['graph ok', 'business connect', 'RINGING', 'ACCEPTED', 'REJECTED', 'terminate COMPLETED'] as const;
    const found: string[] = [];
    for (const [nth, order] of orders<MoveName>(events).entries()) {
      found.push(...(await faultsOf([step('PBX calls', 0, true)], order, nth)));
    }
    expect(found).toEqual([]);
  }, 60_000);

  it.each(terminates)(
    'of a user’s call: connect, HTTP reply, 180, 200, %s, and any of them twice',
    async (terminate) => {
      const events = ['user calls', 'graph ok', 'sip 180', 'sip 200', terminate] as const;
      const found: string[] = [];
      for (const [nth, order] of withOneTwice<MoveName>(events).entries()) {
        found.push(...(await faultsOf([], order, nth)));
        if (found.length > 0) break;
      }
      expect(found).toEqual([]);
    },
    60_000,
  );
});
