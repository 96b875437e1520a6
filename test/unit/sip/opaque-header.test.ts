import { describe, expect, it } from 'vitest';
import type { SrfMessage } from '../../../src/sip/drachtio-types.js';
import { opaqueLimit, opaqueOf } from '../../../src/sip/opaque-header.js';
import { RecordingLogger } from '../../support/recording-logger.js';

const read = (value: string | undefined): { text: string | undefined; logger: RecordingLogger } => {
  const logger = new RecordingLogger();
  const message = { get: (name: string) => (name === 'X-WA-Opaque' ? value : undefined) } as unknown as SrfMessage;
  return { text: opaqueOf(message, logger), logger };
};

describe('X-WA-Opaque', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    [' \t ', undefined],
    ['ticket 4711; prio=1', 'ticket 4711; prio=1'],
    ['a\r\n X-Evil: 1\u0000\u202e', 'a X-Evil: 1'],
    ['زهرة 👍', 'زهرة 👍'],
    ['{"json":"\\u0000"}', '{"json":"\\u0000"}'],
  ])('%j is taken as %j', (value, expected) => {
    const { text, logger } = read(value);
    expect(text).toBe(expected);
    expect(logger.lines).toEqual([]);
  });

  it('is cut at its own limit, between characters, and that is said', () => {
    expect(read('👍'.repeat(opaqueLimit)).logger.lines).toEqual([]);
    const { text, logger } = read('👍'.repeat(opaqueLimit + 1));
    expect(text).toBe('👍'.repeat(opaqueLimit));
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { limit: 2048 } }]);
  });
});
