import type { CdrSink } from '../call/call-record.js';
import { packageVersion } from '../lib/package-version.js';
import type { StopStack } from '../lib/stop-stack.js';
import { CallTraces } from '../observability/tracing/call-traces.js';
import { createOtlpExport } from '../observability/tracing/otlp-export.js';
import { registerTracingMetrics } from '../observability/tracing/tracing-metrics.js';
import type { Base } from './base.js';

/**
 * The sink for call records, which traces each call first if the configuration says where traces go.
 * @throws TracingUnavailableError when the packages of OpenTelemetry are not there
 */
export async function tracedRecords(base: Base, records: CdrSink, stack: StopStack): Promise<CdrSink> {
  const { config, timeline, redaction, metrics, clock, logger } = base;
  const { tracing } = config;
  if (!tracing) return records;
  const { otlpUrl: url, headers, sampleRatio } = tracing;
  const to = await createOtlpExport({ url, headers, version: packageVersion() });
  const onDropped = registerTracingMetrics(metrics.registry);
  const traces = new CallTraces({ to, sampleRatio, timeline, redaction, onDropped, clock, logger });
  stack.add('traces', () => traces.close());
  return traces.before(records);
}
