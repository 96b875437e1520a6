import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReason } from '../../../src/call/end-reason.js';
import type { CallId } from '../../../src/lib/ids.js';
import type { Target } from '../../../src/routing/types.js';
import { callerFacts, callerIdentity } from '../../../src/sip/caller-identity.js';
import { inviteHeaders } from '../../../src/sip/invite-headers.js';
import { parseReasonHeader, reasonHeader, refusalHeaders } from '../../../src/sip/sip-headers.js';
import { plainSipText, quotedSipText, sipText, unquotedSipText } from '../../../src/sip/sip-text.js';
import { runsOf } from '../../support/runs.js';
import { hostileText } from '../../support/hostile-text.js';
import { nameAddr, requestUri, userOfUri } from '../../../src/sip/sip-uri.js';

// eslint-disable-next-line no-control-regex
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;
const { runs: numRuns, timeoutMs } = runsOf(500, 5_000);
const runs = { numRuns };

describe('text from outside', { timeout: timeoutMs }, () => {
  it('never holds a line break, a control or bidi character, a lone surrogate, or more than 64 characters', () => {
    fc.assert(
      fc.property(hostileText, (value) => {
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
      fc.property(hostileText, (value) => {
        expect(quotedSipText(value)).toMatch(/^"(?:[^"\\]|\\["\\])*"$/);
        expect(unquotedSipText(quotedSipText(value))).toBe(plainSipText(value));
        expect(sipText(value).replace(/\\(.)/g, '$1')).toBe(plainSipText(value));
      }),
      runs,
    );
  });

  it('cannot leave the user part of a URI', () => {
    fc.assert(
      fc.property(
        hostileText,
        fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
        (user, requestUriUserParams) => {
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
        },
      ),
      runs,
    );
  });

  it('adds no header and no line to an INVITE or a refusal', () => {
    fc.assert(
      fc.property(
        hostileText,
        hostileText,
        hostileText,
        hostileText,
        fc.integer(),
        (user, name, id, payload, metaCode) => {
          const trunk = { from: metaCode % 2 === 0 ? 'caller' : 'account', auth: { username: id } };
          const target = { trunk, server: { hostname: 'pbx' }, user: '600' } as Target;
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
        },
      ),
      runs,
    );
  });
});

describe('the Reason header', { timeout: timeoutMs }, () => {
  it('reads back what it says, and never throws on anything', () => {
    fc.assert(
      fc.property(hostileText, fc.integer({ min: 1, max: 127 }), (text, q850) => {
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

describe('what a PBX says of its caller', { timeout: timeoutMs }, () => {
  const names = [
    'From',
    'P-Asserted-Identity',
    'Remote-Party-ID',
    'P-Preferred-Identity',
    'Diversion',
    'History-Info',
    'Privacy',
  ];
  const address = fc.constantFrom(
    '<sip:+4930123456@x>',
    '"a, b" <tel:+1-2>',
    'sip:%41@x;party=calling',
    '<',
    '>',
    '"',
    ';privacy=full',
    ',',
  );
  const value = fc.array(fc.oneof(address, hostileText), { maxLength: 6 }).map((parts) => parts.join(''));

  it('is read without a throw, and gives clean text only, of which nothing is believed unless trusted', () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: names.length, maxLength: names.length }),
        fc.boolean(),
        (values, isTrusted) => {
          const get = (name: string): string | undefined => values[names.indexOf(name)];
          const identity = callerIdentity({ get }, isTrusted);
          const { assertedUsers, divertedBy, fromUser = '' } = identity;
          for (const text of [...assertedUsers, ...divertedBy, fromUser, ...Object.values(callerFacts(identity))]) {
            expect(text).not.toMatch(control);
            expect(Array.from(text).length).toBeLessThanOrEqual(128);
          }
          if (!isTrusted) expect([assertedUsers, divertedBy]).toEqual([[], []]);
        },
      ),
      runs,
    );
  });
});
