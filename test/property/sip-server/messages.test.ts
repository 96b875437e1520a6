import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TORTURE_MESSAGES } from '../../fixtures/sip/torture-messages.js';
import { SIP_TOKENS } from '../../support/sip-mutations.js';
import type { SipMessage } from '../../../src/sip-server/sip/message.js';
import { header } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { serialise } from '../../../src/sip-server/sip/serialise.js';
import { refuseRequest, refuseResponse } from '../../../src/sip-server/sip/validate.js';
import { StreamFramer } from '../../../src/sip-server/transport/stream-framer.js';
import { encodeFrame, FrameDecoder } from '../../../src/sip-server/wire/frame-codec.js';

/** Everything the server does with bytes before it decides what to answer. */
function digest(bytes: Buffer): SipMessage | undefined {
  const parsed = parseMessage(bytes);
  if (!parsed) return undefined;
  const { message, problems } = parsed;
  const refusal =
    message.kind === 'request' ? refuseRequest({ message, problems }) : refuseResponse({ message, problems });
  return refusal ? undefined : message;
}

type Mutation = { readonly at: number; readonly kind: 'cut' | 'insert' | 'replace' | 'repeat'; readonly text: string };

/** A place in a text, from 0 to 1, evenly spread: doubles would crowd at the ends. */
const share = fc.nat({ max: 10_000 }).map((number) => number / 10_000);
const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: share,
  kind: fc.constantFrom('cut', 'insert', 'replace', 'repeat'),
  text: fc.oneof(fc.constantFrom(...SIP_TOKENS), fc.string({ maxLength: 8 })),
});

function mutate(text: string, { at, kind, text: spice }: Mutation): string {
  const position = Math.floor(at * text.length);
  const before = text.slice(0, position);
  const after = text.slice(position);
  switch (kind) {
    case 'cut':
      return before;
    case 'insert':
      return before + spice + after;
    case 'replace':
      return before + spice + after.slice(spice.length);
    case 'repeat':
      return before + after.slice(0, 40) + after;
  }
}

const mutated = fc
  .tuple(
    fc.constantFrom(...TORTURE_MESSAGES.map((message) => message.text)),
    fc.array(mutation, { minLength: 1, maxLength: 6 }),
  )
  .map(([text, mutations]) => Buffer.from(mutations.reduce(mutate, text), 'latin1'));

/** One small change to a sound message: often still sound. */
const touched = fc
  .tuple(
    fc.constantFrom(
      ...TORTURE_MESSAGES.filter((message) => message.verdict === 'accept').map((message) => message.text),
    ),
    fc.record({
      at: share,
      kind: fc.constantFrom('insert' as const, 'replace' as const),
      text: fc.constantFrom('a', '7', ' ', '|', '-', '\t', '\xe9', '"x"', '\r\n '),
    }),
  )
  .map(([text, change]) => Buffer.from(mutate(text, change), 'latin1'));

const value = fc
  .string({ unit: fc.constantFrom(...'abcXYZ019 ;=,<>"@.\xe9'.split('')), maxLength: 40 })
  .map((text) => text.trim());
const name = fc
  .string({ unit: fc.constantFrom(...'abcXYZ-_'.split('')), minLength: 2, maxLength: 12 })
  .filter((it) => it.toLowerCase() !== 'content-length');
const built: fc.Arbitrary<SipMessage> = fc
  .record({
    headers: fc.array(fc.tuple(name, value), { maxLength: 10 }),
    body: fc.uint8Array({ maxLength: 60 }),
    status: fc.option(fc.integer({ min: 100, max: 699 })),
  })
  .map(({ headers, body, status }) => {
    const shared = {
      version: '2.0',
      headers: headers.map(([key, text]) => header(key, text)),
      body: Buffer.from(body),
    };
    return status === null
      ? { kind: 'request' as const, method: 'INVITE', uri: 'sip:a@b', ...shared }
      : { kind: 'response' as const, status, reason: 'Some Reason', ...shared };
  });

