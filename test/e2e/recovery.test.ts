import { afterEach, describe, expect, it } from 'vitest';
import type { JournalData, JournalEntry, JournalEvent } from '../../src/call/journal.js';
import type { CallId } from '../../src/lib/ids.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { NUMBER_ID, ScriptedBridge } from '../support/scripted-bridge.js';
import { until } from '../support/until.js';

const CALL = '01JDB2ZV4QXK0000000000000A';
const entry = (call: string, event: JournalEvent, data: JournalData): JournalEntry => ({
  call: call as CallId,
  event,
  data: { numberId: NUMBER_ID, ...data },
});
const startMs = String(Date.now() - 60_000);
const connect = (waCallId: string): JournalEntry =>
  entry('D', 'webhook', { kind: 'user_connect', waCallId, timestampMs: startMs });
const placed: readonly JournalEntry[] = [
  entry(CALL, 'began', { direction: 'business_initiated', startMs, number: 'sales', trunk: 'pbx' }),
  entry(CALL, 'dial', { leg: 'whatsapp', opaque: `s2w:${CALL}` }),
];

describe('a daemon that starts after a crash', () => {
  let bridge: ScriptedBridge;
  let leaves = 0;
  afterEach(async () => {
    await bridge.stop({ leaves });
    leaves = 0;
  });

  it('ends what it left up at Meta before it takes calls, once, with a record of each', async () => {
    const logger = new RecordingLogger();
    const orphans = ['wacid.1', 'wacid.2', 'wacid.3'];
    const began = { direction: 'user_initiated', startMs, number: 'sales', trunk: 'pbx', waCallId: 'wacid.1' };
    bridge = await ScriptedBridge.start({
      journal: [...orphans.map(connect), entry(CALL, 'began', began)],
      logger,
    });
    expect(bridge.actions).toEqual(['terminate', 'terminate', 'terminate']);
    expect(bridge.graph.seen.map(({ body }) => body['call_id']).sort()).toEqual(orphans);
    expect(bridge.records.map(({ code, waCallId }) => [code, waCallId]).sort()).toEqual(
      orphans.map((id) => ['internal', id]),
    );
    expect(bridge.records.find(({ call }) => call === CALL)).toMatchObject({ number: 'sales', trunk: 'pbx' });
    const order = logger.lines.map(({ message }) => message);
    expect(order.indexOf('recovery done')).toBeLessThan(order.indexOf('ready'));
    expect(order).toContain('recovery done');
  });

  it('does not ring the PBX when the webhook of an orphan comes again', async () => {
    const logger = new RecordingLogger();
    bridge = await ScriptedBridge.start({ journal: [connect('wacid.1')], logger });
    expect(await bridge.deliver(bridge.userConnect('wacid.1', 'v=0'))).toBe(200);
    expect(await bridge.deliver(bridge.userConnect('wacid.1', 'v=0'))).toBe(200);
    const handled = () => logger.lines.filter(({ message }) => message === 'webhook event');
    await until(() => handled().length === 2, 'both events handled');
    expect(handled().map(({ fields }) => fields['result'])).toEqual(['ended_before', 'duplicate']);
    expect(bridge.pbx.received.filter(({ method }) => method === 'INVITE')).toEqual([]);
    expect(bridge.actions).toEqual(['terminate']);
  });

  it('ends a call whose id it never learnt as soon as a webhook names it', async () => {
    bridge = await ScriptedBridge.start({ journal: placed });
    expect(bridge.actions).toEqual([]);
    const ringing = { id: 'wacid.named', timestamp: bridge.now, type: 'call', status: 'RINGING', recipient_id: '1' };
    const statuses = [{ ...ringing, biz_opaque_callback_data: `s2w:${CALL}` }];
    expect(await bridge.deliver(bridge.event({ statuses }))).toBe(200);
    await until(() => bridge.graph.seen.length === 1, 'terminate');
    expect(bridge.graph.seen[0]?.body).toMatchObject({ action: 'terminate', call_id: 'wacid.named' });
    expect(bridge.records).toMatchObject([{ call: CALL, direction: 'business_initiated', code: 'internal' }]);
    leaves = 1;
  });
});
