import { beforeEach, describe, expect, it } from 'vitest';
import type { CallRecord, CallStart, CdrSink } from '../../../src/call/call-record.js';
import type { JournalEntry } from '../../../src/call/journal.js';
import type { CallId } from '../../../src/lib/ids.js';
import { CallHistory } from '../../../src/observability/call-history.js';
import { CallReports } from '../../../src/observability/call-reports.js';
import { countedJournal } from '../../../src/observability/counted-journal.js';
import { EventBus } from '../../../src/observability/event-bus.js';
import { Metrics } from '../../../src/observability/metrics.js';

let metrics: Metrics;
beforeEach(() => {
  metrics = new Metrics({ version: '1.2.3' });
});

/** The samples of a metric, labels as Prometheus shows them. */
async function samples(name: string): Promise<Record<string, number>> {
  const { text } = await metrics.read();
  const lines = text.split('\n').filter((line) => new RegExp(`^sip2wa_${name}(\\{| )`).test(line));
  return Object.fromEntries(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(`sip2wa_${name}`.length, space), Number(line.slice(space + 1))];
    }),
  );
}

const call = '01CALL' as CallId;
const start: CallStart = {
  ...{ call, direction: 'user_initiated', number: 'sales', user: '+4930123456', trunk: 'pbx' },
  start: '2026-01-01T00:00:00.000Z',
};
const record: CallRecord = {
  ...{ ...start, version: 1, answer: '2026-01-01T00:00:02.000Z', end: '2026-01-01T00:00:32.000Z' },
  ...{ durationMs: 32_000, billsecMs: 30_000, endedBy: 'a', code: 'hangup', sipStatus: 480, q850: 16 },
  ...{ result: 'success', waCallId: 'wacid.SECRET' },
};

describe('metrics of calls', () => {
  it('show live calls, and what came of them', async () => {
    metrics.callStarted(start);
    expect(await samples('calls_active')).toEqual({ '{direction="user_initiated",trunk="pbx"}': 1 });
    metrics.callEnded({ ...record, trunk: 'other' });
    expect(await samples('calls_active')).toEqual({ '{direction="user_initiated",trunk="pbx"}': 0 });
    const labels = 'direction="user_initiated",trunk="other",number="sales",result="success",cause="hangup"';
    expect(await samples('calls_total')).toEqual({ [`{${labels}}`]: 1 });
    expect(await samples('call_setup_seconds_sum')).toEqual({ '{direction="user_initiated"}': 2 });
    expect(await samples('call_duration_seconds_sum')).toEqual({ '{direction="user_initiated"}': 30 });
  });

  it('count a call without an answer, and a record without a start, but no times', async () => {
    const { answer: _answer, trunk: _trunk, number: _number, ...rest } = record;
    metrics.callEnded({ ...rest, code: 'no_answer', result: 'client_error', billsecMs: 0 });
    const labels = 'direction="user_initiated",trunk="",number="",result="client_error",cause="no_answer"';
    expect(await samples('calls_total')).toEqual({ [`{${labels}}`]: 1 });
    expect(await samples('call_setup_seconds_count')).toEqual({});
    expect(await samples('calls_active')).toEqual({});
  });

  it('are counted in one place, which tells the events and hands the record on', async () => {
    const events = new EventBus();
    const seen: string[] = [];
    const records: CdrSink = {
      started: ({ call: id }) => void seen.push(`started ${id}`),
      write: ({ call: id }) => void seen.push(`written ${id}`),
      close: () => Promise.resolve(void seen.push('closed')),
    };
    const subscription = events.subscribe();
    const reports = new CallReports(records, metrics, events, new CallHistory());
    reports.started(start);
    await reports.write(record);
    await reports.close();
    events.close();
    const told: unknown[] = [];
    for await (const { type, data } of subscription) told.push([type, data]);
    expect(told).toEqual([
      ['call_started', start],
      ['call_ended', record],
    ]);
    expect(seen).toEqual([`started ${call}`, `written ${call}`, 'closed']);
    expect(Object.values(await samples('calls_total'))).toEqual([1]);
    expect(Object.values(await samples('calls_active'))).toEqual([0]);
  });
});

