/** A SIP message (RFC 3261 §7) as the sandbox's PBX needs it: names as they came, order kept. */
export interface SipMessage {
  /** Requests only. */
  readonly method: string | undefined;
  readonly uri: string | undefined;
  /** Responses only; 0 in requests. */
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

const COMPACT: Readonly<Record<string, string>> = {
  v: 'via',
  f: 'from',
  t: 'to',
  i: 'call-id',
  m: 'contact',
  l: 'content-length',
  c: 'content-type',
  k: 'supported',
};

function canonical(name: string): string {
  const lower = name.trim().toLowerCase();
  return COMPACT[lower] ?? lower;
}

/** Every value of a header, in order. */
export function headers(message: SipMessage, name: string): string[] {
  return message.headers.filter(([known]) => canonical(known) === name).map(([, value]) => value);
}

/** The first value of a header, or the empty string. */
export function header(message: SipMessage, name: string): string {
  return headers(message, name)[0] ?? '';
}

function startLine(line: string): Pick<SipMessage, 'method' | 'uri' | 'status' | 'reason'> | undefined {
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(line);
  if (response) return { method: undefined, uri: undefined, status: Number(response[1]), reason: response[2] ?? '' };
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/.exec(line);
  return request ? { method: request[1], uri: request[2], status: 0, reason: '' } : undefined;
}

/** Reads one datagram; undefined if it is no SIP message. */
export function parseSip(datagram: Buffer): SipMessage | undefined {
  const text = datagram.toString('utf8');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n');
  const start = startLine(first);
  if (!start) return undefined;
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  return { ...start, headers: fields, body: text.slice(end + 4) };
}

/** Writes a message; Content-Length, and Content-Type for a body, are added. */
export function writeSip(first: string, fields: readonly (readonly [string, string])[], body = ''): Buffer {
  const type: (readonly [string, string])[] = body === '' ? [] : [['Content-Type', 'application/sdp']];
  const all = [...fields, ...type, ['Content-Length', String(Buffer.byteLength(body))] as const];
  return Buffer.from(`${[first, ...all.map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n${body}`);
}

/** A parameter of a header value or URI: `;tag=…`, `;branch=…`. */
export function parameter(value: string, name: string): string | undefined {
  return new RegExp(`[;?]\\s*${name}\\s*=\\s*"?([^;,"\\s>]+)`, 'i').exec(value)?.[1];
}

/** The URI in angle brackets, or the bare one. */
export function uriOf(value: string): string {
  return /<([^>]+)>/.exec(value)?.[1] ?? value.split(';')[0]?.trim() ?? '';
}

/** Host and port of a sip: URI with a numeric host; port 5060 if none is named. */
export function addressOf(uri: string): { host: string; port: number } | undefined {
  const match = /^sips?:(?:[^@]*@)?([\d.]+)(?::(\d+))?/i.exec(uri);
  return match?.[1] === undefined ? undefined : { host: match[1], port: Number(match[2] ?? 5060) };
}
