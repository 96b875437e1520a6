import { describe, expect, it } from 'vitest';
import { silentLogger, type Logger } from '../../../src/lib/logger.js';
import { StopStack } from '../../../src/lib/stop-stack.js';

describe('stop stack', () => {
  const faults: unknown[] = [];
  const logger: Logger = { ...silentLogger, error: (_message, fields) => void faults.push(fields?.['what']) };

  it('stops last what came first, and the rest when a part fails, at once or later', async () => {
    const stack = new StopStack(logger);
    const stopped: string[] = [];
    const part = (what: string, end: () => Promise<void> = () => Promise.resolve()): void =>
      stack.add(what, () => {
        stopped.push(what);
        return end();
      });
    part('journal');
    part('media', () => Promise.reject(new Error('later')));
    part('sip', () => {
      throw new Error('at once');
    });
    part('calls');
    await stack.unwind();
    expect(stopped).toEqual(['calls', 'sip', 'media', 'journal']);
    expect(faults).toEqual(['sip', 'media']);
    await stack.unwind();
    expect(stopped).toHaveLength(4);
  });
});
