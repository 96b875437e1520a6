import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { until } from './until.js';

type AnyValue = { readonly stringValue?: string; readonly intValue?: number | string; readonly doubleValue?: number; readonly boolValue?: boolean }; // prettier-ignore
type KeyValue = { readonly key: string; readonly value: AnyValue };

interface RawSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly events?: readonly { readonly name: string; readonly timeUnixNano: string }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface RawTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly scope: { readonly name: string }; readonly spans: readonly RawSpan[] }[];
  }[];
}

/** A span as it arrived; times are Unix milliseconds, kinds and statuses the numbers of OTLP. */
export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly status: { readonly code: number; readonly message: string | undefined };
}

/** An OpenTelemetry collector on loopback that takes traces by OTLP over HTTP in JSON. */
export class OtlpCollector {
  readonly spans: SeenSpan[] = [];
  readonly resources: Readonly<Record<string, unknown>>[] = [];
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly text: string }[] = [];
  /** Statuses of the next requests; then 200. `hang`: never an answer. */
  readonly answers: (number | 'hang')[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpCollector> {
    const server = createServer();
    const collector = new OtlpCollector(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const raw = Buffer.concat(chunks);
        const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw).toString('utf8');
        collector.requests.push({ path: request.url ?? '', headers: request.headers, text });
        const status = collector.answers.shift() ?? 200;
        if (status === 200) collector.#take(JSON.parse(text) as RawTraces);
        if (status !== 'hang') response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Resolves when so many traces have their root here, each whole: it is sent at once. */
  async roots(count: number, deadlineMs = 10_000): Promise<SeenSpan[]> {
    const roots = (): SeenSpan[] => this.spans.filter(({ parentId }) => parentId === undefined);
    await until(() => roots().length >= count, `${count} traces; there are ${roots().length}`, deadlineMs);
    return roots();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #take({ resourceSpans }: RawTraces): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      this.resources.push(plain(resource.attributes));
      for (const { spans } of scopeSpans) this.spans.push(...spans.map(seen));
    }
  }
}

function seen(raw: RawSpan): SeenSpan {
  const { traceId, spanId, parentSpanId, name, kind, attributes, events = [], status = {} } = raw;
  return {
    ...{
      traceId,
      spanId,
      name,
      kind,
      parentId: parentSpanId === undefined || parentSpanId === '' ? undefined : parentSpanId,
    },
    ...{ startMs: msOf(raw.startTimeUnixNano), endMs: msOf(raw.endTimeUnixNano), attributes: plain(attributes) },
    ...{ events: events.map((event) => event.name), status: { code: status.code ?? 0, message: status.message } },
  };
}

const msOf = (nanoseconds: string): number => Number(BigInt(nanoseconds) / 1_000_000n);

const plain = (attributes: readonly KeyValue[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));

const valueOf = ({ stringValue, intValue, doubleValue, boolValue }: AnyValue): unknown =>
  stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue) : Number(intValue));
