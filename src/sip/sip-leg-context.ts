import type { Journal } from '../call/journal.js';
import type { CallObserver } from '../call/observer.js';
import type { Clock } from '../lib/clock.js';
import type { IdSource } from '../lib/ids.js';
import type { MediaEngine } from '../media/media-engine.js';
import type { Target, Trunk } from '../routing/types.js';
import type { TrunkLogins } from './digest/trunk-login.js';
import type { SrfApi } from './drachtio-types.js';
import { hostNetwork } from './ip-network.js';
import type { LocalAddressFinder } from './local-address.js';
import { addressesOf } from './next-hop.js';
import type { ServerAddresses } from './server-addresses.js';
import type { ServerWatch } from './server-watch.js';
import type { SipTimeouts } from './sip-timeouts.js';

/** What every SIP leg is made with. */
export interface SipLegContext {
  readonly srf: SrfApi;
  readonly engine: MediaEngine;
  readonly journal: Journal;
  readonly observer: CallObserver;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly timeouts: SipTimeouts;
  readonly addresses: ServerAddresses;
  readonly servers: ServerWatch;
  readonly localAddressFor: LocalAddressFinder;
  readonly logins: TrunkLogins;
  /** Whether calls to a server are to stay on the connection that its registration came over; default: none are. */
  readonly isFlow?: (target: Pick<Target, 'trunk' | 'server'>) => boolean;
  /** Nobody but us ends what a crash leaves open at the SIP server: its names for INVITEs are noted too. */
  readonly notesTransactions?: boolean;
}

/**
 * Networks media may be sent to: the signalling peer, the trunk's servers with the proxy before them, which a call may come
 * through, or be redirected to, without their media, who may call in from this trunk, and what is configured besides.
 */
export function mediaNetworks(context: SipLegContext, trunk: Trunk, peers: readonly string[]): readonly string[] {
  const own = trunk.servers.flatMap((server) => addressesOf(context.addresses, { trunk, server }));
  const networks = [...peers.map(hostNetwork), ...own.map(hostNetwork), ...trunk.acceptFrom.map(asNetwork)];
  return [...new Set([...networks, ...(trunk.mediaNetworks ?? []).map(asNetwork)])];
}

/** An entry may be a bare address. */
const asNetwork = (entry: string): string => (entry.includes('/') ? entry : hostNetwork(entry));
