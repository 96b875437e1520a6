import { BlockList, isIP } from 'node:net';
import { BadInputError } from '../lib/bridge-error.js';
import { canonicalIp } from '../lib/canonical-ip.js';

/** Where media may go on the WhatsApp side: the open internet, anywhere, or the networks listed as CIDRs. */
export type RemoteNetworks = 'public' | 'any' | readonly string[];

/** Not reachable as a unicast address of the open internet: RFC 6890 and its registries, IPv4 and IPv6. */
const notPublic = cidrList([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]);

/** The only IPv6 space that is given out for the open internet, and what is taken out of it. */
const globalUnicast6 = cidrList(['2000::/3']);
const notPublic6 = cidrList(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** Nothing is sent to these under any policy: no single peer stands behind them. */
const neverRemote = cidrList(['0.0.0.0/8', '224.0.0.0/3', '::/128', 'ff00::/8']);

/**
 * Makes the test for the addresses that ICE may check and media may be sent to.
 * @throws BadInputError naming an entry that is no CIDR.
 */
export function remoteNetworks(policy: RemoteNetworks): (address: string) => boolean {
  const allows = policy === 'public' ? isPublic : policy === 'any' ? () => true : within(cidrList(policy));
  return (address) => {
    const plain = canonicalIp(address);
    return isIP(plain) !== 0 && !contains(neverRemote, plain) && allows(plain);
  };
}

function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !contains(notPublic, address);
  return contains(globalUnicast6, address) && !contains(notPublic6, address);
}

function within(list: BlockList): (address: string) => boolean {
  return (address) => contains(list, address);
}

function contains(list: BlockList, address: string): boolean {
  return list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

function cidrList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix = '', ...rest] = cidr.split('/');
    const family = isIP(network);
    const bits = prefix === '' ? NaN : Number(prefix);
    const isPrefix = Number.isInteger(bits) && bits >= 0 && bits <= (family === 6 ? 128 : 32);
    if (family === 0 || !isPrefix || rest.length > 0) {
      throw new BadInputError('SIP2WA_CIDR', `not a network in CIDR form: ${cidr.slice(0, 64)}`);
    }
    list.addSubnet(network, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
