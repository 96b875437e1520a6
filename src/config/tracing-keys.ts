import { secretText, type Format } from './formats.js';

/** A collector by http or https, without user, query and fragment; or empty. */
const collectorUrlOrEmpty: Format = {
  json: { type: 'string', pattern: '^(https?://.+)?$' },
  complaint: (value) => {
    if (value === '') return undefined;
    const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
    const isBare = url && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    if (isBare && (url.protocol === 'https:' || url.protocol === 'http:')) return undefined;
    const message = 'must be a URL without user, query and fragment, or empty';
    return { message, cure: 'write for example http://127.0.0.1:4318, and what it asks for in tracing.headers' };
  },
};

const share: Format = {
  json: { type: 'number', minimum: 0, maximum: 1 },
  complaint: (value) => {
    if (typeof value === 'number' && value >= 0 && value <= 1) return undefined;
    return { message: 'must be a number from 0 to 1', cure: 'write 1 for every call, 0.1 for one of ten' };
  },
};

/** The section `tracing`. */
export const tracingKeys = {
  otlp_url: {
    default: '',
    doc: 'Collector that gets an OpenTelemetry trace of each call, by OTLP over HTTP; empty: none. It needs packages that are installed on demand.',
    format: collectorUrlOrEmpty,
    env: 'SIP2WA_TRACING_OTLP_URL',
  },
  sample_ratio: {
    default: 1,
    doc: 'Share of calls that are traced, from 0 to 1.',
    format: share,
  },
  headers: {
    default: '',
    doc: 'Headers that the collector asks for, one secret: NAME=VALUE,NAME=VALUE, values percent-encoded.',
    format: secretText,
    sensitive: true,
  },
} as const;
