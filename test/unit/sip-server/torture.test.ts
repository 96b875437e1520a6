import Srf from 'drachtio-srf';
import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../fixtures/sip/torture-messages.js';
import { TORTURE_MESSAGES } from '../../fixtures/sip/torture-messages.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { serialise } from '../../../src/sip-server/sip/serialise.js';
import { refuseRequest, refuseResponse } from '../../../src/sip-server/sip/validate.js';

function judge(text: string): Verdict {
  const parsed = parseMessage(Buffer.from(text, 'latin1'));
  if (!parsed) return 'drop';
  const { message, problems } = parsed;
  if (message.kind === 'response') return refuseResponse({ message, problems }) ? 'drop' : 'accept';
  return refuseRequest({ message, problems })?.status ?? 'accept';
}

interface SrfParsed {
  getParsedHeader(name: string): unknown;
  has(name: string): boolean;
}
const { SipMessage } = Srf as unknown as { SipMessage: new (text: string) => SrfParsed };

describe('RFC 4475', () => {
  it.each(TORTURE_MESSAGES.map((message) => [message.section, message.name, message] as const))(
    '§%s %s',
    (_section, _name, message) => {
      expect(judge(message.text)).toBe(message.verdict);
    },
  );

  const accepted = TORTURE_MESSAGES.filter((message) => message.verdict === 'accept');
  it.each(accepted.map((message) => [message.name, message] as const))(
    'what is accepted can be read by drachtio-srf: %s',
    (_name, message) => {
      const parsed = parseMessage(Buffer.from(message.text, 'latin1'));
      const forwarded = new SipMessage(serialise(parsed!.message).toString('utf8'));
      for (const name of ['from', 'to', 'cseq', 'via', 'contact', 'route', 'record-route']) {
        if (forwarded.has(name)) expect(forwarded.getParsedHeader(name)).toBeTruthy();
      }
    },
  );
});
