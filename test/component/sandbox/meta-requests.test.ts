import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/lib/clock.js';
import type { PhoneLine } from '../../../src/sandbox/graph/exchange.js';
import { metaFixture, metaIndex } from '../../support/fixtures.js';
import { NUMBER_ID, startFixture, type Fixture } from './fixture.js';

/** The samples' holidays lie in 2026: the sandbox lives in 2025 here. */
const clock = { ...systemClock, now: () => Date.UTC(2025, 5, 1) };
const CALLED = ['14085551234', '14085550000'];

let at: Fixture;
beforeEach(async () => {
  at = await startFixture({ clock });
  for (const waId of CALLED) at.sandbox.exchange.attach(line(waId));
});
afterEach(() => at.stop());

function line(waId: string): PhoneLine {
  return {
    waId,
    profileName: 'Sample',
    offered: () => Promise.resolve('v=0\r\n'),
    mediaAnswered: () => Promise.resolve(),
    accepted: () => Promise.resolve(),
    ended: () => undefined,
  };
}

/** Samples that Meta itself would refuse, and why. */
const invalid: Readonly<Record<string, RegExp>> = {
  'curl-connect-as-published-request.json': /action/,
  'curl-connect-legacy-request.json': /action/,
};

describe("requests of Meta's reference, as they stand", () => {
  const requests = metaIndex().filter(({ kind, path }) => kind === 'request' && path !== undefined);

  it('are all there', () => expect(requests.length).toBeGreaterThanOrEqual(12));

  it.each(requests.map((request) => [request.file, request] as const))('%s', async (file, request) => {
    const body = metaFixture(file) as Record<string, unknown>;
    const caller = line('16505551234');
    at.sandbox.exchange.attach(caller);
    // A sample's call id is some call of Meta's: here it is one that is on.
    const named = 'call_id' in body ? { call_id: at.sandbox.exchange.userCalls(caller, 'v=0\r\n').id } : {};
    const reply = await at.post(request.path!.replace('{PHONE_NUMBER_ID}', NUMBER_ID).slice(1), { ...body, ...named });
    const expected = invalid[file];
    if (expected) {
      expect(reply.status).toBe(400);
      expect(JSON.stringify(reply.body)).toMatch(expected);
    } else {
      expect(reply).toMatchObject({ status: 200, body: { success: true } });
    }
  });
});
