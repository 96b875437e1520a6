import type { CallRecord, CdrSink } from '../../call/call-record.js';
import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { Logger } from '../../lib/logger.js';

/** A disk that hangs may hold up a sink; the journal must not wait for it for ever. In milliseconds. */
const storeDeadlineMs = 10_000;

/** Hands each record to every sink. */
export class RecordSinks implements CdrSink {
  constructor(
    private readonly sinks: readonly CdrSink[],
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  /** Resolves when every sink has stored the record or given it up, or after 10 s. Never rejects. */
  async write(record: CallRecord): Promise<void> {
    const stored = Promise.all(this.sinks.map(async (sink) => sink.write(record)));
    await withDeadline(stored, storeDeadlineMs, 'storing a call record', this.clock).catch((err: unknown) =>
      this.logger.error('call record is not stored yet', { call: record.call, err }),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.sinks.map((sink) => sink.close()));
  }
}
