import type { Clock } from '../../lib/clock.js';
import type { SipRequest, SipResponse } from '../sip/message.js';
import { elements, first } from '../sip/message.js';
import type { NameAddr } from '../sip/name-addr.js';
import { parseNameAddr } from '../sip/name-addr.js';
import { ownText } from '../sip/own-text.js';
import { parseSipUri } from '../sip/uri.js';
import type { Flow } from '../transport/flow.js';

/** Most bindings remembered: whoever may send requests may register many. */
const MAX_BINDINGS = 10_000;
/** Where neither side says how long (RFC 3261 §10.2.1.1 leaves it to the registrar), seconds. */
const DEFAULT_EXPIRES_S = 3_600;
/** Methods that bind a contact to the connection they came on. */
const BINDING = new Set(['REGISTER', 'SUBSCRIBE']);

/** By what a binding is known. */
interface Names {
  /** The address of record, with the instance and its flow, or with the contact where it names none (RFC 5626 §6). */
  readonly binding: string;
  readonly contact: string;
  readonly address: string;
}

interface Binding extends Names {
  readonly flow: Flow;
  /** The end of time and connection is waited for no longer. */
  readonly stop: () => void;
}

/**
 * Connections that peers registered over (RFC 5626 §5.3): the application's requests to a contact go over the one that it came
 * on, for often there is no other way to it. Datagrams find their own way back. A contact alone is not known by its URI: phones
 * behind different translators have the same private address, and each must get the calls of its own address of record.
 */
export class RegisteredFlows {
  readonly #bindings = new Map<string, Binding>();
  readonly #ofContact = new Map<string, Set<Binding>>();

  constructor(private readonly clock: Pick<Clock, 'after'>) {}

  /** The application has granted a request; `flow` is the way that it came. */
  granted(request: SipRequest, response: SipResponse, flow: Flow): void {
    if (!BINDING.has(request.method) || response.status < 200 || response.status >= 300) return;
    // RFC 3261 §10.3: who registers is told by To, who subscribes by From; requests to either name it in their To.
    const address = addressOf(first(request, request.method === 'REGISTER' ? 'to' : 'from'));
    for (const value of elements(request, 'contact')) {
      if (value === '*') this.#unbindAll(address);
      const contact = parseNameAddr(value);
      const names = contact && namesOf(address, contact);
      if (!names) continue;
      this.#unbind(this.#bindings.get(names.binding));
      const forS = lifetimeS(request, response, contact);
      if (forS > 0 && flow.reliable && flow.open) this.#bind(names, flow, forS);
    }
  }

  /**
   * The way to a contact, while its connection is up and its binding has not expired. `to` is the request's: of those who have
   * the same contact it says who is meant; where it does not, none of them is.
   */
  to(uri: string, to: string | undefined): Flow | undefined {
    if (this.#bindings.size === 0) return undefined;
    const here = [...(this.#ofContact.get(contactOf(uri) ?? '') ?? [])].filter(({ flow }) => flow.open);
    const address = addressOf(to);
    const meant = here.findLast((binding) => binding.address === address) ?? here[0];
    const isMeant = meant?.address === address || here.every(({ flow }) => isSame(flow, meant?.flow));
    return isMeant ? meant?.flow : undefined;
  }

  get size(): number {
    return this.#bindings.size;
  }

  /** Forgets all. */
  clear(): void {
    for (const binding of this.#bindings.values()) this.#unbind(binding);
  }

  #bind(names: Names, flow: Flow, forS: number): void {
    const [oldest] = this.#bindings.values();
    if (this.#bindings.size >= MAX_BINDINGS) this.#unbind(oldest);
    const timer = this.clock.after(forS * 1_000, () => this.#unbind(binding));
    const stopWatching = flow.onFailure(() => this.#unbind(binding));
    const stop = (): void => {
      timer.cancel();
      stopWatching();
    };
    const binding: Binding = { ...names, flow, stop };
    this.#bindings.set(binding.binding, binding);
    const siblings = this.#ofContact.get(binding.contact) ?? new Set<Binding>();
    this.#ofContact.set(binding.contact, siblings.add(binding));
  }

  #unbind(binding: Binding | undefined): void {
    if (!binding || this.#bindings.get(binding.binding) !== binding) return;
    binding.stop();
    this.#bindings.delete(binding.binding);
    const siblings = this.#ofContact.get(binding.contact);
    siblings?.delete(binding);
    if (siblings?.size === 0) this.#ofContact.delete(binding.contact);
  }

  /** RFC 3261 §10.2.2: `Contact: *` takes them all back. */
  #unbindAll(address: string): void {
    for (const binding of this.#bindings.values()) if (binding.address === address) this.#unbind(binding);
  }
}

/** In memory of their own: a binding outlives its request by far. Undefined for a contact that is no SIP URI. */
function namesOf(address: string, { uri, params }: NameAddr): Names | undefined {
  const contact = contactOf(uri);
  if (contact === undefined) return undefined;
  const instance = params.get('+sip.instance');
  const flow = instance === undefined ? contact : `${instance};${params.get('reg-id') ?? ''}`;
  return { binding: ownText(`${address} ${flow}`), contact: ownText(contact), address: ownText(address) };
}

/** By what two contacts are the same: a parameter of one that the other lacks makes them no others here. */
function contactOf(uri: string): string | undefined {
  const parsed = parseSipUri(uri);
  return parsed && `${parsed.scheme}:${parsed.user ?? ''}@${parsed.host.toLowerCase()}:${parsed.port ?? ''}`;
}

/** Whose address a From or To is; empty without one. */
function addressOf(value: string | undefined): string {
  const uri = parseNameAddr(value ?? '')?.uri ?? '';
  const parsed = parseSipUri(uri);
  return parsed ? `${parsed.user ?? ''}@${parsed.host.toLowerCase()}` : uri;
}

const isSame = (a: Flow, b: Flow | undefined): boolean =>
  a.protocol === b?.protocol && a.remote.host === b.remote.host && a.remote.port === b.remote.port;

/** How long a contact is bound. What is taken back is, whatever else the answer says (RFC 3261 §10.2.2). */
function lifetimeS(request: SipRequest, response: SipResponse, { uri, params }: NameAddr): number {
  const askedS = secondsOf(params.get('expires')) ?? secondsOf(first(request, 'expires'));
  if (askedS === 0) return 0;
  const told = elements(response, 'contact').map((value) => parseNameAddr(value));
  const own = told.find((contact) => contact && contactOf(contact.uri) === contactOf(uri));
  const grantedS = secondsOf(own?.params.get('expires')) ?? secondsOf(first(response, 'expires'));
  return grantedS ?? askedS ?? DEFAULT_EXPIRES_S;
}

const secondsOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text.trim()) ? Number(text) : undefined;
