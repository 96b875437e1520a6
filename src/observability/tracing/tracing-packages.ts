import { createRequire } from 'node:module';

/** What is needed beyond our own dependencies, as package.json has it among its optional peers: the last line for Node 20. */
export const TRACING_PACKAGES: Readonly<Record<string, string>> = {
  '@opentelemetry/api': '~1.9.0',
  '@opentelemetry/exporter-trace-otlp-http': '^0.223.1',
  '@opentelemetry/resources': '^2.12.1',
  '@opentelemetry/sdk-trace-base': '^2.12.1',
};

/** What is taken from each. Other versions lack some of it. */
const taken: Readonly<Record<string, readonly string[]>> = {
  '@opentelemetry/api': ['trace', 'ROOT_CONTEXT', 'SpanKind', 'SpanStatusCode'],
  '@opentelemetry/exporter-trace-otlp-http': ['OTLPTraceExporter'],
  '@opentelemetry/resources': ['defaultResource', 'resourceFromAttributes'],
  '@opentelemetry/sdk-trace-base': ['BasicTracerProvider', 'AlwaysOnSampler', 'RandomIdGenerator'],
};

/** What puts the packages where they are looked for. */
export function installCommand(): string {
  const wanted = Object.entries(TRACING_PACKAGES).map(([name, range]) => `'${name}@${range}'`);
  // As dependencies, if only for this installation: npm leaves out what a manifest has for development.
  return `npm install --no-save --save-prod --omit=dev --ignore-scripts ${wanted.join(' ')}`;
}

/** Where the command is to be run, and the command. */
export const installCure = (): string => `in the folder of sip2wa: ${installCommand()}`;

/**
 * Tries to load the packages, and says of which of them that cannot be done. An upgrade by `npm ci` and `npm prune` takes them away, and
 * the daemon would not start. Undefined: all is well.
 */
export function tracingFault(load: (name: string) => unknown = createRequire(import.meta.url)): string | undefined {
  const missing: string[] = [];
  const unfit: string[] = [];
  for (const name of Object.keys(TRACING_PACKAGES)) {
    try {
      const loaded = load(name) as Readonly<Record<string, unknown>>;
      if (taken[name]?.some((one) => loaded[one] === undefined)) unfit.push(name);
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException | undefined)?.code === 'MODULE_NOT_FOUND';
      (isMissing ? missing : unfit).push(name);
    }
  }
  const faults = [
    ...(missing.length > 0 ? [`${missing.join(', ')} ${isOrAre(missing)} not installed`] : []),
    ...(unfit.length > 0 ? [`${unfit.join(', ')} ${isOrAre(unfit)} of another version, or cannot be loaded`] : []),
  ];
  return faults.length === 0 ? undefined : faults.join('; ');
}

const isOrAre = (names: readonly string[]): string => (names.length === 1 ? 'is' : 'are');
