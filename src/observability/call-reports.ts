import type { CallRecord, CallStart, CdrSink } from '../call/call-record.js';
import type { CallHistory } from './call-history.js';
import type { EventBus } from './event-bus.js';
import type { Metrics } from './metrics.js';

/** Counts calls and tells of them as they begin and end, then hands their records on: the one place that does. */
export class CallReports implements CdrSink {
  constructor(
    private readonly records: CdrSink,
    private readonly metrics: Metrics,
    private readonly events: EventBus,
    private readonly history: CallHistory,
  ) {}

  started(start: CallStart): void {
    this.history.started(start);
    this.metrics.callStarted(start);
    this.events.publish({ type: 'call_started', data: start });
    this.records.started?.(start);
  }

  write(record: CallRecord): void | Promise<void> {
    this.history.ended(record);
    this.metrics.callEnded(record);
    this.events.publish({ type: 'call_ended', data: record });
    return this.records.write(record);
  }

  close(): Promise<void> {
    return this.records.close();
  }
}
