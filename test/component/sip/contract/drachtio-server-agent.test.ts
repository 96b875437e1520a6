import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { drachtioSecret } from '../../../support/drachtio-server.js';
import { AGENT_SCENARIOS } from './agent-scenarios.js';
import { drachtioServer } from './other-sides.js';
import { playedLive } from './play.js';
import { promisedOrder } from './promised-order.js';
import { recordedFrames, recordedNames, recordings, type Exchange } from './recording.js';

/* With SIP2WA_DRACHTIO_RECORD=1 what a drachtio-server and our user agent exchange is written down anew. */

const isRecording = process.env['SIP2WA_DRACHTIO_RECORD'] !== undefined;
const known = (): Record<string, Exchange> =>
  existsSync(recordings) ? (JSON.parse(readFileSync(recordings, 'utf8')) as Record<string, Exchange>) : {};

describe('our user agent in front of a drachtio-server', () => {
  it.each(Object.entries(AGENT_SCENARIOS))(
    '%s',
    async (name, scenario) => {
      const wanted = recordedFrames(known()[name] ?? []);
      const { exchange, order } = await playedLive(await drachtioServer(), scenario, wanted.length);
      if (isRecording)
        return writeFileSync(recordings, `${JSON.stringify({ ...known(), [name]: exchange }, null, 2)}\n`);
      expect(order).toEqual(promisedOrder(wanted, recordedNames(drachtioSecret)));
    },
    60_000,
  );
});
