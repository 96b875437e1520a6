import type { TappedFrame } from './frame-tap.js';

/*
 * Frames as text that two servers can be compared by: ids are numbered in the order in which they first appear, so that it
 * shows which frame names which transaction and dialog; what differs from run to run is masked.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TIME = /^\d\d:\d\d:\d\d\.\d{6}$/;
const DIALOG = /^\S+;from-tag=\S+$/;
/** Of a refusal that was sent a drachtio-server names the dialog that never came to be, the embedded one only one that was. */
const REFUSAL_SENT = /^SIP\/2\.0 [3-6]/;
const withoutDialog = (token: string): string => (DIALOG.test(token) ? '' : token);

/** Which headers stand in a message beside what every message has; the order is each server's own. */
const USUAL = new Set(['via', 'from', 'to', 'call-id', 'cseq', 'content-length', 'max-forwards']);
/** What one server adds by itself, and the other need not. */
const OPTIONAL = new Set(['user-agent', 'server', 'allow', 'supported', 'session-expires', 'min-se', 'date']);

/** What the embedded server does beyond a drachtio-server, on purpose. */
const ADDED: readonly (readonly [startAndMethod: RegExp, header: string])[] = [
  // RFC 3261 §12.1.1: a peer that wants to say something in the early dialog needs to know where.
  [/^SIP\/2\.0 1/, 'contact'],
  // RFC 3261 §22.1: the ACK carries the credentials of its INVITE.
  [/^ACK /, 'proxy-authorization'],
  [/^ACK /, 'authorization'],
  // RFC 3515 §2.2, RFC 3311 §5.2, RFC 6665 §8.2.1: these refresh the target, so they name it.
  [/^SIP\/2\.0 2.* (?:REFER|UPDATE)$/, 'contact'],
  [/^NOTIFY /, 'contact'],
];

export class Transcript {
  readonly #names = new Map<string, string>();

  constructor(private readonly ports: ReadonlyMap<string, string>) {}

  lines(frames: readonly TappedFrame[]): string[] {
    return frames.map((frame) => this.#line(frame));
  }

  #line({ from, tokens, sip }: TappedFrame): string {
    const isOwnBye = tokens.includes('unsolicited');
    // The first token of a server's frame names nothing: nobody refers to it.
    const known = REFUSAL_SENT.test(sip ?? '') && tokens[1] === 'response' ? tokens.map(withoutDialog) : tokens;
    const masked = known.map((token, at) => (from === 'server' && at === 0 ? '*' : this.#token(token, isOwnBye)));
    const text = sip === undefined ? '' : ` ${this.#sip(sip)}`;
    // A trailing separator means nothing.
    return `${from === 'app' ? '>' : '<'} ${masked.join('|').replace(/\|+$/, '')}${text}`;
  }

  #token(token: string, isOwnBye: boolean): string {
    if (UUID.test(token)) return this.#name(token, 'id');
    if (TIME.test(token)) return 'TIME';
    if (DIALOG.test(token)) return this.#name(token, 'dialog');
    // A drachtio-server leaves the transport out of many frames inside a dialog; srf does not look at it.
    if (token === 'udp') return '';
    if (/^v\d+\.\d+\.\d+/.test(token)) return 'VERSION';
    const port = this.ports.get(token);
    // Of a BYE of its own a drachtio-server tells its own port, the embedded one the peer's.
    if (port !== undefined) return isOwnBye ? 'PORT' : port;
    if (/^\d+$/.test(token) && token !== '0') return 'NUMBER';
    return this.#withPorts(token).split(',').sort().join(',');
  }

  #sip(sip: string): string {
    const [head = '', body = ''] = sip.split('\r\n\r\n', 2);
    const [start = '', ...lines] = head.split('\r\n');
    const of = (name: string): string => lines.find((line) => line.toLowerCase().startsWith(`${name}:`)) ?? '';
    const names = new Set(lines.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()));
    const cseq = /(\d+)?\s*([A-Z]+)$/.exec(of('cseq'))?.[2] ?? '-';
    const isOptional = (name: string): boolean =>
      OPTIONAL.has(name) || ADDED.some(([on, it]) => it === name && on.test(`${start} ${cseq}`));
    const extra = [...names].filter((name) => !USUAL.has(name) && !isOptional(name)).sort();
    const tags = `${/;\s*tag=/.test(of('from')) ? 'from-tag ' : ''}${/;\s*tag=/.test(of('to')) ? 'to-tag ' : ''}`;
    return `[${this.#withPorts(start)}] ${tags}${cseq} {${extra.join(' ')}}${body === '' ? '' : ' +body'}`;
  }

  #withPorts(text: string): string {
    let out = text;
    for (const [port, name] of this.ports) out = out.replaceAll(`:${port}`, `:${name}`);
    return out;
  }

  #name(value: string, kind: string): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = `${kind}${[...this.#names.values()].filter((it) => it.startsWith(kind)).length + 1}`;
    this.#names.set(value, name);
    return name;
  }
}
