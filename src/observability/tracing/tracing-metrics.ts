import { Counter, type Registry } from 'prom-client';
import type { DropReason } from './call-traces.js';

const REASONS: readonly DropReason[] = ['queue_full', 'export_failed'];

/** Counts the calls whose traces were lost. */
export function registerTracingMetrics(registry: Registry): (reason: DropReason, calls: number) => void {
  const dropped = new Counter({
    ...{ name: 'sip2wa_tracing_dropped_total', help: 'Calls whose traces were lost, by why.' },
    ...{ labelNames: ['reason'] as const, registers: [registry] },
  });
  // So that a first loss is an increase.
  for (const reason of REASONS) dropped.inc({ reason }, 0);
  return (reason, calls) => dropped.inc({ reason }, calls);
}
