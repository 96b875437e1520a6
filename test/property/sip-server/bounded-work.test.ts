import Srf from 'drachtio-srf';
import { describe, expect, it } from 'vitest';
import { splitOutsideQuotes } from '../../../src/sip-server/sip/grammar.js';
import type { SipMessage } from '../../../src/sip-server/sip/message.js';
import { elements, first } from '../../../src/sip-server/sip/message.js';
import { MAX_MESSAGE_BYTES, parseMessage } from '../../../src/sip-server/sip/parse.js';
import { serialise } from '../../../src/sip-server/sip/serialise.js';
import { refuseRequest, refuseResponse } from '../../../src/sip-server/sip/validate.js';
import { completeVia, parseVia } from '../../../src/sip-server/sip/via.js';
import { plainResponse } from '../../../src/sip-server/core/response-text.js';
import { serverKeys } from '../../../src/sip-server/transaction/transaction-table.js';
import { StreamFramer } from '../../../src/sip-server/transport/stream-framer.js';
import { costMs } from '../../support/processor-time.js';

/**
 * One message costs well below a millisecond; what these tests are about took from half a second to hours. The bound
 * lies between, and the best of three counts, so that a busy machine is no failure.
 */
const BOUND_MS = 200;
const TRIES = 3;

const { SipMessage: SrfMessage } = Srf as unknown as {
  SipMessage: new (text: string) => { has(name: string): boolean; getParsedHeader(name: string): unknown };
};

/** Everything the server does with bytes of a stranger before it decides what to answer, and what the application does. */
function digest(bytes: Buffer): void {
  const parsed = parseMessage(bytes);
  if (!parsed) return;
  const { message, problems } = parsed;
  completeTopVia(message);
  if (message.kind === 'response') return void refuseResponse({ message, problems });
  if (!refuseRequest({ message, problems })) readInApplication(message);
  serverKeys(message, message.method);
  plainResponse(message, 400, 'tag');
}

function readInApplication(message: SipMessage): void {
  const read = new SrfMessage(serialise(message).toString('utf8'));
  for (const name of ['from', 'to', 'cseq', 'via', 'contact', 'route']) {
    if (read.has(name)) read.getParsedHeader(name);
  }
}

function completeTopVia(message: SipMessage): void {
  const [top = ''] = splitOutsideQuotes(first(message, 'via') ?? '', ',') ?? [];
  const via = parseVia(top);
  if (via) completeVia(top.trim(), via, { host: '192.0.2.1', port: 5060 });
  elements(message, 'via');
}

function bestMs(work: () => void): number {
  let best = Infinity;
  for (let i = 0; i < TRIES && best > BOUND_MS; i++) best = Math.min(best, costMs(work));
  return best;
}

const HOLE = '¤';
const REQUEST = `INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.9:5060;rport;branch=z9hG4bKabc
From: "Ann" <sip:ann@192.0.2.9>;tag=1
To: <sip:bob@example.com>
Call-ID: c1@host
CSeq: 1 INVITE
Contact: <sip:ann@192.0.2.9:5062>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: 0

`;

/** A hole after every piece of the line: where a stranger may put what he likes. */
const holesIn = (line: string): string[] =>
  [...line.matchAll(/[A-Za-z0-9.]+|[^A-Za-z0-9.]/g)].map(
    ({ index, 0: piece }) => line.slice(0, index + piece.length) + HOLE + line.slice(index + piece.length),
  );
const replaced = (name: string, line: string): string =>
  REQUEST.replace(name === '' ? /^INVITE .*/ : new RegExp(`^${name}: .*`, 'm'), () => line);

