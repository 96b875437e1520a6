import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { RecordMetrics } from '../../../src/observability/cdr/record-metrics.js';
import { textOf } from './repository.js';

/** What becomes of a record that is as it should be, or that has an alert of its own. */
const HARMLESS = ['stored', 'sent', 'rejected'];

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

async function resultsOfAllSinks(): Promise<string[]> {
  const registry = new Registry();
  const counts = new RecordMetrics(registry);
  for (const sink of ['jsonl', 'csv', 'http'] as const) counts.countsOf(sink);
  const text = await registry.getSingleMetricAsString('sip2wa_cdr_records_total');
  return [...new Set([...text.matchAll(/result="(\w+)"/g)].map(([, result = '']) => result))];
}

describe('the alert on lost call records', () => {
  it('knows every result that loses one, at once or at the next stop, and no other', async () => {
    const { groups } = parse(textOf('config/prometheus/alerts.yml')) as Rules;
    const rules = groups.flatMap(({ rules: some }) => some);
    const { expr = '' } = rules.find(({ alert }) => alert === 'Sip2waCallRecordsLost') ?? {};
    const [, named = ''] = /result=~"([\w|]+)"/.exec(expr) ?? [];
    const bad = (await resultsOfAllSinks()).filter((result) => !HARMLESS.includes(result));
    expect(named.split('|').sort()).toEqual(bad.sort());
  });
});