describe('metrics of the rest', () => {
  it('name the build and read what is live', async () => {
    expect(await samples('build_info')).toEqual({ [`{version="1.2.3",node="${process.version}"}`]: 1 });
    expect([await samples('drachtio_connected'), await samples('webhook_parked')]).toEqual([{ '': 0 }, { '': 0 }]);
    metrics.probe({ isSipConnected: () => true });
    metrics.probe({ parkedWebhooks: () => 7 });
    expect([await samples('drachtio_connected'), await samples('webhook_parked')]).toEqual([{ '': 1 }, { '': 7 }]);
  });

  it('count webhooks, requests, permission replies, forced ends and journal failures', async () => {
    metrics.webhookEvent('duplicate', 'user_connect', 'sales');
    metrics.webhookEvent('unknown', 'unknown', '');
    metrics.graphRequest({ action: 'connect', code: 138006, rateLimited: false, tookMs: 120 });
    metrics.graphRequest({ action: 'connect', code: 'ok', rateLimited: false, tookMs: 80 });
    metrics.graphRequest({ action: 'connect', code: 138012, rateLimited: true, tookMs: 100 });
    metrics.permissionReply('accept', 'user_action');
    metrics.permissionReply('reject', undefined);
    metrics.permissionCheck('lookup', 'no_permission', 'sales');
    metrics.permissionCheck('refusal', 'limit', 'sales');
    metrics.callEndForced();
    metrics.journalFailed();
    expect(await samples('webhooks_total')).toEqual({
      '{number="sales",event="user_connect",result="duplicate"}': 1,
      '{number="",event="unknown",result="unknown"}': 1,
    });
    expect(await samples('graph_requests_total')).toEqual({
      '{operation="connect",code="138006"}': 1,
      '{operation="connect",code="ok"}': 1,
      '{operation="connect",code="138012"}': 1,
    });
    expect((await samples('graph_request_seconds_sum'))['{operation="connect"}']).toBeCloseTo(0.3);
    expect(await samples('graph_rate_limited_total')).toEqual({ '{operation="connect"}': 1 });
    expect(await samples('permission_replies_total')).toEqual({
      '{response="accept",source="user_action"}': 1,
      '{response="reject",source="unknown"}': 1,
    });
    expect(await samples('permission_checks_total')).toEqual({
      '{what="lookup",result="no_permission",number="sales"}': 1,
      '{what="refusal",result="limit",number="sales"}': 1,
    });
    expect([await samples('call_end_forced_total'), await samples('journal_failures_total')]).toEqual([
      { '': 1 },
      { '': 1 },
    ]);
  });

  it('measure how late webhooks are; a clock that runs ahead and a missing stamp count as nothing', async () => {
    const events = [
      { kind: 'call_status', timestampMs: 8_000 },
      { kind: 'call_status', timestampMs: 99_000 },
    ];
    metrics.webhooksReceived(
      [...events, { kind: 'unknown' }, { kind: 'user_connect', timestampMs: undefined }],
      10_000,
    );
    expect(await samples('webhook_delay_seconds_sum')).toEqual({ '{event="call_status"}': 2 });
    expect(await samples('webhook_delay_seconds_count')).toEqual({ '{event="call_status"}': 2 });
  });

  it('count entries that the journal could not store, and pass the failure on', async () => {
    const entry: JournalEntry = { call, event: 'ended', data: {} };
    const stored: JournalEntry[] = [];
    let isFull = false;
    const append = (one: JournalEntry): Promise<void> => {
      if (isFull) return Promise.reject(new Error('disk full'));
      stored.push(one);
      return Promise.resolve();
    };
    let failures = 0;
    const journal = countedJournal({ append }, () => failures++);
    await journal.append(entry);
    isFull = true;
    await expect(journal.append(entry)).rejects.toThrow('disk full');
    expect([stored, failures]).toEqual([[entry], 1]);
  });

  it('bear our prefix, or are those of Node, and hold nobody’s number or id', async () => {
    metrics.callStarted(start);
    metrics.callEnded(record);
    const { text, contentType } = await metrics.read();
    expect(contentType).toContain('text/plain');
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');
    expect(names).toContain('process_cpu_user_seconds_total');
    expect(names.filter((name) => !/^(?:sip2wa|process|nodejs)_/.test(name))).toEqual([]);
    expect(text).not.toMatch(/4930123456|01CALL|wacid/);
  });
});