const LINES: readonly (readonly [name: string, line: string])[] = [
  ['', 'INVITE sip:bob:pw@example.com:5060;lr=1?h=v SIP/2.0'],
  ['', 'INVITE  SIP/2.0'],
  ['', 'OPTIONS tel:+49;p=q SIP/2.0'],
  ['', 'SIP/2.0 200 OK'],
  ['Via', 'Via: SIP / 2.0 / UDP [::1] : 5060 ; rport = 1 ; received = "1" ; branch=z9hG4bKabc'],
  ['Via', 'Via: SIP/2.0/UDP host'],
  ['From', 'From: "Ann \\" B" <sip:ann@192.0.2.9;a=b>;tag=1;p="q"'],
  ['From', 'From: Ann Bee <sip:a@b>;tag=1'],
  ['To', 'To: sip:bob@example.com;tag=1'],
  ['Call-ID', 'Call-ID: c1@host'],
  ['CSeq', 'CSeq: 1 INVITE'],
  ['Contact', 'Contact: <sip:ann@192.0.2.9:5062>;q=1, "B" <sip:b@c>'],
  ['Max-Forwards', 'Route: <sip:a@b;lr>, <sip:c;lr>\nMax-Forwards: 70'],
  ['Max-Forwards', 'X-Any : folded\n  value\nExpires: 60'],
  ['Content-Length', 'Content-Length: 0'],
];
// prettier-ignore
const FILLERS = [
  ' ', '\t', ',', '"', ';', '\\', '<', ':', '=', '[', '@', '/', '.', 'a', '0', '\n',
  '\r\n ', ' ,', '; ', '"\\', '<>', ';a', ',<a>', 'a.', '\r\nl: ',
];
/** Something after the run that spoils a match made so far. */
const ENDS = ['', 'x\x01'];

function* hostile(name: string, line: string): Generator<Buffer> {
  for (const holed of holesIn(line)) {
    const text = replaced(name, holed).replaceAll('\n', '\r\n');
    for (const filler of FILLERS) {
      for (const end of ENDS) {
        const room = MAX_MESSAGE_BYTES - text.length - end.length;
        yield Buffer.from(
          text.replace(HOLE, () => filler.repeat(Math.floor(room / filler.length)) + end),
          'latin1',
        );
      }
    }
  }
}

const worst = (name: string, line: string, work: (bytes: Buffer) => void): { ms: number; bytes: string } => {
  let found = { ms: 0, bytes: '' };
  for (const bytes of hostile(name, line)) {
    const ms = bestMs(() => work(bytes));
    if (ms > found.ms)
      found = { ms, bytes: JSON.stringify(bytes.toString('latin1').replace(/(.{1,4}?)\1{40,}/gs, '$1…')) };
    if (ms > BOUND_MS) break;
  }
  return found;
};

function streamed(bytes: Buffer): void {
  try {
    new StreamFramer().push(bytes);
  } catch {
    // A stream that cannot be cut is closed: what it cost is what counts here.
  }
}

describe('a message as large as one may be is read in bounded work, whatever fills it', () => {
  it.each(LINES)('%s %s', { timeout: 60_000 }, (name, line) => {
    const { ms, bytes } = worst(name, line, digest);
    expect(ms, bytes).toBeLessThan(BOUND_MS);
  });

  it('on a stream too', () => {
    const { ms, bytes } = worst('Content-Length', 'Content-Length : 0 \nl: 0', streamed);
    expect(ms, bytes).toBeLessThan(BOUND_MS);
  });

  it('is not read at all when it is larger', () => {
    const padded = (length: number): Buffer =>
      Buffer.from(`OPTIONS sip:x SIP/2.0\r\nX: ${'a'.repeat(length - 28)}\r\n\r\n`.slice(0, length));
    expect(padded(MAX_MESSAGE_BYTES)).toHaveLength(MAX_MESSAGE_BYTES);
    expect(parseMessage(padded(MAX_MESSAGE_BYTES)) !== undefined).toBe(true);
    expect(parseMessage(padded(MAX_MESSAGE_BYTES + 1)) !== undefined).toBe(false);
    expect(parseMessage(padded(MAX_MESSAGE_BYTES + 1), 'rest') !== undefined).toBe(true);
  });
});
