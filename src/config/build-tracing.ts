import type { Config } from './config.js';
import { isLoopback } from './formats.js';
import type { Complaint, Findings } from './issue.js';
import type { Scalars } from './scalars.js';
import type { Secrets } from './secrets.js';

/** Where collectors take traces by OTLP over HTTP. */
const TRACES_PATH = '/v1/traces';
/** Names of tenants are shorter. */
const surelySecretLength = 16;

/**
 * Where traces of calls go; undefined: nowhere. Its secret is not looked at then, nor what keeps them from being made, which whoever
 * reads the file may know: it is a warning.
 */
export function buildTracing(
  scalars: Scalars,
  secrets: Secrets,
  findings: Findings,
  fault: () => Complaint | undefined = () => undefined,
): Config['tracing'] {
  const written = String(scalars['tracing.otlp_url']);
  if (written === '') return undefined;
  const path = ['tracing', 'headers'];
  const headers = parseHeaders(secrets.optional(path, String(scalars['tracing.headers'])));
  if (!headers) {
    findings.error(path, {
      message: 'are not NAME=VALUE, with commas in between',
      cure: 'write for example authorization=Bearer%20abc,x-scope=calls; other characters in values as in URLs',
    });
  }
  warnOfPlainHttp(written, headers ?? {}, findings);
  const complaint = fault();
  if (complaint) findings.warn(['tracing', 'otlp_url'], complaint);
  // Of `Bearer abc` the second word.
  for (const [name, value] of Object.entries(headers ?? {}))
    if (isSecret(name, value)) for (const part of [value, value.split(' ').at(-1) ?? '']) secrets.add(part);
  return { otlpUrl: tracesUrl(written), sampleRatio: Number(scalars['tracing.sample_ratio']), headers: headers ?? {} };
}

/** A tenant's name is none: it would be blacked out of every line that has the word. */
function isSecret(name: string, value: string): boolean {
  return /auth|key|token|secret|pass|cookie|sign/.test(name) || value.length >= surelySecretLength;
}

function warnOfPlainHttp(url: string, headers: Readonly<Record<string, string>>, findings: Findings): void {
  const { protocol, hostname } = new URL(url);
  if (Object.keys(headers).length === 0 || protocol !== 'http:' || isLoopback(hostname)) return;
  findings.warn(['tracing', 'otlp_url'], {
    message: 'is plain http: whoever is on the way can read tracing.headers',
    cure: 'write https://, or leave the headers to a collector on this machine',
  });
}

/** A collector's own address gets the path that OTLP has (OTLP specification 1.x, "OTLP/HTTP Request"). */
function tracesUrl(written: string): string {
  const url = new URL(written);
  return url.pathname === '/' ? `${url.origin}${TRACES_PATH}` : url.href;
}

/** Reads `name=value,name=value`, the form of OTEL_EXPORTER_OTLP_HEADERS: values are percent-encoded. Undefined: it is not that. */
function parseHeaders(written: string): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (const pair of written === '' ? [] : written.split(',')) {
    const [, name, encoded] = /^\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    const value = encoded === undefined ? undefined : decoded(encoded);
    if (name === undefined || value === undefined || !/^[\t\u0020-\u007e]+$/.test(value)) return undefined;
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
