/** Longest header value that is taken apart, in characters: nobody's identity or reason is longer. */
const listLimit = 8_192;

/**
 * Splits a header's values at a separator that stands neither in a quoted-string nor in angle brackets (RFC 3261 §7.3.1,
 * §25.1). What is never closed reaches to the end. What is too long gives nothing.
 */
export function splitHeader(value: string, separator: ',' | ';'): string[] {
  if (value.length > listLimit) return [];
  const parts: string[] = [];
  let start = 0;
  let closing = '';
  for (let i = 0; i < value.length; i++) {
    const char = value.charAt(i);
    if (closing === '"' && char === '\\') i++;
    else if (closing !== '') closing = char === closing ? '' : closing;
    else if (char === '"') closing = '"';
    else if (char === '<') closing = '>';
    else if (char === separator) {
      parts.push(value.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, value.slice(start)];
}

/** One value of a header like From: name-addr or addr-spec with header parameters (RFC 3261 §20.10). */
export interface AddressValue {
  readonly uri: string;
  /** By their names in lower case; quotes are taken off. */
  readonly params: ReadonlyMap<string, string>;
}

/** Reads a header that lists addresses; what is none is left out. Never throws. */
export function addressesOf(value: string | undefined): AddressValue[] {
  if (value === undefined) return [];
  return splitHeader(value, ',').flatMap((part) => {
    const address = addressOf(part);
    return address ? [address] : [];
  });
}

function addressOf(text: string): AddressValue | undefined {
  const [spec = '', ...params] = splitHeader(text, ';');
  // A display name may hold what looks like an address.
  const bare = spec.replace(/"(?:[^"\\]|\\.)*"/gs, '');
  if (bare.includes('"')) return undefined;
  const uri = (/<([^>]*)>/.exec(bare)?.[1] ?? (bare.includes('<') ? '' : bare)).trim();
  if (!/^(?:sips?|tel):/i.test(uri)) return undefined;
  return { uri, params: new Map(params.map(paramOf)) };
}

/** The tag of a From or To; empty without one. A name or a URI may hold what looks like it. */
export function tagOf(value: string | undefined): string {
  const [, ...params] = splitHeader(value ?? '', ';');
  return new Map(params.map(paramOf)).get('tag') ?? '';
}

function paramOf(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? '' : text.slice(equals + 1).trim();
  return [name.trim().toLowerCase(), /^"(.*)"$/s.exec(value)?.[1] ?? value];
}
