import type { Address, Flow, Protocol } from './flow.js';

/**
 * A way that leads nowhere: for a next hop whose name does not resolve, so that a transaction on it fails at once, and for
 * a connection that is gone but whose far end is known.
 */
export function deadFlow(protocol: Protocol, local: Address, remote: Address = { host: '', port: 0 }): Flow {
  return {
    protocol,
    reliable: protocol !== 'udp',
    remote,
    local,
    open: false,
    send: () => undefined,
    onFailure: () => () => undefined,
    release: () => undefined,
  };
}
