import type { Config } from './config.js';
import { parseListen } from './formats.js';
import type { Scalars } from './scalars.js';
import type { Secrets } from './secrets.js';

/** Where HEP packets go; undefined: nowhere. Its secret is not looked at then. */
export function buildHep(scalars: Scalars, secrets: Secrets): Config['hep'] {
  const receiver = parseListen(scalars['hep.address']);
  if (!receiver) return undefined;
  const password = secrets.optional(['hep', 'password'], String(scalars['hep.password']));
  return { receiver, captureId: Number(scalars['hep.capture_id']), password };
}
