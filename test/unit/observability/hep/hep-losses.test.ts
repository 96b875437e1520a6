import { expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import { HepLosses } from '../../../../src/observability/hep/hep-losses.js';
import { RecordingLogger } from '../../../support/recording-logger.js';

it('every lost packet is counted, and said at most once a minute with what went since', () => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const losses = new HepLosses(clock, logger);
  losses.add(1, Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
  for (let second = 0; second < 59; second++) {
    clock.advance(1_000);
    losses.add(1, 'more than can be sent');
  }
  expect(logger.lines).toHaveLength(1);
  clock.advance(1_000);
  losses.add(2, 'more than can be sent');
  expect(losses.total).toBe(62);
  expect(logger.lines.map(({ level, fields }) => [level, fields['lost'], fields['lostInAll']])).toEqual([
    ['warn', 1, 1],
    ['warn', 61, 62],
  ]);
});

it('trouble without a loss is said, too', () => {
  const logger = new RecordingLogger();
  const losses = new HepLosses(new FakeClock(), logger);
  losses.add(0, new Error('no such name'));
  expect([losses.total, logger.lines.length]).toEqual([0, 1]);
});
