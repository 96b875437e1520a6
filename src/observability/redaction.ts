/** Shorter strings are no secrets worth the name, and would black out half of every line. */
const MIN_SECRET_LENGTH = 4;
const REDACTED = '[redacted]';
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_TEXT = 16_384;

/** Fields that hold telephone numbers or users' ids. */
const PHONE_FIELD = /^(from|to|user|number|caller|callee|wa_?id|display_phone_number|recipient|bsuid)$/i;
/** Fields that hold secrets, whoever filled them in. */
const SECRET_FIELD = /(token|secret|password|passwd|authorization|api_?key|ice_?pwd|credential)/i;
/** Secrets inside protocol text: SDP ice-pwd and SDES keys (RFC 8839, RFC 4568), SIP and HTTP credentials. */
const SECRET_TEXT = /(a=ice-pwd:|a=crypto:\d+ \S+ inline:|(?:Proxy-)?Authorization:\s*)[^\r\n]*/gi;

/**
 * Telephone numbers inside other text: with a plus, as the user part of an address, or without either after a word that says
 * so or before a verb, as Meta's errors quote them. Bare digits elsewhere are ids, which are what an operator looks for.
 */
const PHONE_TEXT = new RegExp(
  [
    String.raw`\+\d{7,15}(?!\d)`,
    String.raw`(?<=\b(?:sips?|tel):)\d{7,15}(?!\d)`,
    String.raw`(?<=\b(?:number|phone_number|phone|recipient|customer|user|caller|callee|wa_?id)\b\W{1,3}(?:is )?)\d{7,15}(?!\d)`,
    String.raw`\b\d{10,15}(?= (?:is|was|has|does|did|cannot|can't|isn't|hasn't)\b)`,
  ].join('|'),
  'gi',
);

/** Takes secrets and telephone numbers out of what is about to leave the process. */
export class Redaction {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;

  /** Adds values that must never appear, in plain, URL-encoded or base64 form. */
  add(values: readonly string[]): void {
    for (const value of values) {
      if (value.length < MIN_SECRET_LENGTH) continue;
      for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64')])
        this.#secrets.add(form);
    }
    const longestFirst = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#pattern = longestFirst.length > 0 ? new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g') : undefined;
  }

  /** Text without known secrets, and with telephone numbers cut to their last four digits. */
  text(written: string): string {
    const cut = written.length > MAX_TEXT ? `${written.slice(0, MAX_TEXT)}…` : written;
    const plain = this.#pattern ? written.replace(this.#pattern, REDACTED) : written;
    const bounded = cut === written ? plain : plain.slice(0, MAX_TEXT);
    return bounded.replace(SECRET_TEXT, `$1${REDACTED}`).replace(PHONE_TEXT, maskDigits);
  }

  /** A JSON-able copy of a log field, redacted throughout. */
  value(written: unknown, field = '', depth = 0): unknown {
    if (written === null || typeof written === 'boolean' || written === undefined || written === '') return written;
    if (SECRET_FIELD.test(field)) return REDACTED;
    switch (typeof written) {
      case 'string':
        return PHONE_FIELD.test(field) ? maskDigits(this.text(written)) : this.text(written);
      case 'number':
      case 'bigint':
        return this.#number(written, field);
      case 'object':
        return depth >= MAX_DEPTH ? '[deeper]' : this.#composite(written, field, depth);
      default:
        return `[${typeof written}]`;
    }
  }

  #number(written: number | bigint, field: string): unknown {
    const text = String(written);
    const shown = this.text(text);
    if (shown !== text || typeof written === 'bigint') return shown;
    return PHONE_FIELD.test(field) && text.length > 6 ? maskDigits(text) : written;
  }

  #composite(written: object, field: string, depth: number): unknown {
    if (written instanceof Error) return this.#error(written, depth);
    if (written instanceof Date) return Number.isNaN(written.getTime()) ? null : written.toISOString();
    if (Buffer.isBuffer(written) || ArrayBuffer.isView(written)) return `[${written.byteLength} bytes]`;
    if (Array.isArray(written)) {
      return written.slice(0, MAX_ITEMS).map((item: unknown) => this.value(item, field, depth + 1));
    }
    if (written instanceof URL) return this.text(written.href);
    const entries = written instanceof Map ? [...(written as Map<unknown, unknown>)] : Object.entries(written);
    return Object.fromEntries(
      entries
        .slice(0, MAX_ITEMS)
        .map(([key, item]) => [this.text(String(key)), this.value(item, String(key), depth + 1)]),
    );
  }

  /** `{err: new Error()}` is `{}` in JSON: name, code, message, stack and cause are taken by hand. */
  #error(error: Error, depth: number): Record<string, unknown> {
    const { code } = error as NodeJS.ErrnoException;
    return {
      name: this.text(error.name),
      ...(code === undefined ? {} : { code: this.value(code) }),
      message: this.text(error.message),
      ...(error.stack === undefined ? {} : { stack: this.text(error.stack) }),
      ...(error.cause === undefined ? {} : { cause: this.value(error.cause, '', depth + 1) }),
    };
  }
}

/** Every long run of digits is cut to its last four; short ones, such as extensions, stay. */
function maskDigits(text: string): string {
  return text.replace(/\+?\d{7,}/g, (digits) => `…${digits.slice(-4)}`);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
