import Srf from 'drachtio-srf';
import { describe, expect, it } from 'vitest';
import { IPV6_TORTURE_MESSAGES } from '../../fixtures/sip/ipv6-torture-messages.js';
import { FakeClock } from '../../../src/lib/clock.js';
import { elements } from '../../../src/sip-server/sip/message.js';
import { parseMessage } from '../../../src/sip-server/sip/parse.js';
import { serialise } from '../../../src/sip-server/sip/serialise.js';
import { parseSipUri } from '../../../src/sip-server/sip/uri.js';
import { refuseRequest } from '../../../src/sip-server/sip/validate.js';
import { completeVia, parseVia } from '../../../src/sip-server/sip/via.js';
import { systemResolver } from '../../../src/sip-server/transport/resolver.js';
import { addressDns } from '../../support/dns-fakes.js';

const { SipMessage } = Srf as unknown as {
  SipMessage: new (text: string) => { has(name: string): boolean; getParsedHeader(name: string): unknown };
};
const requestOf = (text: string) => {
  const parsed = parseMessage(Buffer.from(text, 'latin1'));
  if (parsed?.message.kind !== 'request') throw new Error('no request');
  return { message: parsed.message, problems: parsed.problems };
};

describe('RFC 5118', () => {
  it.each(IPV6_TORTURE_MESSAGES)('§$section: $verdict', ({ text, verdict }) => {
    const parsed = requestOf(text);
    expect(refuseRequest(parsed)?.status ?? 'accept').toBe(verdict);
    if (verdict !== 'accept') return;
    const forwarded = new SipMessage(serialise(parsed.message).toString('utf8'));
    for (const name of ['from', 'to', 'cseq', 'via', 'contact']) {
      if (forwarded.has(name)) expect(forwarded.getParsedHeader(name)).toBeTruthy();
    }
  });

  it('tells the port that is inside the brackets from the one after them', () => {
    expect(parseSipUri('sip:[2001:db8::10:5070]')).toMatchObject({ host: '[2001:db8::10:5070]', port: undefined });
    expect(parseSipUri('sip:[2001:db8::10]:5070')).toMatchObject({ host: '[2001:db8::10]', port: 5070 });
  });

  it('puts its own word in the place of what received said, in whatever form', () => {
    for (const { text } of IPV6_TORTURE_MESSAGES.filter(({ section }) => section.startsWith('4.5'))) {
      const top = elements(requestOf(text).message, 'via')[0] ?? '';
      const done = completeVia(top, parseVia(top)!, { host: '2001:db8::77', port: 6000 });
      expect(done).toContain(';rport=6000;received=2001:db8::77');
      expect(done).not.toContain('255');
      expect(parseVia(done)).toBeTruthy();
    }
  });

  it.each([
    ['sip:user@[2001:db8::192.0.2.1]', 'udp 2001:db8::192.0.2.1 5060'],
    ['sip:user@[2001:db8:::192.0.2.1]', 'udp 2001:db8::192.0.2.1 5060'],
    ['sip:[2001:db8::10:5070];transport=tcp', 'tcp 2001:db8::10:5070 5060'],
    ['sips:[2001:db8::10]', 'tls 2001:db8::10 5061'],
    ['sip:ted@[::ffff:192.0.2.2]', 'udp 192.0.2.2 5060'],
  ])('leads to an address without a question to DNS: %s', async (text, expected) => {
    const resolver = systemResolver({ clock: new FakeClock(), deadlineMs: 100, dns: addressDns() });
    const hops = await resolver.locate(parseSipUri(text)!, 'udp');
    expect(hops.map(({ protocol, host, port }) => `${protocol} ${host} ${port}`)).toEqual([expected]);
  });
});
