import { BadInputError } from '../lib/bridge-error.js';
import type { Trunk } from '../routing/types.js';
import { contains, parseIpAddress, parseIpNetwork, type IpAddress, type IpNetwork } from './ip-network.js';
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

  /** Host names whose addresses must be kept fresh for this list. */
  get hostnames(): string[] {
    return this.#rules.flatMap(({ trunk }) =>
      trunk.acceptFromServers ? trunk.servers.map((server) => server.hostname) : [],
    );
  }

  /** The trunk a source address belongs to: the most specific network wins, then the order of the trunks. */
  trunkOf(sourceAddress: string): Trunk | undefined {
    const address = parseIpAddress(sourceAddress);
    if (!address) return undefined;
    let best: { trunk: Trunk; length: number } | undefined;
    for (const rule of this.#rules) {
      const length = this.#matchLength(rule, address);
      if (length !== undefined && (!best || length > best.length)) best = { trunk: rule.trunk, length };
    }
    return best?.trunk;
  }

  #matchLength({ trunk, networks }: Rule, address: IpAddress): number | undefined {
    const own = trunk.acceptFromServers ? this.#serverNetworks(trunk) : [];
    const lengths = [...networks, ...own]
      .filter((candidate) => contains(candidate, address))
      .map((candidate) => candidate.prefixLength);
    return lengths.length === 0 ? undefined : Math.max(...lengths);
  }

  #serverNetworks(trunk: Trunk): IpNetwork[] {
    return trunk.servers
      .flatMap((server) => this.addresses.known(server.hostname))
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
