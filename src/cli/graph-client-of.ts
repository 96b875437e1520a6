import type { Config } from '../config/config.js';
import type { Clock } from '../lib/clock.js';
import { silentLogger } from '../lib/logger.js';
import { GraphClient } from '../whatsapp/graph-client.js';

/** A client of the Graph API as the configuration has it, that logs nothing; to be closed after use. */
export function graphClientOf(config: Config, clock: Clock): GraphClient {
  const { baseUrl, version, accessToken, appSecrets, appsecretProof, timeoutMs } = config.graph;
  const numberIds = config.numbers.map(({ id }) => id);
  return new GraphClient({
    ...{ baseUrl, version, numberIds, timeoutMs, clock },
    token: () => accessToken,
    ...(appsecretProof && { appSecret: () => appSecrets[0] }),
    logger: silentLogger,
  });
}
