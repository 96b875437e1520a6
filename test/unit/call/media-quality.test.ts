import { expect, it } from 'vitest';
import { roundedQuality } from '../../../src/call/media-quality.js';

it('quality of a record has two decimals, and is absent where nothing is known', () => {
  const received = { packets: 3, lost: 0, jitterAvgMs: 1.23456, mosMin: 4.39999 };
  const leg = { codec: 'opus', received, sent: { packets: 3 }, roundTripMaxMs: 80.001 };
  expect(roundedQuality({ whatsapp: leg })).toEqual({
    whatsapp: {
      codec: 'opus',
      received: { packets: 3, lost: 0, jitterAvgMs: 1.23, mosMin: 4.4 },
      sent: { packets: 3 },
      roundTripMaxMs: 80,
    },
  });
  expect([roundedQuality({}), roundedQuality(undefined)]).toEqual([undefined, undefined]);
});
