import { createHash } from 'node:crypto';
import type { PeerMessage, SipScriptPeer } from '../../../support/sip-script-peer.js';

/** What a registrar says for a challenge. */
export interface Challenge {
  readonly nonce?: string;
  readonly algorithm?: 'MD5' | 'SHA-256';
  readonly isStale?: boolean;
}

const isRegister = ({ method }: PeerMessage): boolean => method === 'REGISTER';

/** A registrar that a test drives step by step; keep-alives are answered by nobody. */
export class Registrar {
  readonly #taken = new Set<string>();

  constructor(readonly peer: SipScriptPeer) {}

  /** The next REGISTER; what is sent again, unanswered, is none. */
  async register(deadlineMs?: number): Promise<PeerMessage> {
    const isNew = (message: PeerMessage): boolean => isRegister(message) && !this.#taken.has(message.branch);
    const request = await this.peer.next(isNew, 'REGISTER', deadlineMs);
    this.#taken.add(request.branch);
    return request;
  }

  /** How many there were. */
  get registers(): number {
    return new Set(this.peer.received.filter(isRegister).map(({ branch }) => branch)).size;
  }

  challenge(request: PeerMessage, { nonce = 'abc', algorithm = 'MD5', isStale = false }: Challenge = {}): void {
    const stale = isStale ? ',stale=true' : '';
    const value = `Digest realm="pbx.example",nonce="${nonce}",algorithm=${algorithm},qop="auth"${stale}`;
    this.peer.reply(request, 401, 'Unauthorized', { noContact: true, headers: [`WWW-Authenticate: ${value}`] });
  }

  /** Grants it, for so long if said: by the binding's own parameter. */
  grant(request: PeerMessage, lifetimeS?: number, headers: readonly string[] = []): void {
    const expires = lifetimeS === undefined ? '' : `;expires=${lifetimeS}`;
    const binding = `Contact: <${request.contactUri}>${expires}`;
    this.peer.reply(request, 200, 'OK', { noContact: true, headers: [binding, ...headers] });
  }

  refuse(request: PeerMessage, status: number, reason: string, headers: readonly string[] = []): void {
    this.peer.reply(request, status, reason, { noContact: true, headers });
  }

  /** Challenges the next REGISTER and grants the one with credentials, which is returned. */
  async admit(lifetimeS: number): Promise<PeerMessage> {
    this.challenge(await this.register());
    const second = await this.register();
    this.grant(second, lifetimeS);
    return second;
  }
}

/** The credentials of a request, read by a reader of the test's own. */
export function credentialsOf(message: PeerMessage): Record<string, string> {
  const value = message.get('Authorization');
  return Object.fromEntries([...value.matchAll(/(\w+)="?([^",]*)"?/g)].map(([, name = '', text = '']) => [name, text]));
}

/** The response that a password makes of these credentials. */
export function expectedResponse(message: PeerMessage, password: string, hash: 'md5' | 'sha256'): string {
  const of = (...parts: string[]): string => createHash(hash).update(parts.join(':')).digest('hex');
  const { username = '', realm = '', nonce = '', nc = '', cnonce = '' } = credentialsOf(message);
  return of(of(username, realm, password), nonce, nc, cnonce, 'auth', of('REGISTER', message.uri));
}
