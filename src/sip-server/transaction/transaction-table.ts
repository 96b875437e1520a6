import type { SipRequest, WithHeaders } from '../sip/message.js';
import { cseqOf, elements, first } from '../sip/message.js';
import { MAGIC_COOKIE } from '../sip/grammar.js';
import { tagOf } from '../sip/name-addr.js';
import { parseVia, sentBy } from '../sip/via.js';
import type { InviteClientTransaction } from './invite-client.js';
import type { InviteServerTransaction } from './invite-server.js';
import type { NonInviteClientTransaction } from './non-invite-client.js';
import type { NonInviteServerTransaction } from './non-invite-server.js';
import { ownText } from '../sip/own-text.js';

export type ClientTransaction = InviteClientTransaction | NonInviteClientTransaction;
export type ServerTransaction = InviteServerTransaction | NonInviteServerTransaction;

/** Names under which a server transaction is found. */
export interface ServerKeys {
  /**
   * RFC 3261 §17.2.3, and Call-ID and CSeq besides: there are clients whose branches repeat, and a request of one call must
   * not pass for a repetition of another's.
   */
  readonly exact: string;
  /**
   * Branch, Call-ID and CSeq without the sent-by: a client that learned its public address between INVITE and CANCEL
   * changes the sent-by, and the callee would ring on.
   */
  readonly loose: string;
  /** From tag, Call-ID and CSeq: the same request over two paths (RFC 3261 §8.2.2.2). */
  readonly merged: string;
}

/** The name of a client transaction (RFC 3261 §17.1.3). */
export const clientKey = (branch: string, method: string): string => `${branch}|${method}`;

/** The name of the client transaction a response belongs to; undefined when it cannot be ours. */
export function clientKeyOf(response: WithHeaders): string | undefined {
  const branch = parseVia(elements(response, 'via')[0] ?? '')?.params.get('branch');
  const method = cseqOf(response)?.method;
  return branch === undefined || method === undefined ? undefined : clientKey(branch, method);
}

/** Names for a request that was validated. `method` is the one of the wanted transaction: INVITE for ACK and CANCEL. */
export function serverKeys(request: SipRequest, method: string): ServerKeys {
  const topText = elements(request, 'via')[0] ?? '';
  const via = parseVia(topText);
  const branch = via?.params.get('branch') ?? '';
  const cseq = cseqOf(request)?.number ?? 0;
  const callId = first(request, 'call-id') ?? '';
  const fromTag = tagOf(first(request, 'from')) ?? '';
  const by = via ? sentBy(via) : '';
  const isModern = branch.startsWith(MAGIC_COOKIE) && branch.length > MAGIC_COOKIE.length;
  const old = (): string => `rfc2543|${callId}|${cseq}|${fromTag}|${request.uri}|${by}|${branch}|${method}`;
  const loose = `${branch}|${callId}|${cseq}|${method}`;
  return {
    exact: isModern ? `${by}|${loose}` : old(),
    loose,
    merged: `${fromTag}|${callId}|${cseq}|${method}`,
  };
}

/** What of the names a transaction is kept under: a CANCEL looks for INVITEs alone, a merged request is one outside dialogs. */
export interface KeptKeys {
  readonly exact: string;
  readonly loose: string | undefined;
  readonly merged: string | undefined;
}

/** The names to keep of a request, in memory of their own. */
export const keptKeys = (
  keys: ServerKeys,
  { method, isInitial }: { method: string; isInitial: boolean },
): KeptKeys => ({
  exact: ownText(keys.exact),
  loose: method === 'INVITE' ? ownText(keys.loose) : undefined,
  merged: isInitial ? ownText(keys.merged) : undefined,
});

/** All live transactions. */
export class TransactionTable {
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #loose = new Map<string, ServerTransaction>();
  readonly #merged = new Map<string, ServerTransaction>();

  get size(): number {
    return this.#clients.size + this.#servers.size;
  }

  addClient(key: string, transaction: ClientTransaction): void {
    this.#clients.set(key, transaction);
  }

  client(key: string): ClientTransaction | undefined {
    return this.#clients.get(key);
  }

  removeClient(key: string): void {
    this.#clients.delete(key);
  }

  addServer(keys: KeptKeys, transaction: ServerTransaction): void {
    this.#servers.set(keys.exact, transaction);
    if (keys.loose !== undefined) this.#loose.set(keys.loose, transaction);
    if (keys.merged !== undefined) this.#merged.set(keys.merged, transaction);
  }

  server(keys: ServerKeys): ServerTransaction | undefined {
    return this.#servers.get(keys.exact);
  }

  serverLoosely(keys: ServerKeys): ServerTransaction | undefined {
    return this.#servers.get(keys.exact) ?? this.#loose.get(keys.loose);
  }

  /** Is another transaction of the same request under way? Then it reached us over two paths. */
  isMerged(keys: ServerKeys): boolean {
    return this.#merged.get(keys.merged)?.refused === false;
  }

  removeServer({ exact, loose, merged }: KeptKeys, transaction: ServerTransaction): void {
    if (this.#servers.get(exact) === transaction) this.#servers.delete(exact);
    if (loose !== undefined && this.#loose.get(loose) === transaction) this.#loose.delete(loose);
    if (merged !== undefined && this.#merged.get(merged) === transaction) this.#merged.delete(merged);
  }

  /** Ends all, silently for the peers. */
  terminateAll(): void {
    for (const transaction of [...this.#clients.values(), ...this.#servers.values()]) transaction.terminate();
  }
}
