import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestHeader, escapedQuoted, parseAuthHeader, type AuthParam } from '../../../src/sip/digest/auth-header.js';
import { parseChallenges } from '../../../src/sip/digest/challenge.js';
import { credentials } from '../../../src/sip/digest/response.js';

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,12}$/);
/** Text between quotes: anything but control characters, lone surrogates among it. */
const text = fc
  .array(fc.oneof(fc.constantFrom('"', '\\', ',', ' ', '=', ';', 'ä', '\u{1f600}'), fc.string({ maxLength: 6 })), {
    maxLength: 12,
  })
  .map((parts) => parts.join('').replace(/\p{Cc}/gu, ''));
const params = fc.uniqueArray(
  fc.tuple(
    token,
    fc.oneof(
      token,
      text.map((t) => ({ quoted: escapedQuoted(t) })),
    ),
  ),
  {
    selector: ([name]) => name.toLowerCase(),
    minLength: 1,
    maxLength: 8,
  },
);

const asMap = (list: readonly AuthParam[]): [string, string][] =>
  list.map(([name, value]) => [name.toLowerCase(), typeof value === 'string' ? value : value.quoted]);

describe('challenges and credentials', () => {
  it('are read as they were written, however many stand in one header', () => {
    fc.assert(
      fc.property(
        fc.array(params, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(',', ', ', ' ,, '),
        (lists, comma) => {
          const read = parseAuthHeader(lists.map(digestHeader).join(comma));
          expect(read.map(({ scheme, params: found }) => [scheme, [...found]])).toEqual(
            lists.map((list) => ['digest', asMap(list)]),
          );
        },
      ),
    );
  });

  it('of any text whatever neither throw nor let a control character through', () => {
    const pieces = fc.constantFrom('Digest ', 'realm', '=', '"', '\\', ',', ' ', 'a', '\r\n ', '\0', 'nonce="n"');
    const garbage = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.array(pieces).map((all) => all.join('')),
    );
    fc.assert(
      fc.property(garbage, (header) => {
        for (const { params: found } of parseAuthHeader(header)) {
          for (const [name, value] of found) expect(`${name}${value}`).not.toMatch(/\p{Cc}/u);
        }
      }),
    );
  });

  it('give an answer that holds one set of credentials, with what the challenge said', () => {
    const answer = { username: 'a"b', password: 'p', method: 'INVITE', uri: 'sip:1@h', cnonce: 'c', count: 1 };
    fc.assert(
      fc.property(text, text, text, (realm, nonce, opaque) => {
        const quoted = (t: string) => ({ quoted: escapedQuoted(t) });
        const header = digestHeader([
          ...[
            ['realm', quoted(realm)] as const,
            ['nonce', quoted(nonce)] as const,
            ['opaque', quoted(opaque)] as const,
          ],
          ...[['algorithm', 'SHA-256'] as const, ['qop', { quoted: 'auth' }] as const],
        ]);
        const [challenge, ...others] = parseChallenges(header);
        expect(others).toEqual([]);
        const [shown, ...more] = parseAuthHeader(credentials(challenge!, answer));
        expect(more).toEqual([]);
        const given = ['realm', 'nonce', 'opaque', 'username'].map((name) => shown?.params.get(name));
        expect(given).toEqual([realm, nonce, opaque, 'a"b'].map(escapedQuoted));
      }),
    );
  });
});
