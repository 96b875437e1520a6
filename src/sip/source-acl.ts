import { BadInputError } from '../lib/bridge-error.js';
import type { Trunk } from '../routing/types.js';
import { contains, parseIpAddress, parseIpNetwork, type IpAddress, type IpNetwork } from './ip-network.js';
import { addressesOf } from './next-hop.js';
import type { ServerAddresses } from './server-addresses.js';

interface Rule {
  readonly trunk: Trunk;
  readonly networks: readonly IpNetwork[];
}

/**
 * Who may send us SIP: by transport source address only, never by anything a message says about itself. Default deny; a
 * trunk without `accept_from` (and without `acceptFromServers`) may call nobody.
 */
export class SourceAcl {
  readonly #rules: readonly Rule[];

  /** @throws BadInputError when an `accept_from` entry is no network */
  constructor(
    trunks: readonly Trunk[],
    private readonly addresses: ServerAddresses,
  ) {
    this.#rules = trunks.map((trunk) => ({ trunk, networks: trunk.acceptFrom.map((text) => network(trunk, text)) }));
  }

  /**
   * The trunks a source address belongs to: those whose network is the most specific one. They are several when trunks share
   * a PBX, and none when the address is a stranger's.
   */
  trunksOf(sourceAddress: string): readonly Trunk[] {
    const address = parseIpAddress(sourceAddress);
    if (!address) return [];
    const matches = this.#rules.map((rule) => ({ trunk: rule.trunk, length: this.#matchLength(rule, address) }));
    const best = Math.max(...matches.map(({ length }) => length));
    return best < 0 ? [] : matches.filter(({ length }) => length === best).map(({ trunk }) => trunk);
  }

  /** Prefix length of the most specific network that holds the address; -1 if none does. */
  #matchLength({ trunk, networks }: Rule, address: IpAddress): number {
    const own = trunk.acceptFromServers ? this.#serverNetworks(trunk) : [];
    const lengths = [...networks, ...own]
      .filter((candidate) => contains(candidate, address))
      .map((candidate) => candidate.prefixLength);
    return Math.max(-1, ...lengths);
  }

  #serverNetworks(trunk: Trunk): IpNetwork[] {
    return trunk.servers
      .flatMap((server) => addressesOf(this.addresses, { trunk, server }))
      .flatMap((text) => parseIpNetwork(text) ?? []);
  }
}

function network(trunk: Trunk, text: string): IpNetwork {
  const parsed = parseIpNetwork(text);
  if (!parsed) {
    throw new BadInputError(
      'SIP2WA_ACCEPT_FROM',
      `accept_from of trunk ${trunk.name}: ${JSON.stringify(text)} is no network`,
    );
  }
  return parsed;
}
