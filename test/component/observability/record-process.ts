import { join } from 'node:path';
import type { CallId } from '../../../src/lib/ids.js';
import { openStore } from '../../../src/journal/store.js';
import { Recovery } from '../../../src/journal/recovery.js';
import { systemClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger as logger } from '../../../src/lib/logger.js';
import { csvFormat } from '../../../src/observability/cdr/csv-format.js';
import { HttpRecords } from '../../../src/observability/cdr/http-records.js';
import { jsonlFormat } from '../../../src/observability/cdr/jsonl-format.js';
import { RecordFile } from '../../../src/observability/cdr/record-file.js';
import { RecordSinks } from '../../../src/observability/cdr/record-sinks.js';
import { recordOf } from '../../support/call-records.js';

/**
 * A process to be killed: journals and records calls as the switchboard does, with the same journal, recovery and sinks as the daemon.
 * Tells its parent of each call that the journal has, and ends when it is told how many calls are left to make.
 */
const [dir = '', url = '', calls = '0'] = process.argv.slice(2);
const clock = systemClock;

const store = await openStore({ dir: join(dir, 'journal'), clock, logger });
const http = new HttpRecords({
  receiver: () => ({ url, token: '' }),
  ...{ directory: join(dir, 'spool'), limitBytes: 1 << 26, random: () => 0.5, clock, logger },
});
http.wake();
const cdr = new RecordSinks(
  [
    new RecordFile({ path: join(dir, 'cdr.jsonl'), format: jsonlFormat, clock, logger }),
    new RecordFile({ path: join(dir, 'cdr.csv'), format: csvFormat, clock, logger }),
    http,
  ],
  clock,
  logger,
);
const { recoverable: journal } = store;
if (!journal) throw new Error('no journal');
const recovery = new Recovery({
  ...{ journal, cdr, clock, logger, ids: systemIds },
  terminate: () => Promise.resolve(),
  forget: () => undefined,
  abandon: () => undefined,
  endDialogs: () => Promise.resolve(),
  replayReply: () => undefined,
  nameOf: () => undefined,
});
await recovery.run();
process.send?.('recovered');

async function makeCall(): Promise<void> {
  const call: CallId = systemIds.callId();
  const began = { direction: 'user_initiated', startMs: String(Date.now()), number: 'sales', trunk: 'pbx' };
  await store.journal.append({ call, event: 'began', data: began });
  process.send?.(call);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
  await cdr.write(recordOf(call));
  await store.journal.append({ call, event: 'ended', data: {} });
}

await Promise.all(
  Array.from({ length: Number(calls) }, async (_, index) => {
    await new Promise((resolve) => setTimeout(resolve, index * 2));
    await makeCall();
  }),
);
while (http.backlog.records > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await cdr.close();
await store.close();
process.send?.('done');
