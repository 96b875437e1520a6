import type { DigestAlgorithm, TrunkAcceptAuth, TrunkAuth } from '../routing/types.js';
import type { Findings, KeyPath } from './issue.js';
import type { Item } from './lists.js';
import { defaultDigest, type TrunkDefaults, type TrunkItem } from './list-schemas.js';
import type { Secrets } from './secrets.js';

/** Whose passwords are built: a trunk's own words, else those of `trunk_defaults`. */
export interface AuthSource {
  readonly path: KeyPath;
  readonly own: TrunkDefaults;
  readonly defaults: TrunkDefaults;
  readonly secrets: Secrets;
}

const pathOf = ({ path, own }: AuthSource, key: 'auth' | 'accept_auth'): KeyPath => [
  ...(own[key] ? path : ['trunk_defaults']),
  key,
];

/** What the trunk's servers are told when they ask. */
export function buildAuth(source: AuthSource): TrunkAuth | undefined {
  const auth = source.own.auth ?? source.defaults.auth;
  if (!auth) return undefined;
  const passwordPath = [...pathOf(source, 'auth'), 'password'];
  return {
    username: auth.username,
    password: source.secrets.required(passwordPath, auth.password, 'with a username'),
    realm: auth.realm,
    algorithms: unique(auth.algorithms ?? defaultDigest),
    uri: auth.uri ?? 'request',
  };
}

/** What the trunk's calls must prove. */
export function buildAcceptAuth(source: AuthSource): TrunkAcceptAuth | undefined {
  const auth = source.own.accept_auth ?? source.defaults.accept_auth;
  if (!auth) return undefined;
  const passwordPath = [...pathOf(source, 'accept_auth'), 'password'];
  return {
    username: auth.username,
    password: source.secrets.required(passwordPath, auth.password, 'with a username'),
    realm: auth.realm ?? 'sip2wa',
    algorithms: unique(auth.algorithms ?? defaultDigest),
  };
}

/** Over UDP everybody on the way reads an MD5 response, and can try passwords on it at leisure (RFC 8760 §1). */
export function warnOfMd5(trunks: readonly Item<TrunkItem>[], defaults: TrunkDefaults, findings: Findings): void {
  const overUdp = trunks.filter(({ value }) => value.servers.some(({ transport = 'udp' }) => transport === 'udp'));
  for (const key of ['auth', 'accept_auth'] as const) {
    const own = overUdp.filter(({ value }) => usesMd5(value[key]));
    const places = own.map(({ path }) => [...path, key]);
    const isDefaultUsed = overUdp.some(({ value }) => value[key] === undefined);
    if (isDefaultUsed && usesMd5(defaults[key])) places.push(['trunk_defaults', key]);
    const message = 'lets MD5 be used over UDP, where who listens can search for the password';
    const cure = 'add algorithms: [SHA-256] if the PBX knows it, or use tls';
    for (const place of places) findings.warn(place, { message, cure }, 'key');
  }
}

const usesMd5 = (auth: { readonly algorithms?: readonly DigestAlgorithm[] | undefined } | undefined): boolean =>
  auth !== undefined && (auth.algorithms ?? defaultDigest).includes('MD5');

const unique = (algorithms: readonly DigestAlgorithm[]): readonly DigestAlgorithm[] => [...new Set(algorithms)];
