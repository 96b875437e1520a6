import type { Clock } from '../../lib/clock.js';
import type { SipMessage, SipRequest, SipResponse } from '../sip/message.js';
import { elements, first } from '../sip/message.js';
import { parseNameAddr } from '../sip/name-addr.js';
import { parseSipUri } from '../sip/uri.js';
import type { Flow } from '../transport/flow.js';

/** Most contacts remembered: whoever may send requests may register many. */
const MAX_CONTACTS = 10_000;
/** Where neither side says how long (RFC 3261 §10.2.1.1 leaves it to the registrar), seconds. */
const DEFAULT_EXPIRES_S = 3_600;
/** Methods that bind a contact to the connection they came on. */
const BINDING = new Set(['REGISTER', 'SUBSCRIBE']);

interface Bound {
  readonly flow: Flow;
  readonly untilMs: number;
}

/**
 * Connections that peers registered over (RFC 5626 §5.3): the application's requests to a contact go over the one that it came
 * on, for often there is no other way to it. Datagrams find their own way back.
 */
export class RegisteredFlows {
  readonly #byContact = new Map<string, Bound>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  /** The application has granted a request; `flow` is the connection that it came on. */
  granted(request: SipRequest, response: SipResponse, flow: Flow): void {
    const isGrant = BINDING.has(request.method) && response.status >= 200 && response.status < 300;
    if (!isGrant || !flow.reliable) return;
    for (const value of elements(request, 'contact')) {
      const contact = parseNameAddr(value);
      const key = contact && keyOf(contact.uri);
      if (key === undefined) continue;
      this.#byContact.delete(key);
      const forS = expiresS(response, key) ?? secondsOf(contact?.params.get('expires')) ?? ownExpiresS(request);
      if (forS > 0) this.#bind(key, { flow, untilMs: this.clock.monotonicMs() + forS * 1_000 });
    }
  }

  /** The way to a contact, while its connection is up and its binding has not expired. */
  to(uri: string): Flow | undefined {
    if (this.#byContact.size === 0) return undefined;
    const key = keyOf(uri);
    const bound = key === undefined ? undefined : this.#byContact.get(key);
    return bound?.flow.open && this.clock.monotonicMs() < bound.untilMs ? bound.flow : undefined;
  }

  get size(): number {
    return this.#byContact.size;
  }

  #bind(key: string, bound: Bound): void {
    const [oldest] = this.#byContact.keys();
    if (this.#byContact.size >= MAX_CONTACTS && oldest !== undefined) this.#byContact.delete(oldest);
    this.#byContact.set(key, bound);
    bound.flow.onFailure(() => {
      if (this.#byContact.get(key) === bound) this.#byContact.delete(key);
    });
  }
}

/** By what two contacts are the same: a parameter of one that the other lacks makes them no others here. */
function keyOf(uri: string): string | undefined {
  const parsed = parseSipUri(uri);
  return parsed && `${parsed.scheme}:${parsed.user ?? ''}@${parsed.host.toLowerCase()}:${parsed.port ?? ''}`;
}

/** How long the answer says that this contact is bound. */
function expiresS(response: SipResponse, key: string): number | undefined {
  const granted = elements(response, 'contact').map((value) => parseNameAddr(value));
  const own = granted.find((contact) => contact && keyOf(contact.uri) === key);
  return secondsOf(own?.params.get('expires')) ?? secondsOf(first(response, 'expires'));
}

const ownExpiresS = (request: SipMessage): number => secondsOf(first(request, 'expires')) ?? DEFAULT_EXPIRES_S;

const secondsOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text.trim()) ? Number(text) : undefined;
