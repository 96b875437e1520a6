import { isIP } from 'node:net';
import type { Dialog } from '../dialog/dialog.js';
import { parseNameAddr } from '../sip/name-addr.js';
import type { SipUri } from '../sip/uri.js';
import { bareHost, parseSipUri } from '../sip/uri.js';
import { deadFlow } from '../transport/dead-flow.js';
import type { Protocol } from '../transport/flow.js';
import type { NextHop } from '../transport/resolver.js';
import { protocolOf } from '../transport/resolver.js';
import type { Core } from './core.js';
import type { Way } from './way.js';

/** Why a request cannot go out at all; the text is drachtio-server's. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

const unserved = 'requested protocol/transport not available';

/**
 * Opens the way to a URI (RFC 3263). A name that does not resolve gives a dead way: its request fails with 503 as one to a
 * dead peer does. `otherwise` is the transport where neither the URI nor DNS names one. @throws RefusedError
 */
export async function wayTo(core: Core, uriText: string, otherwise: Protocol = 'udp'): Promise<Way> {
  const uri = parseSipUri(uriText);
  if (!uri) throw new RefusedError(`invalid request-uri: ${uriText}`);
  const protocol = protocolOf(uri, otherwise);
  if (!protocol || (isSettled(uri) && !core.transports.serves(protocol))) throw new RefusedError(unserved);
  const hops = await hopsOf(core, uri, otherwise);
  if (hops) return openWay(core, hops);
  if (!core.transports.serves(protocol)) throw new RefusedError(unserved);
  const local = core.transports.localOf(protocol);
  return { flow: deadFlow(protocol, local), shown: local };
}

/** The way of a request outside dialogs, with this To: to a contact that was registered over a connection, by that. @throws RefusedError */
export async function wayOutside(core: Core, uriText: string, to: string | undefined): Promise<Way> {
  const flow = core.registered.to(uriText, to);
  return flow ? { flow, shown: await core.transports.shownAddress(flow) } : wayTo(core, uriText);
}

/** DNS has no say in the transport. */
const isSettled = ({ params, scheme, port, host }: SipUri): boolean =>
  params.has('transport') || scheme === 'sips' || port !== undefined || isIP(bareHost(host)) !== 0;

async function hopsOf(core: Core, uri: SipUri, otherwise: Protocol): Promise<readonly NextHop[] | undefined> {
  try {
    return await core.resolver.locate(uri, otherwise);
  } catch (err) {
    core.logger.warn('sip host does not resolve', { host: uri.host, err });
    return undefined;
  }
}

/** Opens the way to the first of these that we have a listener for. @throws RefusedError if there is none */
export async function openWay(core: Core, hops: readonly NextHop[]): Promise<Way> {
  const served = hops.filter(({ protocol, host }) => core.transports.serves(protocol, host));
  const [hop, ...others] = served.filter((it) => !core.transports.isSelf(it));
  if (!hop) throw new RefusedError(served.length > 0 ? 'can not send request to myself' : unserved);
  const flow = await core.transports.connect(hop);
  if (!flow) throw new RefusedError(unserved);
  return { flow, shown: await core.transports.shownAddress(flow), others };
}

/**
 * The way of a request inside a dialog: a connection is used as long as it lives; then the route set; without one,
 * datagrams go where the peer was last heard, as its Contact may be behind NAT; else the remote target.
 */
export async function wayInDialog(core: Core, dialog: Dialog): Promise<Way> {
  const { flow, routeSet } = dialog;
  if (flow?.reliable && flow.open) return { flow, shown: await core.transports.shownAddress(flow) };
  const [top] = routeSet;
  // RFC 3263 §4.1 leaves the choice to us: who came over a connection can be reached over one.
  if (top !== undefined) return wayTo(core, parseNameAddr(top)?.uri ?? '', flow?.protocol);
  if (flow && !flow.reliable) return openWay(core, [{ protocol: 'udp', ...flow.remote }]);
  return wayTo(core, dialog.remoteTarget, flow?.protocol);
}
