import type { Target } from '../../routing/types.js';
import type { SrfResponse } from '../drachtio-types.js';
import { addressesOf } from '../header-list.js';
import { requestUri, userOfUri } from '../sip-uri.js';
import { placeOfUri, type UriPlace } from './refer-to.js';
import { serverAt, type Surroundings } from './trunk-place.js';

/** Contacts that one call follows, at most. */
const mostRedirects = 5;
const followed: ReadonlySet<number> = new Set([300, 301, 302]);

/**
 * Where an INVITE goes that is answered 3xx (RFC 3261 §8.1.3.4): to the Contacts in the order of their q, those of a further
 * 3xx first, each once. Only places of the trunk are followed.
 */
export class Redirects {
  readonly #seen: Set<string>;
  #queue: Target[] = [];
  #count = 0;

  constructor(
    private readonly target: Target,
    private readonly addressesOf: Surroundings['addressesOf'],
  ) {
    this.#seen = new Set([uriOf(target)]);
  }

  /** Whom to try after this final response; undefined: it stands. `own`: where the PBX sends to us. */
  next(response: SrfResponse, own: UriPlace | undefined): Target | undefined {
    const { status } = response;
    // Nobody is to be tried after a 6xx (RFC 3261 §21.6); a 3xx that is not followed leaves what was named before.
    if (status < 300 || status >= 600) return undefined;
    if (followed.has(status)) this.#queue = [...this.#named(response.get('Contact') ?? '', own), ...this.#queue];
    const next = this.#count < mostRedirects ? this.#queue.shift() : undefined;
    if (next) this.#count++;
    return next;
  }

  #named(header: string, own: UriPlace | undefined): Target[] {
    const { trunk, server: home } = this.target;
    const around: Surroundings = { trunk, home, own, aliases: [], addressesOf: this.addressesOf };
    return contactsOf(header).flatMap((uri) => {
      const [place, user] = [placeOfUri(uri), userOfUri(uri)];
      const server = place && serverAt(place, around);
      if (!server || user === undefined) return [];
      const target: Target = { trunk, server, user };
      if (this.#seen.has(uriOf(target))) return [];
      this.#seen.add(uriOf(target));
      return [target];
    });
  }
}

const uriOf = ({ user, server }: Target): string => requestUri(user, server);

const lengthLimit = 4_096;

/** The URIs of a Contact header, those with the highest q first (RFC 3261 §20.10); one without q counts as 1. */
export function contactsOf(header: string): string[] {
  if (header.length > lengthLimit) return [];
  return addressesOf(header)
    .map(({ uri, params }) => ({ uri, q: qOf(params.get('q') ?? '') }))
    .sort((a, b) => b.q - a.q)
    .map(({ uri }) => uri);
}

const qOf = (text: string): number => (/^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 1);
