import { describe, expect, it } from 'vitest';
import { faultLog } from '../../../src/media/fault-log.js';
import { RecordingLogger } from '../../support/recording-logger.js';

describe('fault log', () => {
  it('names each message once, with the error and what it was about', () => {
    const logger = new RecordingLogger();
    const log = faultLog(logger, 'timer failed');
    const [first, second] = [new Error('a'), new Error('b')];
    for (const error of [first, new Error('a'), second, first, 'b']) log(error);
    expect(logger.lines).toEqual([
      { level: 'error', message: 'timer failed', fields: { err: first } },
      { level: 'error', message: 'timer failed', fields: { err: second } },
    ]);
  });

  it('takes no more than twenty, however they differ', () => {
    const logger = new RecordingLogger();
    const log = faultLog(logger, 'timer failed');
    for (let i = 0; i < 1000; i++) log(new Error(`packet ${i}`));
    expect(logger.lines).toHaveLength(20);
  });
});