describe('the parser', () => {
  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        ),
        (bytes) => {
          digest(bytes);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('reads back what it wrote, and writes the same again', () => {
    fc.assert(
      fc.property(built, (message) => {
        const once = serialise(message);
        const again = parseMessage(once);
        expect(again?.problems).toEqual([]);
        expect(again?.message.headers.slice(0, message.headers.length)).toEqual(message.headers);
        expect(again?.message.body.equals(message.body)).toBe(true);
        expect(serialise(again!.message).equals(once)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('reads a section that is written as usual just as it reads any other, and sends on the same', () => {
    let usual = 0;
    fc.assert(
      fc.property(fc.oneof(built.map(serialise), mutated, touched), (bytes) => {
        const end = bytes.indexOf('\r\n\r\n');
        if (end < 0 || bytes.indexOf('\r\n') === end) return;
        const one = parseMessage(bytes);
        if (!one?.message.headers.written) return;
        usual++;
        // A blank at the end of a line means nothing, and is not as this server writes.
        const other = parseMessage(Buffer.concat([bytes.subarray(0, end), Buffer.from(' '), bytes.subarray(end)]));
        expect(other?.message.headers.written).toBeUndefined();
        expect([...one.message.headers]).toEqual([...(other?.message.headers ?? [])]);
        expect(one.problems).toEqual(other?.problems);
        expect(serialise(one.message).equals(serialise(other!.message))).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(usual).toBeGreaterThan(300);
  });

  it('what it accepts stays the same through parse and serialise, and never shifts the tokens of a frame', () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(mutated, touched), (bytes) => {
        const message = digest(bytes);
        if (!message) return;
        accepted++;
        const once = serialise(message);
        const again = digest(once);
        expect(again && serialise(again).equals(once)).toBe(true);
        for (const line of message.headers) {
          expect(line.value).not.toMatch(/[\r\n]/);
          if (line.key === 'call-id') expect(line.value).not.toContain('|');
        }
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(200);
  });
});

/** Cuts bytes at random places. */
const cuts = fc.array(share, { maxLength: 6 });
function pieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

describe('streams', () => {
  it('a SIP stream yields its messages however it is cut', () => {
    fc.assert(
      fc.property(fc.array(built, { minLength: 1, maxLength: 4 }), cuts, (messages, at) => {
        const wanted = messages.map((message) => serialise(message));
        const framer = new StreamFramer();
        const items = pieces(Buffer.concat(wanted), at).flatMap((piece) => framer.push(piece));
        const got = items.flatMap((item) => (item.kind === 'message' ? [item.bytes.toString('latin1')] : []));
        expect(got).toEqual(wanted.map((bytes) => bytes.toString('latin1')));
      }),
    );
  });

  it('a frame stream yields its frames however it is cut', () => {
    const token = fc.string({ maxLength: 10 }).map((text) => text.replace(/[|\r\n]/g, ''));
    const frame = fc.tuple(fc.array(token, { minLength: 2, maxLength: 5 }), fc.option(fc.string({ maxLength: 30 })));
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), cuts, (frames, at) => {
        const filled = frames.map(([tokens, sip]) => [['id', ...tokens], sip ?? undefined] as const);
        const bytes = Buffer.concat(
          filled.map(([tokens, sip]) => encodeFrame(tokens, sip === undefined ? undefined : Buffer.from(sip))),
        );
        const decoder = new FrameDecoder();
        const got = pieces(bytes, at).flatMap((piece) => decoder.push(piece));
        expect(got.map((it) => [it.tokens, it.sip?.toString()])).toEqual(filled.map((it) => [...it]));
      }),
    );
  });

  it('a SIP stream of junk is refused or waits, and never throws anything else', () => {
    fc.assert(
      fc.property(mutated, cuts, (bytes, at) => {
        const framer = new StreamFramer();
        try {
          for (const piece of pieces(bytes, at)) framer.push(piece);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('SIP2WA_SIP_SERVER_STREAM');
        }
      }),
      { numRuns: 1000 },
    );
  });
});
