import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord } from '../../src/call/call-record.js';
import { csvFormat } from '../../src/observability/cdr/csv-format.js';
import { AdminAsker } from '../support/admin-asker.js';
import { RecordEndpoint } from '../support/record-endpoint.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { ScriptedBridge, USER } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';
import { WrtcPeer } from '../support/wrtc-peer.js';

describe('call records of the whole daemon', () => {
  let folder: string;
  let billing: RecordEndpoint;
  let logger: RecordingLogger;
  let phone: WrtcPeer;
  let bridge: ScriptedBridge;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sip2wa-cdr-'));
    billing = await RecordEndpoint.start();
    logger = new RecordingLogger();
    phone = new WrtcPeer();
  });
  afterEach(async () => {
    phone.close();
    await bridge.stop();
    await billing.close();
    rmSync(folder, { recursive: true });
  });

  const section = (token: string): string => `
cdr:
  file: "${folder}/cdr.jsonl"
  csv_file: "${folder}/cdr.csv"
  http_url: "${billing.url}"
  http_token: ${token}
  http_spool_dir: "${folder}/spool"
`;
  const start = async (token = 'token-of-billing'): Promise<void> => {
    bridge = await ScriptedBridge.start({ more: section(token), ownRecords: true, logger });
  };
  const refusedCall = async (id: string): Promise<CallRecord> => {
    const count = bridge.records.length;
    await bridge.deliver(bridge.userConnect(id, await phone.offer()));
    const invite = await bridge.pbx.request('INVITE');
    await bridge.step('graph.pre_accept');
    bridge.pbx.reply(invite, 486, 'Busy Here', { toTag: 'p1' });
    return bridge.record(count);
  };
  const rows = (name: string): string[] => readFileSync(join(folder, name), 'utf8').split(/\r?\n/).slice(0, -1);
  const spooled = (): string[] => readdirSync(join(folder, 'spool')).filter((name) => name.endsWith('.json'));
  const metric = (sample: string): Promise<number | undefined> =>
    new AdminAsker(bridge.daemon.addresses.admin.port).metric(sample);

  it('are one row in the JSON file, one in the CSV file, and one at a receiver that fails twice first', async () => {
    billing.answers = [503, 500];
    await start();
    const record = await refusedCall('wacid.1');
    await until(() => billing.posted.length === 1, 'the first attempt');
    expect(spooled()).toHaveLength(1);
    expect([await metric('cdr_spooled'), await metric('cdr_spool_bytes')]).toEqual([1, 4096]);
    await until(() => billing.taken.length === 1 && spooled().length === 0, 'the third attempt', 10_000);

    expect(rows('cdr.jsonl').map((line) => JSON.parse(line) as unknown)).toEqual([record]);
    expect(`${rows('cdr.csv').join('\r\n')}\r\n`).toBe(csvFormat.header + csvFormat.line(record));
    expect(billing.posted.map(({ status }) => status)).toEqual([503, 500, 204]);
    for (const posted of billing.posted) {
      const { key, token, type } = posted;
      expect([posted.record, key, token, type]).toEqual([
        ...[record, record.call, 'Bearer token-of-billing', 'application/json'],
      ]);
    }
    expect(record).toMatchObject({ user: `+${USER}`, code: 'busy', waCallId: 'wacid.1' });
    for (const sample of ['sink="jsonl",result="stored"', 'sink="csv",result="stored"', 'sink="http",result="sent"'])
      expect(await metric(`cdr_records_total{${sample}}`), sample).toBe(1);
    expect(await metric('cdr_spooled')).toBe(0);
    expect(logger.text()).not.toContain('token-of-billing');
  });

  it('of a call that ends with the daemon are written everywhere', async () => {
    billing.answers = Array<number>(50).fill(503);
    await start();
    await bridge.deliver(bridge.userConnect('wacid.1', await phone.offer()));
    await bridge.pbx.request('INVITE');
    expect(bridge.daemon.calls()).toBe(1);
    await bridge.stop();
    const [row = '{}', ...others] = rows('cdr.jsonl');
    expect(others).toEqual([]);
    const { call, waCallId } = JSON.parse(row) as CallRecord;
    expect([waCallId, rows('cdr.csv').length]).toEqual(['wacid.1', 2]);
    expect(spooled()).toEqual([expect.stringMatching(new RegExp(`-${call}\\.json$`))]);
    await start();
  });

  it('wait for the next start when the receiver is down to the end, and for a token that a reload brings', async () => {
    billing.answers = Array<number>(50).fill(401);
    await start('old-token');
    const first = await refusedCall('wacid.1');
    await until(() => billing.posted.length > 0, 'an attempt');
    await bridge.stop();
    expect(spooled()).toHaveLength(1);

    await start('old-token');
    const attempts = billing.posted.length;
    await until(() => billing.posted.length > attempts, 'an attempt after the start');
    const second = await refusedCall('wacid.2');
    bridge.rewriteConfig((yaml) => yaml.replace('old-token', 'new-token'));
    billing.answers = [];
    expect(bridge.daemon.reload()).toMatchObject({ result: 'ok', changed: ['cdr.http_token'], restart: [] });
    await until(() => billing.taken.length === 2, 'both records');
    expect(billing.taken.map(({ record, token }) => [record, token])).toEqual([
      [first, 'Bearer new-token'],
      [second, 'Bearer new-token'],
    ]);
    expect(rows('cdr.jsonl').map((line) => JSON.parse(line) as unknown)).toEqual([first, second]);
    expect(rows('cdr.csv')).toHaveLength(3);
    await until(() => spooled().length === 0, 'an empty spool');
  });
});
