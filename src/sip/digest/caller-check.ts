import type { Clock } from '../../lib/clock.js';
import type { IdSource } from '../../lib/ids.js';
import type { Trunk, TrunkAcceptAuth } from '../../routing/types.js';
import type { SrfHeaders, SrfRequest } from '../drachtio-types.js';
import { userOfUri } from '../sip-uri.js';
import { algorithmNamed } from './algorithm.js';
import { digestHeader, escapedQuoted, parseAuthHeader } from './auth-header.js';
import { Nonces } from './nonces.js';
import { digestResponse } from './response.js';
import { isSameSecret } from './same-secret.js';

/** What a request that proves nothing is answered with: 401 and a challenge. */
export interface CallerChallenge {
  readonly status: 401;
  readonly headers: SrfHeaders;
  /** For the log. `none`: it carried no credentials yet, as a first INVITE does. */
  readonly why: 'none' | 'wrong credentials' | 'nonce used or too old';
}

/**
 * Asks who a trunk's calls are from, where `accept_auth` says so (RFC 3261 §22.2; the list of sources holds all the same).
 * The algorithms are offered in the trunk's order, one header line each (RFC 8760 §2.3); qop is `auth` always.
 */
export class CallerCheck {
  readonly #nonces: Nonces;

  constructor(clock: Clock, ids: IdSource) {
    this.#nonces = new Nonces(clock, ids);
  }

  /** Undefined when the request may go on. */
  challengeTo({ name, acceptAuth }: Trunk, request: SrfRequest): CallerChallenge | undefined {
    if (!acceptAuth) return undefined;
    const peer = `${name} ${request.source_address}`;
    const realm = escapedQuoted(acceptAuth.realm);
    const shown = parseAuthHeader(request.get('Authorization') ?? '').filter(
      ({ scheme, params }) => scheme === 'digest' && params.get('realm') === realm,
    );
    const [first] = shown;
    const why = first ? this.#objection(acceptAuth, peer, request, first.params) : 'none';
    if (why === undefined) return undefined;
    const isStale = why === 'nonce used or too old';
    return { status: 401, headers: this.#challenge(acceptAuth, peer, isStale), why };
  }

  #objection(
    auth: TrunkAcceptAuth,
    peer: string,
    request: SrfRequest,
    params: ReadonlyMap<string, string>,
  ): Exclude<CallerChallenge['why'], 'none'> | undefined {
    if (!isRight(auth, request, params)) return 'wrong credentials';
    const [nonce = '', nc = ''] = [params.get('nonce'), params.get('nc')];
    // Only who knows the password is told that it is the nonce alone (RFC 7616 §3.3).
    return this.#nonces.use(nonce, peer, parseInt(nc, 16)) ? undefined : 'nonce used or too old';
  }

  #challenge({ realm, algorithms }: TrunkAcceptAuth, peer: string, isStale: boolean): SrfHeaders {
    const nonce = this.#nonces.issue(peer);
    const values = algorithms.map((algorithm) =>
      digestHeader([
        ['realm', { quoted: escapedQuoted(realm) }],
        ['nonce', { quoted: nonce }],
        ...(isStale ? [['stale', 'true'] as const] : []),
        ['algorithm', algorithm],
        ['qop', { quoted: 'auth' }],
      ]),
    );
    // srf takes one value a name, and challenges must not share a line (RFC 3261 §7.3.1).
    return { 'WWW-Authenticate': values.join('\r\nWWW-Authenticate: ') };
  }
}

/** Whether the response is that of the trunk's password for this very request. */
function isRight(auth: TrunkAcceptAuth, request: SrfRequest, params: ReadonlyMap<string, string>): boolean {
  const text = (name: string): string => params.get(name) ?? '';
  const algorithm = algorithmNamed(params.get('algorithm') ?? 'MD5');
  const [realm, nonce, uri, nc, cnonce] = [text('realm'), text('nonce'), text('uri'), text('nc'), text('cnonce')];
  const isAsked = algorithm && !algorithm.isSession && auth.algorithms.includes(algorithm.hash);
  const isWhole = text('qop').toLowerCase() === 'auth' && /^[0-9a-f]{8}$/i.test(nc) && cnonce !== '';
  if (!isAsked || !isWhole || !isUriOf(request, uri) || text('username') !== escapedQuoted(auth.username)) return false;
  const { username, password } = auth;
  const qop = { nc, cnonce };
  const expected = digestResponse({ algorithm, username, password, realm, nonce, uri, qop, method: request.method });
  return isSameSecret(text('response').toLowerCase(), expected);
}

/**
 * Whether a digest-uri may stand for the Request-URI: peers leave its user or parameters out, or put another host in, but
 * what was authorised for one number must not be dialled to another.
 */
function isUriOf(request: SrfRequest, digestUri: string): boolean {
  const user = userOfUri(digestUri);
  return digestUri !== '' && (user === undefined || user === userOfUri(request.uri));
}
