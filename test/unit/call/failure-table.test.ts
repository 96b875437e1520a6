import { describe, expect, it } from 'vitest';
import { causeTable } from '../../../src/call/failure-table.js';
import { endReason } from '../../../src/call/end-reason.js';

describe('cause map', () => {
  it.each(Object.entries(causeTable))('%s has a final failure status and a Q.850 cause', (_code, row) => {
    expect(row.sipStatus).toBeGreaterThanOrEqual(400);
    expect(row.sipStatus).toBeLessThan(700);
    expect(row.q850).toBeGreaterThanOrEqual(1);
    expect(row.q850).toBeLessThanOrEqual(127);
  });

  it('lets what the far side said override the table', () => {
    expect(endReason('busy', { q850: 34, text: 'circuits' })).toMatchObject({
      sipStatus: 486,
      q850: 34,
      text: 'circuits',
    });
  });
});
