import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLogger } from '../../../src/observability/logger.js';
import { Lines } from '../../support/lines.js';

const anything = fc.anything({
  maxDepth: 2,
  maxKeys: 4,
  withBigInt: true,
  withDate: true,
  withMap: true,
  withTypedArray: true,
});

it('whatever is logged makes exactly one line that parses, without control characters and without secrets', () => {
  const secret = 'S3cret"\\/ü\n';
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(secret, `x${secret}`, encodeURIComponent(secret)),
  );
  fc.assert(
    fc.property(text, fc.dictionary(text, fc.oneof(text, anything)), (message, fields) => {
      const out = new Lines();
      const log = createLogger({ level: 'info', format: 'json', stream: out });
      log.redact([secret]);
      log.child(fields).info(message, fields);
      expect(out.lines).toHaveLength(1);
      expect(out.records[0]).toMatchObject({ level: 'info' });
      expect(out.text.slice(0, -1)).not.toMatch(/\p{Cc}|\u2028|\u2029/u);
      expect(out.text).not.toContain('S3cret');
    }),
    { numRuns: 200 },
  );
});
