import type { DnsClient } from '../../src/lib/dns-client.js';

/** DNS that knows addresses alone, as the test says; without a word of it nothing is found. */
export const addressDns = (
  addresses: DnsClient['addresses'] = () => Promise.reject(new Error('no DNS')),
): DnsClient => ({
  addresses,
  srv: () => Promise.resolve([]),
  naptr: () => Promise.resolve([]),
});
