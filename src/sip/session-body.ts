import { splitHeader } from './header-list.js';
import type { SrfMessage } from './drachtio-types.js';

/** What a session description may come in, for Accept (RFC 3261 §20.1). */
export const acceptedBodies = 'application/sdp, multipart/mixed';

type BodyHolder = Pick<SrfMessage, 'body' | 'get'>;

/** A body, or a part of one, with what is said of it. */
interface Part {
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
  readonly disposition: string;
  readonly handling: string;
  readonly encoding: string;
  readonly content: string;
}

/** A message holds that many parts at most, and parts in parts that deep: nobody's INVITE has more. */
const limits = { parts: 16, depth: 3 };

/** How parts may be written for their text to be read as it stands (RFC 2045 §6.1). */
const plainEncodings = new Set(['', '7bit', '8bit', 'binary']);

/**
 * The session description of a message, its own body or the part of a multipart one (RFC 5621) that stands beside ISUP (RFC 3204),
 * PIDF-LO (RFC 6442) and the like; empty without one. Never throws.
 */
export function sdpOf(message: BodyHolder): string {
  return descriptionIn(bodyOf(message), 0);
}

/**
 * Whether a request's body is to be refused with 415: there is one, and no session description in it, or a part of it that we
 * know nothing of is called indispensable (RFC 5621 §8.3, RFC 3261 §20.11). Where nothing is said of that, as of the ISUP of most
 * carriers, what we know is enough.
 */
export function isUnsupportedBody(message: BodyHolder): boolean {
  const body = bodyOf(message);
  if (body.content === '') return false;
  return body.type === '' || descriptionIn(body, 0) === '' || leavesIn(body, 0).some(isIndispensable);
}

const isIndispensable = (part: Part): boolean => part.handling === 'required' && part.type !== 'application/sdp';

function bodyOf(message: BodyHolder): Part {
  return partOf((name) => message.get(name) ?? '', message.body ?? '');
}

function partOf(header: (name: string) => string, content: string): Part {
  const [type, params] = valueOf(header('Content-Type'));
  const [disposition, about] = valueOf(header('Content-Disposition'));
  const handling = about.get('handling')?.toLowerCase() ?? '';
  const encoding = header('Content-Transfer-Encoding').trim().toLowerCase();
  return { type, params, disposition, handling, encoding, content };
}

function descriptionIn(part: Part, depth: number): string {
  const found = leavesIn(part, depth).find(isDescription)?.content ?? '';
  // The line end before a delimiter belongs to that.
  return found === '' || found.endsWith('\n') ? found : `${found}\r\n`;
}

/** A body without a type is taken for what it is hoped to be; an `early-session` (RFC 3959) is none of ours. */
function isDescription({ type, disposition, encoding, content }: Part): boolean {
  const isSdp = type === 'application/sdp' || (type === '' && content.startsWith('v=0'));
  return isSdp && (disposition === '' || disposition === 'session') && plainEncodings.has(encoding);
}

/** The parts that have none themselves, of alternatives the best first (RFC 2046 §5.1.4). */
function leavesIn(part: Part, depth: number): readonly Part[] {
  if (!part.type.startsWith('multipart/')) return [part];
  if (depth >= limits.depth) return [];
  const parts = partsOf(part.content, part.params.get('boundary') ?? '');
  if (part.type === 'multipart/alternative') parts.reverse();
  return parts.flatMap((one) => leavesIn(one, depth + 1));
}

/** RFC 2046 §5.1.1; what stands before the first delimiter and after the last is nothing. */
function partsOf(content: string, boundary: string): Part[] {
  if (!/^[\w'()+,./:=? -]{1,70}$/.test(boundary)) return [];
  const parts: Part[] = [];
  let lines: string[] | undefined;
  for (const line of content.split(/\r?\n/)) {
    const isDelimiter = line.startsWith(`--${boundary}`) && /^(?:--)?[ \t]*$/.test(line.slice(boundary.length + 2));
    if (!isDelimiter) {
      lines?.push(line);
      continue;
    }
    if (lines) parts.push(readPart(lines));
    lines = line.startsWith(`--${boundary}--`) ? undefined : [];
    if (!lines || parts.length >= limits.parts) return parts;
  }
  // The end is missing: what came before it is there all the same.
  return lines ? [...parts, readPart(lines)] : parts;
}

function readPart(lines: readonly string[]): Part {
  const end = lines.indexOf('');
  const head = end < 0 ? lines : lines.slice(0, end);
  const content = end < 0 ? [] : lines.slice(end + 1);
  const headers = new Map(
    head
      .join('\n')
      .replace(/\n[ \t]+/g, ' ')
      .split('\n')
      .map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
      }),
  );
  return partOf((name) => headers.get(name.toLowerCase()) ?? '', content.join('\r\n'));
}

/** A value like `type;name=value`, in lower case but for the values. */
function valueOf(text: string): [value: string, params: ReadonlyMap<string, string>] {
  const [value = '', ...params] = splitHeader(text, ';');
  const entries = params.map((param): [string, string] => {
    const equals = param.indexOf('=');
    const content = equals < 0 ? '' : param.slice(equals + 1).trim();
    return [
      param
        .slice(0, equals < 0 ? undefined : equals)
        .trim()
        .toLowerCase(),
      content.replace(/^"(.*)"$/s, '$1'),
    ];
  });
  return [value.trim().toLowerCase(), new Map(entries)];
}
