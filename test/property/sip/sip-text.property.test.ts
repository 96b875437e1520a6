import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { CallId } from '../../../src/lib/ids.js';
import type { Target } from '../../../src/routing/types.js';
import { inviteHeaders } from '../../../src/sip/invite-headers.js';
import { parseReasonHeader, reasonHeader, refusalHeaders } from '../../../src/sip/sip-headers.js';
import { plainSipText, quotedSipText, sipText, unquotedSipText } from '../../../src/sip/sip-text.js';
import { nameAddr, requestUri, userOfUri } from '../../../src/sip/sip-uri.js';

/** Any text: every code unit, lone surrogates too, and often what an attacker would write. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc
    .array(
      fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      { maxLength: 200 },
    )
    .map((c) => c.join('')),
  fc
    .array(
      fc.constantFrom(
        '\r\n',
        '\n',
        '\r',
        '\0',
        '"',
        '\\',
        '<',
        '>',
        ';',
        ',',
        '@',
        ':',
        '%',
        ' ',
        '\u202e',
        '\ud800',
        'X-Evil: 1',
        'a',
      ),
      { maxLength: 60 },
    )
    .map((c) => c.join('')),
);

// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const runs = { numRuns: 500 };

describe('text from outside', () => {
  it('never holds a line break, a control or bidi character, a lone surrogate, or more than 64 characters', () => {
    fc.assert(
      fc.property(hostile, (value) => {
        const plain = plainSipText(value);
        expect(plain).not.toMatch(control);
        expect(Buffer.from(plain, 'utf8').toString('utf8')).toBe(plain);
        expect(Array.from(plain).length).toBeLessThanOrEqual(64);
        expect(plainSipText(plain)).toBe(plain);
      }),
      runs,
    );
  });

  it('cannot end the quoted-string it stands in, and reads back as it was', () => {
    fc.assert(
      fc.property(hostile, (value) => {
        expect(quotedSipText(value)).toMatch(/^"(?:[^"\\]|\\["\\])*"$/);
        expect(unquotedSipText(quotedSipText(value))).toBe(plainSipText(value));
        expect(sipText(value).replace(/\\(.)/g, '$1')).toBe(plainSipText(value));
      }),
      runs,
    );
  });

  it('cannot leave the user part of a URI', () => {
    fc.assert(
      fc.property(hostile, fc.dictionary(hostile, hostile, { maxKeys: 3 }), (user, requestUriUserParams) => {
        const server = {
          hostname: 'pbx',
          port: 5060,
          transport: 'udp',
          priority: 1,
          weight: 1,
          requestUriUserParams,
        } as const;
        const uri = requestUri(user, server);
        expect(uri).toMatch(/^sip:[A-Za-z0-9\-_.!~*'()&=+$,/;%]*@pbx:5060$/);
        const name = nameAddr(user, user, 'pbx');
        expect(name).toMatch(/^(?:"(?:[^"\\]|\\["\\])*" )?<sip:[A-Za-z0-9\-_.!~*'()&=+$,/%]*@pbx>$/);
        const text = plainSipText(user, 128);
        if (text !== '') expect(userOfUri(uri)).toBe(text);
      }),
      runs,
    );
  });

  it('adds no header and no line to an INVITE or a refusal', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, hostile, fc.integer(), (user, name, id, payload, metaCode) => {
        const target = { server: { hostname: 'pbx' }, user: '600' } as Target;
        const headers = {
          ...inviteHeaders({
            call: '01J' as CallId,
            target,
            caller: { user, name },
            whatsApp: {
              numberId: id,
              callId: id,
              direction: 'user_initiated',
              payload: { type: 'deeplink', text: payload },
            },
            sipCallId: 'c',
            localTag: 't',
          }),
          ...refusalHeaders(endReason('no_permission', { text: name, metaCode }), ['PCMA']),
        };
        for (const [header, value] of Object.entries(headers)) {
          expect(header).toMatch(/^[\w-]+$/);
          expect(value).not.toMatch(control);
        }
      }),
      runs,
    );
  });
});

describe('the Reason header', () => {
  it('reads back what it says, and never throws on anything', () => {
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 127 }), (text, q850) => {
        const [reason] = parseReasonHeader(reasonHeader(endReason('busy', { text, q850 })));
        const said = plainSipText(text);
        expect(reason).toEqual({ protocol: 'Q.850', cause: q850, text: said === '' ? undefined : said });
        expect(Array.isArray(parseReasonHeader(text))).toBe(true);
        userOfUri(text);
      }),
      runs,
    );
  });
});
