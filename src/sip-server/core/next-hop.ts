import type { Dialog } from '../dialog/dialog.js';
import { parseNameAddr } from '../sip/name-addr.js';
import type { SipUri } from '../sip/uri.js';
import { parseSipUri } from '../sip/uri.js';
import { deadFlow } from '../transport/dead-flow.js';
import type { Protocol } from '../transport/flow.js';
import type { NextHop } from '../transport/resolver.js';
import { defaultPort, protocolOf } from '../transport/resolver.js';
import type { Core } from './core.js';
import type { Way } from './way.js';

/** Why a request cannot go out at all; the text is drachtio-server's. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/**
 * Opens the way to a URI (RFC 3263 without SRV and NAPTR). A name that does not resolve gives a dead way: its request
 * fails with 503 as one to a dead peer does. `otherwise` is the transport of a URI that names none. @throws RefusedError
 */
export async function wayTo(core: Core, uriText: string, otherwise: Protocol = 'udp'): Promise<Way> {
  const uri = parseSipUri(uriText);
  if (!uri) throw new RefusedError(`invalid request-uri: ${uriText}`);
  const protocol = protocolOf(uri, otherwise);
  if (!protocol || !core.transports.serves(protocol)) {
    throw new RefusedError('requested protocol/transport not available');
  }
  const hop = await hopOf(core, uri, protocol);
  if (hop) return openWay(core, hop);
  const local = core.transports.localOf(protocol);
  return { flow: deadFlow(protocol, local), shown: local };
}

async function hopOf(core: Core, uri: SipUri, protocol: Protocol): Promise<NextHop | undefined> {
  const target = uri.params.get('maddr') ?? uri.host;
  try {
    const host = await core.resolver.resolve(target);
    return { protocol, host, port: uri.port ?? defaultPort(protocol), name: uri.host };
  } catch (err) {
    core.logger.warn('sip host does not resolve', { host: target, err });
    return undefined;
  }
}

async function openWay(core: Core, hop: NextHop): Promise<Way> {
  if (core.transports.isSelf(hop)) throw new RefusedError('can not send request to myself');
  const flow = await core.transports.connect(hop);
  if (!flow) throw new RefusedError('requested protocol/transport not available');
  return { flow, shown: await core.transports.shownAddress(flow) };
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
  if (flow && !flow.reliable) return openWay(core, { protocol: 'udp', ...flow.remote });
  return wayTo(core, dialog.remoteTarget, flow?.protocol);
}
