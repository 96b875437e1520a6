import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Redaction } from '../../../src/observability/redaction.js';
import { callSpans } from '../../../src/observability/tracing/call-spans.js';
import { traceIdOf, type CallTrace, type TraceExport } from '../../../src/observability/tracing/call-traces.js';
import {
  createOtlpExport,
  TracingUnavailableError,
  type TracingPackages,
} from '../../../src/observability/tracing/otlp-export.js';
import { TRACING_PACKAGES } from '../../../src/observability/tracing/tracing-packages.js';
import { OtlpCollector, type SeenSpan } from '../../support/otlp-collector.js';
import {
  businessCall,
  CALL,
  recordOf,
  refusedCall,
  START_MS,
  timelineOf,
  userCall,
  type Step,
} from '../../unit/observability/tracing/call-steps.js';

let collector: OtlpCollector;
let to: TraceExport;
beforeEach(async () => {
  collector = await OtlpCollector.start();
});
afterEach(async () => {
  await to.close();
  await collector.close();
});

const connect = async (timeoutMs = 2_000, headers: Record<string, string> = {}): Promise<void> => {
  to = await createOtlpExport({ url: `${collector.url}/v1/traces`, headers, version: '1.2.3', timeoutMs });
};

function traceOf(steps: readonly Step[], more: Parameters<typeof recordOf>[1] = {}): CallTrace {
  const record = recordOf(steps.at(-1)?.[0] ?? 0, more);
  return {
    traceId: traceIdOf(record.call),
    root: callSpans(record, timelineOf(steps).stepsOf(record.call), new Redaction()),
  };
}

const named = (name: string): SeenSpan => {
  const [found] = collector.spans.filter((span) => span.name === name);
  if (!found) throw new Error(`no ${name} among ${collector.spans.map((span) => span.name).join(', ')}`);
  return found;
};

describe('traces by OTLP over HTTP', () => {
  it('a call is one trace: a root, and every other span below one of it', async () => {
    await connect();
    await to.send([traceOf(userCall)]);
    expect(collector.requests.map(({ path, headers }) => [path, headers['content-type']])).toEqual([
      ['/v1/traces', 'application/json'],
    ]);
    const { spans } = collector;
    expect(spans.length).toBeGreaterThan(10);
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(CALL)]));
    expect(spans.filter(({ parentId }) => parentId === undefined).map(({ name }) => name)).toEqual(['call']);
    const ids = new Set(spans.map(({ spanId }) => spanId));
    expect(ids.size).toBe(spans.length);
    for (const { parentId } of spans) if (parentId !== undefined) expect(ids).toContain(parentId);
    expect(named('ring').parentId).toBe(named('sip invite').spanId);
    expect(named('sip invite').parentId).toBe(named('call').spanId);
    expect(named('call')).toMatchObject({
      ...{ startMs: START_MS, endMs: START_MS + 62_200, kind: 2, status: { code: 0 } },
      attributes: { 'sip2wa.call': CALL, 'sip2wa.user': '…0173', 'sip2wa.q850': 16 },
      events: ['webhook.connect', 'media.first_from_pbx', 'sip.bye', 'webhook.terminate'],
    });
    expect(named('graph accept')).toMatchObject({ kind: 3, startMs: START_MS + 2_003, endMs: START_MS + 2_100 });
    expect(collector.resources).toMatchObject([{ 'service.name': 'sip2wa', 'service.version': '1.2.3' }]);
  });

  it('several calls in one request keep to themselves', async () => {
    await connect();
    const other = '01JD3Q8Z5K0000000000000002' as typeof CALL;
    await to.send([traceOf(userCall), traceOf(businessCall, { call: other, direction: 'business_initiated' })]);
    expect(collector.requests).toHaveLength(1);
    const traces = grouped(collector.spans);
    expect(new Set(traces.keys())).toEqual(new Set([traceIdOf(CALL), traceIdOf(other)]));
    for (const spans of traces.values()) {
      const ids = new Set(spans.map(({ spanId }) => spanId));
      expect(spans.filter(({ parentId }) => parentId === undefined)).toHaveLength(1);
      expect(spans.every(({ parentId }) => parentId === undefined || ids.has(parentId))).toBe(true);
    }
  });

  it('what failed has the status of an error and says its kind', async () => {
    await connect();
    await to.send([traceOf(refusedCall, { code: 'busy', result: 'client_error' })]);
    expect(named('call')).toMatchObject({ status: { code: 2, message: 'busy' }, attributes: { 'error.type': 'busy' } });
    expect(named('sip invite')).toMatchObject({ status: { code: 2, message: '486' } });
    expect(named('route').status.code).toBe(0);
  });

  it('the collector’s own headers are sent', async () => {
    await connect(2_000, { authorization: 'Bearer token-of-the-collector', 'x-scope': 'calls' });
    await to.send([traceOf(userCall)]);
    expect(collector.requests[0]?.headers).toMatchObject({
      ...{ authorization: 'Bearer token-of-the-collector', 'x-scope': 'calls' },
    });
  });

  it('a collector that is busy is asked again', async () => {
    collector.answers.push(503);
    await connect(10_000);
    await to.send([traceOf(userCall)]);
    expect(collector.requests).toHaveLength(2);
    expect(named('call').traceId).toBe(traceIdOf(CALL));
  });

  it.each([[401], [400]])('a collector that answers %i loses the traces: that is said', async (status) => {
    collector.answers.push(status);
    await connect(2_000, { authorization: 'Bearer token-of-the-collector' });
    const error: unknown = await to.send([traceOf(userCall)]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Error);
    expect(JSON.stringify(error) + String(error)).not.toContain('token-of-the-collector');
    await to.send([traceOf(userCall)]);
    expect(await collector.roots(1)).toHaveLength(1);
  });

  it('a collector that hangs is given up after the deadline', async () => {
    collector.answers.push('hang');
    await connect(200);
    await expect(to.send([traceOf(userCall)])).rejects.toThrow(/timed? ?out/i);
  });
});

