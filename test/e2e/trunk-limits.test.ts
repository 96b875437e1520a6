import { afterEach, describe, expect, it } from 'vitest';
import { ScriptedBridge } from '../support/scripted-bridge.js';

/** Calls that are placed at once, far more than the trunk may have. */
const FLOOD = 40;

describe('a trunk with limits', () => {
  let bridge: ScriptedBridge;
  afterEach(() => bridge.stop());

  const start = async (limits: string): Promise<void> => {
    bridge = await ScriptedBridge.start({ trunk: limits });
  };

  it('calls nobody who is no destination: 403, and Meta hears nothing', async () => {
    await start('destinations: ["+49*"]');
    bridge.pbxCalls();
    const refusal = await bridge.pbx.response(403, 'INVITE');
    expect(refusal.get('Reason')).toContain('Q.850;cause=21');
    expect(await bridge.record()).toMatchObject({ code: 'not_allowed', trunk: 'pbx', number: 'sales' });
    expect(bridge.actions).toEqual([]);
  });

  it('places no more calls than it may, and tells the others when to come back', async () => {
    await start('max_calls_per_second: 100, max_calls_per_day: 3');
    for (let i = 0; i < FLOOD; i++) bridge.pbxCalls({ user: `+1408555${1000 + i}` });
    // A refusal without ACK is repeated: each counts once.
    const refusals = new Map<string, string>();
    while (refusals.size < FLOOD - 3) {
      const refusal = await bridge.pbx.response(503, 'INVITE');
      refusals.set(refusal.get('Call-ID'), `${refusal.get('Retry-After')} ${refusal.get('Reason')}`);
    }
    for (const told of refusals.values()) expect(told).toMatch(/^3600 .*max_calls_per_day of the trunk/);
    await expect.poll(() => bridge.actions, { timeout: 5_000 }).toEqual(['connect', 'connect', 'connect']);
  });
});
