import Srf from 'drachtio-srf';
import { describe, expect, it } from 'vitest';
import type { SipRequest } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { refuseRequest } from '../../../src/sip-server/sip/validate.js';

const { SipMessage } = Srf as unknown as {
  SipMessage: new (text: string) => { getParsedHeader(name: string): unknown };
};

const message = (name: string, value: string): string => {
  const lines: Record<string, string> = {
    Via: 'SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKabc',
    From: '<sip:ann@192.0.2.9>;tag=1',
    To: '<sip:bob@example.com>',
    'Call-ID': 'c1',
    CSeq: '1 INVITE',
    Contact: '<sip:ann@192.0.2.9>',
    [name]: value,
  };
  const text = Object.entries(lines).map((line) => line.join(': '));
  return ['INVITE sip:bob@example.com SIP/2.0', ...text, '\r\n'].join('\r\n');
};

function refusal(text: string): string | undefined {
  const parsed = parseMessage(Buffer.from(text))!;
  return refuseRequest({ message: parsed.message as SipRequest, problems: parsed.problems })?.reason;
}

const VIA = 'SIP/2.0/UDP h;branch=x';
const ROUTE = '<sip:a@b;lr>';
const many = (element: string, count: number): string => Array<string>(count).fill(element).join(',');

describe('lists drachtio-srf cannot read are refused', () => {
  it.each([
    ['Contact', '<sip:a@b>,'],
    ['Contact', ', <sip:a@b>'],
    ['Contact', '<sip:a@b>,,<sip:c@d>'],
    ['Via', `${VIA},`],
    ['Via', `, ${VIA}`],
    ['Via', `${VIA} , , ${VIA}`],
    ['Route', `${ROUTE},`],
    ['Record-Route', `${ROUTE}, ,${ROUTE}`],
  ])('%s: %s', (name, value) => {
    expect(refusal(message(name, value))?.toLowerCase()).toBe(`bad request - malformed ${name.toLowerCase()}`);
  });

  it.each([
    ['Via', VIA],
    ['Contact', ROUTE],
    ['Route', ROUTE],
  ])('%s: 65 of them, not 64', (name, element) => {
    expect(refusal(message(name, many(element, 65)))?.toLowerCase()).toContain(name.toLowerCase());
    const most = message(name, many(element, 64));
    expect(refusal(most)).toBeUndefined();
    expect(new SipMessage(most).getParsedHeader(name.toLowerCase())).toHaveLength(64);
  });

  it('65 blanks in a row, not 64', () => {
    const spread = (blanks: number): string => message('Contact', `<sip:a@b>${' '.repeat(blanks)};q=1`);
    expect(refusal(spread(65))).toBe('Bad Request - too many blanks');
    expect(refusal(spread(64))).toBeUndefined();
  });
});