describe('without the packages of OpenTelemetry', () => {
  const failing = (error: Error) => (): Promise<TracingPackages> => Promise.reject(error);
  const options = { url: 'http://127.0.0.1:4318/v1/traces', headers: {}, version: '1.2.3' };

  it('the error says how to install them', async () => {
    await connect();
    const missing = Object.assign(new Error("Cannot find package 'x'"), { code: 'ERR_MODULE_NOT_FOUND' });
    const error: unknown = await createOtlpExport(options, failing(missing)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TracingUnavailableError);
    expect(error).toMatchObject({ code: 'SIP2WA_TRACING_UNAVAILABLE', cause: missing });
    const { message } = error as Error;
    expect(message).toContain(
      'tracing.otlp_url is set, and the packages of OpenTelemetry are not installed; in the folder of sip2wa: npm install ',
    );
    for (const [name, range] of Object.entries(TRACING_PACKAGES)) expect(message).toContain(`'${name}@${range}'`);
  });

  it('and others than these are no riddle', async () => {
    await connect();
    await expect(createOtlpExport(options, failing(new TypeError('not a constructor')))).rejects.toThrow(
      'the packages of OpenTelemetry cannot be loaded; in the folder of sip2wa: npm install ',
    );
  });

  it('the packages are optional peers in these versions, and nothing else needs them', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, Record<string, unknown>>;
    expect(manifest['peerDependencies']).toEqual(TRACING_PACKAGES);
    const optional = Object.keys(TRACING_PACKAGES).map((name) => [name, { optional: true }]);
    expect(manifest['peerDependenciesMeta']).toEqual(Object.fromEntries(optional));
    expect(Object.keys(manifest['dependencies'] ?? {}).filter((name) => name.startsWith('@opentelemetry/'))).toEqual(
      [],
    );
  });
});

function grouped(spans: readonly SeenSpan[]): Map<string, SeenSpan[]> {
  const found = new Map<string, SeenSpan[]>();
  for (const span of spans) found.set(span.traceId, [...(found.get(span.traceId) ?? []), span]);
  return found;
}
