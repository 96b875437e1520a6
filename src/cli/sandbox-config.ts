import type { Config } from '../config/config.js';
import type { DemoIdentity } from './demo-config.js';

/**
 * An operator's configuration for a rehearsal: everything towards the PBX as it is; everything towards Meta, and what would outlast
 * the rehearsal, replaced. The browser is somewhere in the operator's network, so media may go anywhere.
 */
export function rehearsalConfig(config: Config, identity: DemoIdentity, graphUrl: string): Config {
  const { graph } = config;
  return {
    ...config,
    graph: {
      ...graph,
      baseUrl: graphUrl,
      accessToken: identity.accessToken,
      appSecrets: [identity.appSecret],
      secretFiles: { accessToken: undefined, appSecrets: [undefined] },
      appsecretProof: false,
    },
    webhook: {
      ...config.webhook,
      listen: { host: '127.0.0.1', port: 0 },
      verifyToken: identity.verifyToken,
    },
    media: { ...config.media, remoteNetworks: 'any' },
    settings: { ...config.settings, push: 'off', pollMs: undefined },
    journal: { ...config.journal, dir: '' },
    cdr: { ...config.cdr, file: '', csvFile: '', httpUrl: '' },
    hep: undefined,
    tracing: undefined,
  };
}
