import type { Address, Flow, Protocol } from './flow.js';

/** A way that leads nowhere, for a next hop whose name does not resolve: a transaction on it fails at once. */
export function deadFlow(protocol: Protocol, local: Address): Flow {
  return {
    protocol,
    reliable: protocol === 'tcp',
    remote: { host: '', port: 0 },
    local,
    open: false,
    send: () => undefined,
    onFailure: () => () => undefined,
    release: () => undefined,
  };
}
