import type { HrTime, Span, Tracer } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace-base';
import { BridgeError } from '../../lib/bridge-error.js';
import type { CallSpan } from './call-span.js';
import type { CallTrace, TraceExport } from './call-traces.js';
import { installCure } from './tracing-packages.js';

/** The packages of OpenTelemetry cannot be used: they are to be installed, or are of another version. */
export class TracingUnavailableError extends BridgeError {}

export interface OtlpOptions {
  readonly url: string;
  /** Sent with every request; secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
  /** Longest time that a batch is tried for, in milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

async function loadPackages() {
  const [api, sdk, exporter, resources] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ]);
  return { api, sdk, exporter, resources };
}

export type TracingPackages = Awaited<ReturnType<typeof loadPackages>>;

/**
 * Sends traces to a collector by OTLP over HTTP (JSON). The packages are loaded here and nowhere else, when there is somewhere
 * to send to.
 * @throws TracingUnavailableError naming the packages to install
 */
export async function createOtlpExport(
  options: OtlpOptions,
  load: () => Promise<TracingPackages> = loadPackages,
): Promise<TraceExport> {
  let packages: TracingPackages;
  try {
    packages = await load();
  } catch (cause) {
    throw unavailable(cause);
  }
  return new OtlpExport(packages, options);
}

function unavailable(cause: unknown): TracingUnavailableError {
  const isMissing = (cause as NodeJS.ErrnoException | undefined)?.code === 'ERR_MODULE_NOT_FOUND';
  const state = isMissing ? 'are not installed' : 'cannot be loaded';
  const message = `tracing.otlp_url is set, and the packages of OpenTelemetry ${state}; ${installCure()}`;
  return new TracingUnavailableError('SIP2WA_TRACING_UNAVAILABLE', message, { cause });
}

class OtlpExport implements TraceExport {
  readonly #spans: SpanBasket = new SpanBasket();
  readonly #exporter: InstanceType<TracingPackages['exporter']['OTLPTraceExporter']>;
  readonly #tracer: Tracer;
  #traceId = '';

  constructor(
    private readonly packages: TracingPackages,
    { url, headers, version, timeoutMs = TIMEOUT_MS }: OtlpOptions,
  ) {
    const { sdk, exporter, resources } = packages;
    this.#exporter = new exporter.OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: timeoutMs });
    const about = { 'service.name': 'sip2wa', 'service.version': version };
    const ids = new sdk.RandomIdGenerator();
    const provider = new sdk.BasicTracerProvider({
      resource: resources.defaultResource().merge(resources.resourceFromAttributes(about)),
      // Which calls are traced is decided before.
      sampler: new sdk.AlwaysOnSampler(),
      idGenerator: { generateTraceId: () => this.#traceId, generateSpanId: () => ids.generateSpanId() },
      spanProcessors: [this.#spans],
    });
    this.#tracer = provider.getTracer('sip2wa', version);
  }

  send(traces: readonly CallTrace[]): Promise<void> {
    for (const { traceId, root } of traces) {
      this.#traceId = traceId;
      this.#add(root, undefined);
    }
    const spans = this.#spans.take();
    return new Promise((resolve, reject) => {
      // Its codes are an enum of a package that is not ours: success is 0.
      this.#exporter.export(spans, ({ code, error }: { readonly code: number; readonly error?: Error }) => {
        if (code === 0) resolve();
        else reject(error ?? new Error('the collector refused the traces'));
      });
    });
  }

  close(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #add(one: CallSpan, parent: Span | undefined): void {
    const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = this.packages.api;
    const kind = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL }[one.kind];
    const context = parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const options = { kind, startTime: hrTime(one.startMs), attributes: { ...one.attributes } };
    const span = this.#tracer.startSpan(one.name, options, context);
    for (const { name, atMs, attributes } of one.events) span.addEvent(name, { ...attributes }, hrTime(atMs));
    if (one.error !== undefined) {
      span.setAttribute('error.type', one.error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: one.error });
    }
    for (const child of one.children) this.#add(child, span);
    span.end(hrTime(one.endMs));
  }
}

/** Gathers spans as they end. */
class SpanBasket implements SpanProcessor {
  #spans: ReadableSpan[] = [];

  onStart(): void {
    // Nothing is done before the end.
  }

  onEnd(span: ReadableSpan): void {
    this.#spans.push(span);
  }

  take(): ReadableSpan[] {
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }

  forceFlush(): Promise<void> {
    return Promise.resolve();
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** A bare number might be taken for the time since the start of the process. */
const hrTime = (ms: number): HrTime => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
