import { isIP } from 'node:net';
import type { Via } from '../sip/via.js';
import { bareHost } from '../sip/uri.js';
import type { Flow } from '../transport/flow.js';
import type { NextHop } from '../transport/resolver.js';
import { defaultPort } from '../transport/resolver.js';
import type { Core } from './core.js';

/**
 * The way of an answer whose connection is gone (RFC 3261 §18.2.2, RFC 3263 §5): to the source address and the port of the
 * top Via; if nobody takes a connection there, to the other places of the name in that Via. A name that does not lead to the
 * source as well is not believed: it would let a stranger direct our answers at a third party. Never rejects.
 */
export async function answerElsewhere(core: Core, gone: Flow, via: Via | undefined, bytes: Buffer): Promise<void> {
  const { protocol, remote } = gone;
  const source = { protocol, host: remote.host, port: via?.port ?? defaultPort(protocol), name: via?.host };
  try {
    if (await isTaken(core, source, bytes)) return;
    for (const hop of await placesOf(core, via, source)) if (await isTaken(core, hop, bytes)) return;
    core.logger.info('sip answer could not be sent', { remote: remote.host });
  } catch (err) {
    core.logger.warn('sip answer could not be sent', { err });
  }
}

async function placesOf(core: Core, via: Via | undefined, source: NextHop): Promise<readonly NextHop[]> {
  if (!via || isIP(bareHost(via.host)) !== 0) return [];
  const params = new Map([['transport', source.protocol]]);
  const uri = { scheme: 'sip', user: undefined, host: via.host, port: via.port, params, headers: undefined } as const;
  const places = await core.resolver.locate(uri, source.protocol);
  if (!places.some(({ host }) => host === source.host)) return [];
  return places.filter(({ host, port }) => host !== source.host || port !== source.port);
}

/** Whether a connection stood long enough to be believed in. */
async function isTaken(core: Core, hop: NextHop, bytes: Buffer): Promise<boolean> {
  const flow = await core.transports.connect(hop);
  if (!flow) return false;
  return new Promise((resolve) => {
    const stop = flow.onFailure(() => resolve(false));
    core.clock.after(core.timers.t1Ms, () => {
      stop();
      resolve(true);
    });
    flow.send(bytes);
  });
}
