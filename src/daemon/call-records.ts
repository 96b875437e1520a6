import type { CdrSink } from '../call/call-record.js';
import { csvFormat } from '../observability/cdr/csv-format.js';
import { HttpRecords } from '../observability/cdr/http-records.js';
import { jsonlFormat } from '../observability/cdr/jsonl-format.js';
import type { RecordFormat } from '../observability/cdr/record-format.js';
import { RecordFile } from '../observability/cdr/record-file.js';
import { RecordMetrics } from '../observability/cdr/record-metrics.js';
import { RecordSinks } from '../observability/cdr/record-sinks.js';
import type { Base } from './base.js';

/** Where call records go. */
export interface CallRecords {
  readonly sink: CdrSink;
  /** The daemon is up, or its configuration is another one: what waits is tried at once. Before the first time nothing is sent. */
  readonly reconfigured: () => void;
}

/** The sinks of the configuration: a JSON file, a CSV file, a receiver over HTTP. */
export function createCallRecords({ config, live, clock, logger, metrics }: Base): CallRecords {
  const { file, csvFile, httpSpoolDir, httpSpoolMaxBytes } = config.cdr;
  const counts = new RecordMetrics(metrics.registry);
  const fileOf = (name: 'jsonl' | 'csv', path: string, format: RecordFormat): CdrSink[] =>
    path === '' ? [] : [new RecordFile({ path, format, clock, logger, count: counts.countsOf(name) })];
  const http = new HttpRecords({
    receiver: () => ({ url: live.current.cdr.httpUrl, token: live.current.cdr.httpToken }),
    ...{ directory: httpSpoolDir, limitBytes: httpSpoolMaxBytes, random: Math.random, count: counts.countsOf('http') },
    ...{ clock, logger },
  });
  counts.watch(() => http.backlog);
  const sinks = [...fileOf('jsonl', file, jsonlFormat), ...fileOf('csv', csvFile, csvFormat), http];
  return { sink: new RecordSinks(sinks, clock, logger), reconfigured: () => http.wake() };
}

/** Of a daemon whose records somebody else takes. */
export const recordsTo = (sink: CdrSink): CallRecords => ({ sink, reconfigured: () => undefined });
