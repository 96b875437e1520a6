/** One challenge or set of credentials: a scheme and its parameters, names in lower case. */
export interface AuthValue {
  /** In lower case. */
  readonly scheme: string;
  /**
   * Values without their quotes, escapes left as they came: so they are hashed (RFC 7616 §3.4) and given back. No control
   * character is among them.
   */
  readonly params: ReadonlyMap<string, string>;
}

/** Longest header that is read, several lines joined, in characters. */
export const authHeaderLimit = 4_096;

/** What stands between two commas, quoted commas apart. */
const element = /((?:"(?:[^"\\]|\\[^])*"|[^",])*)(,|$)/y;
const schemeAlone = /^([\w!#$%&'*+.^`|~-]+)(?:[ \t]+[\w.~+/-]+=*)?$/;
const parameter =
  /^(?:([\w!#$%&'*+.^`|~-]+)[ \t]+)?([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\[^])*)"|([^\s"=][^\s"]*))$/;

/**
 * Reads WWW-Authenticate, Proxy-Authenticate, Authorization or Proxy-Authorization (RFC 9110 §11), also several of them
 * joined by commas. Nothing is made of text that is no such list, or of a value that names a parameter twice: what two
 * readers could take in two ways is not answered.
 */
export function parseAuthHeader(text: string): AuthValue[] {
  const elements = text.length > authHeaderLimit ? undefined : elementsOf(text);
  const values: OpenValue[] = [];
  for (const part of elements ?? []) {
    const read = readElement(part);
    if (read?.scheme !== undefined) values.push({ scheme: read.scheme, params: new Map(), isAmbiguous: false });
    const value = values.at(-1);
    if (!read || !value) return [];
    if (!read.param) continue;
    const [name, written] = read.param;
    value.isAmbiguous ||= value.params.has(name);
    value.params.set(name, written);
  }
  return values.filter(({ isAmbiguous }) => !isAmbiguous);
}

interface OpenValue {
  readonly scheme: string;
  readonly params: Map<string, string>;
  isAmbiguous: boolean;
}

interface Element {
  /** It begins a new challenge. */
  readonly scheme: string | undefined;
  readonly param: readonly [name: string, value: string] | undefined;
}

function readElement(part: string): Element | undefined {
  const [, scheme, name, quoted, token = ''] = parameter.exec(part) ?? [];
  if (name !== undefined) return { scheme: scheme?.toLowerCase(), param: [name.toLowerCase(), quoted ?? token] };
  const alone = schemeAlone.exec(part)?.[1];
  return alone === undefined ? undefined : { scheme: alone.toLowerCase(), param: undefined };
}

function elementsOf(text: string): string[] | undefined {
  // The lines of a header may be folded and joined; beyond that no control character has a place in it.
  const line = text.replace(/\r?\n[ \t]+|\t/g, ' ');
  if (/\p{Cc}/u.test(line)) return undefined;
  const elements: string[] = [];
  element.lastIndex = 0;
  while (element.lastIndex < line.length) {
    const [, part = ''] = element.exec(line) ?? [];
    if (element.lastIndex === 0) return undefined;
    if (part.trim() !== '') elements.push(part.trim());
  }
  return elements;
}

/** A parameter to be written; `quoted` holds text whose quotes and backslashes are escaped already. */
export type AuthParam = readonly [name: string, value: { readonly quoted: string } | string];

/** Writes a challenge or credentials of the Digest scheme. */
export function digestHeader(params: readonly AuthParam[]): string {
  const written = params.map(([name, value]) =>
    typeof value === 'string' ? `${name}=${value}` : `${name}="${value.quoted}"`,
  );
  return `Digest ${written.join(', ')}`;
}

/** A text as it stands between quotes (RFC 3261 §25.1). */
export function escapedQuoted(text: string): string {
  return text.replace(/["\\]/g, '\\$&');
}
