import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drachtioSecret } from '../../../support/drachtio-server.js';
import { AGENT_SCENARIOS } from './agent-scenarios.js';
import { embeddedServer, RecordedSide } from './other-sides.js';
import { playedLive, playedOn } from './play.js';
import { promisedOrder } from './promised-order.js';
import { recordedFrames, recordedNames, recordings, type Exchange } from './recording.js';

const exchanges = JSON.parse(readFileSync(recordings, 'utf8')) as Record<string, Exchange>;

describe('our user agent in front of what a drachtio-server said', () => {
  it.each(Object.entries(AGENT_SCENARIOS))('%s', async (name, scenario) => {
    const side = await RecordedSide.of(exchanges[name] ?? []);
    try {
      await playedOn(side, scenario);
    } finally {
      await side.stop();
      expect(side.faults).toEqual([]);
    }
  });
});

describe('our user agent in front of the embedded server', () => {
  it.each(Object.entries(AGENT_SCENARIOS))('%s', async (name, scenario) => {
    const wanted = recordedFrames(exchanges[name] ?? []);
    const { order } = await playedLive(await embeddedServer(), scenario, scenario.ownFrames ? 0 : wanted.length);
    if (scenario.ownFrames !== undefined) return;
    expect(order).toEqual(promisedOrder(wanted, recordedNames(drachtioSecret)));
  });
});
