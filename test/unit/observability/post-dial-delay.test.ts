import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { CallStep } from '../../../src/call/observer.js';
import type { CallId } from '../../../src/lib/ids.js';
import { PostDialDelay } from '../../../src/observability/post-dial-delay.js';
import type { StepDetail } from '../../../src/observability/timeline.js';

type Step = readonly [CallStep, number, StepDetail?];

async function delaysOf(...steps: readonly Step[]): Promise<string[]> {
  const registry = new Registry();
  const delays = new PostDialDelay(registry);
  for (const [step, sinceStartMs, detail = {}] of steps)
    delays.step({ call: 'C' as CallId, step, at: 0, sinceStartMs, detail });
  const lines = (await registry.metrics()).split('\n');
  return lines
    .filter((line) => /_(?:sum|count)\{/.test(line))
    .map((line) => line.replace('sip2wa_post_dial_delay_seconds_', ''));
}

const out = { direction: 'out' };
const in_ = { direction: 'in' };
const users = (seconds: number): string[] => [
  `sum{direction="user_initiated"} ${seconds}`,
  'count{direction="user_initiated"} 1',
];
const ours = (seconds: number): string[] => [
  `sum{direction="business_initiated"} ${seconds}`,
  'count{direction="business_initiated"} 1',
];

describe('post-dial delay', () => {
  it.each<[string, Step[], string[]]>([
    [
      'is from the INVITE to 180',
      [
        ['sip.invite', 200, out],
        ['sip.ringing', 950, in_],
        ['sip.answer', 5_000, in_],
      ],
      users(0.75),
    ],
    [
      'is up to 183 too',
      [
        ['sip.invite', 0, out],
        ['sip.progress', 500, in_],
        ['sip.ringing', 700, in_],
      ],
      users(0.5),
    ],
    [
      'is up to the answer, when nothing rang',
      [
        ['sip.invite', 0, out],
        ['sip.answer', 1_250, in_],
      ],
      users(1.25),
    ],
    [
      'begins anew with the next server',
      [
        ['sip.invite', 0, out],
        ['sip.invite', 4_000, out],
        ['sip.ringing', 4_500, in_],
      ],
      users(0.5),
    ],
    [
      'is from the connect request, not its answer, to RINGING',
      [
        ['sip.invite', 0, in_],
        ['graph.connect', 800, { ...out, tookMs: 300 }],
        ['webhook.ringing', 1_500],
        ['sip.ringing', 1_501, out],
      ],
      ours(1),
    ],
    [
      'is up to ACCEPTED, when RINGING is late',
      [
        ['graph.connect', 100, out],
        ['webhook.accepted', 2_100],
        ['webhook.ringing', 2_200],
      ],
      ours(2),
    ],
    [
      'is none of a call that never rang',
      [
        ['sip.invite', 0, out],
        ['call.ended', 900],
        ['sip.ringing', 950, in_],
      ],
      [],
    ],
    [
      'is none of what we tell a PBX that calls',
      [
        ['sip.invite', 0, in_],
        ['sip.ringing', 700, out],
      ],
      [],
    ],
  ])('%s', async (_what, steps, expected) => {
    expect(await delaysOf(...steps)).toEqual(expected);
  });
});
