import { Counter, Gauge, type Registry } from 'prom-client';

/** Where records go: the two files, and the receiver over HTTP. */
export type RecordSinkName = 'jsonl' | 'csv' | 'http';

/** What a sink can make of a record. */
const results = {
  jsonl: ['stored', 'lost'],
  csv: ['stored', 'lost'],
  http: ['sent', 'rejected', 'dropped', 'unspooled'],
} as const;

/** Records that wait for their receiver. */
export interface RecordBacklog {
  readonly records: number;
  readonly bytes: number;
  readonly oldestMs: number;
}

/** What became of call records, and how many wait to be sent. */
export class RecordMetrics {
  readonly #records;
  #backlog: () => RecordBacklog = () => ({ records: 0, bytes: 0, oldestMs: 0 });

  constructor(private readonly registry: Registry) {
    this.#records = new Counter({
      ...{ name: 'sip2wa_cdr_records_total', help: 'Call records by what a sink made of them.' },
      ...{ labelNames: ['sink', 'result'] as const, registers: [registry] },
    });
    this.#gauge('cdr_spooled', 'Call records that wait for their receiver.', ({ records }) => records);
    this.#gauge(
      'cdr_spool_bytes',
      'What the spool takes up, refused records and those in memory alone included.',
      ({ bytes }) => bytes,
    );
    this.#gauge('cdr_spool_oldest_seconds', 'How long the oldest call record has waited for its receiver.', (backlog) =>
      Math.round(backlog.oldestMs / 1000),
    );
  }

  /** Shows a sink's results from now on, so that a first loss is an increase; returns what counts them. */
  countsOf(sink: RecordSinkName): (result: string, records: number) => void {
    for (const result of results[sink]) this.#records.inc({ sink, result }, 0);
    return (result, records) => this.#records.inc({ sink, result }, records);
  }

  /** Says where the backlog is read. */
  watch(backlog: () => RecordBacklog): void {
    this.#backlog = backlog;
  }

  #gauge(name: string, help: string, of: (backlog: RecordBacklog) => number): void {
    const read = (): number => of(this.#backlog());
    const collect = function (this: Gauge): void {
      this.set(read());
    };
    new Gauge({ name: `sip2wa_${name}`, help, registers: [this.registry], collect });
  }
}
