import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { systemIds } from '../../../src/lib/ids.js';
import { silentLogger } from '../../../src/lib/logger.js';
import type { SipServer, Trunk } from '../../../src/routing/types.js';
import { TrunkLogins } from '../../../src/sip/digest/trunk-login.js';
import { OutboundInvite, type InviteOutcome } from '../../../src/sip/outbound-invite.js';
import { ServerAddresses } from '../../../src/sip/server-addresses.js';
import type { SipLegContext } from '../../../src/sip/sip-leg-context.js';
import { addressDns } from '../../support/dns-fakes.js';
import { eventually } from '../../support/eventually.js';
import { sceneTrunk } from '../../support/sip-scene.js';

const server = (transport: SipServer['transport']): SipServer => ({
  ...{ hostname: '10.0.0.5', port: 5061, transport, priority: 1, weight: 1, requestUriUserParams: {} },
});
const keys = 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n';

/** An INVITE over TLS that is answered by 302; where it goes then, and what comes of it. */
async function redirected(contact: string, offer: string, trunk: Partial<Trunk> = {}) {
  const [clock, logger] = [new FakeClock(), silentLogger];
  const addresses = new ServerAddresses({
    ...{ dns: addressDns(), random: () => 0, clock, logger, dnsMs: 100, dnsRefreshMs: 1_000 },
  });
  const sent: string[] = [];
  const headers: Record<string, string> = { Contact: '<sip:192.0.2.1>', From: '<sip:a@b>;tag=1', To: '<sip:c@d>' };
  const request = { get: (name: string) => headers[name], getParsedHeader: () => ({ seq: 1 }), stackTxnId: 'txn' };
  const moved = { status: 302, source_address: '10.0.0.5', get: (name: string) => (name === 'Contact' ? contact : '') };
  const createUAC = (
    uri: string,
    _o: unknown,
    told: { cbRequest: (err: null, it: unknown) => void },
    final: (err: unknown) => void,
  ): void => {
    sent.push(uri);
    told.cbRequest(null, request);
    if (sent.length === 1)
      final(Object.assign(new Error('moved'), { status: 302, res: { ...moved, has: () => false } }));
  };
  const target = { trunk: { ...sceneTrunk, acceptFrom: ['10.0.0.0/8'], ...trunk }, server: server('tls'), user: '1' };
  const logins = new TrunkLogins(addresses, systemIds, logger);
  const timeouts = { probeMs: 1_000, silenceMs: 4_000 };
  const context = { srf: { createUAC }, clock, timeouts, addresses, logins } as unknown as SipLegContext;
  const outcomes: InviteOutcome[] = [];
  new OutboundInvite(context, target, logger, (outcome) => outcomes.push(outcome)).send(
    'sip:1@pbx',
    {},
    offer,
    undefined,
  );
  await eventually(() => outcomes.some(({ type }) => type === 'refused' || type === 'redirected'), 'outcome');
  return {
    sent: sent.slice(1),
    outcome: outcomes.find(({ type }) => type === 'refused' || type === 'redirected')?.type,
  };
}

describe('an INVITE with the keys of SRTP, over TLS', () => {
  const clear = '<sip:2@10.0.0.6>';

  it('does not follow a 3xx out of TLS (RFC 4568 §8.3)', async () => {
    expect(await redirected(clear, keys)).toEqual({ sent: [], outcome: 'refused' });
  });

  it.each<[string, string, string, Partial<Trunk>, string]>([
    [
      'follows one that stays in TLS',
      '<sip:2@10.0.0.5:5061;transport=tls>',
      keys,
      {},
      'sip:2@10.0.0.5:5061;transport=tls',
    ],
    ['follows it where the network is private', clear, keys, { srtpWithoutTls: true }, 'sip:2@10.0.0.6:5060'],
    ['follows it without keys', clear, '', {}, 'sip:2@10.0.0.6:5060'],
  ])('%s', async (_what, contact, offer, trunk, uri) => {
    expect(await redirected(contact, offer, trunk)).toEqual({ sent: [uri], outcome: 'redirected' });
  });
});
