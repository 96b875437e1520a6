/** What a Replaces header says (RFC 3891 §6.1); the tags as whoever receives it sees them: `toTag` is its own. */
export interface Replaces {
  readonly callId: string;
  readonly toTag: string;
  readonly fromTag: string;
  readonly earlyOnly: boolean;
}

const lengthLimit = 512;
const callIdForm = /^[\x21-\x2b\x2d-\x3a\x3c-\x7e]{1,256}$/; // no comma, no semicolon, no space
const tagForm = /^[\w\-.!%*+`'~]{1,128}$/;

/** Undefined when it is none, or says something twice. Two headers come joined with a comma, and are none either. */
export function parseReplaces(value: string): Replaces | undefined {
  if (value.length > lengthLimit) return undefined;
  const [callId = '', ...rest] = value.split(';').map((part) => part.trim());
  const params = paramsOf(rest);
  const [toTag = '', fromTag = ''] = [params?.get('to-tag'), params?.get('from-tag')];
  const isWhole = callIdForm.test(callId) && tagForm.test(toTag) && tagForm.test(fromTag);
  return params && isWhole ? { callId, toTag, fromTag, earlyOnly: params.has('early-only') } : undefined;
}

function paramsOf(parts: readonly string[]): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  for (const part of parts) {
    const [, name, content = ''] = /^([\w-]+)(?:\s*=\s*(\S+))?$/.exec(part) ?? [];
    if (name === undefined || found.has(name.toLowerCase())) return undefined;
    found.set(name.toLowerCase(), content);
  }
  return found;
}

export function formatReplaces({ callId, toTag, fromTag, earlyOnly }: Replaces): string {
  return `${callId};to-tag=${toTag};from-tag=${fromTag}${earlyOnly ? ';early-only' : ''}`;
}
