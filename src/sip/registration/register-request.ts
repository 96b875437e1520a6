import type { Clock } from '../../lib/clock.js';
import { withDeadline } from '../../lib/deadline.js';
import type { IdSource } from '../../lib/ids.js';
import { defaultSipPort } from '../../lib/sip-location.js';
import type { SipServer, Trunk } from '../../routing/types.js';
import { accountAt } from '../account.js';
import type { Credentials, TrunkLogins } from '../digest/trunk-login.js';
import type { SrfApi, SrfHeaders, SrfRequest, SrfResponse } from '../drachtio-types.js';
import { nextHopsOf, type NextHop } from '../next-hop.js';
import type { ServerAddresses } from '../server-addresses.js';
import { agentName, allowedMethods } from '../sip-headers.js';
import { escapeSipUser, uriHost } from '../sip-uri.js';
import { lacksOutbound, outboundFlow, type OutboundFlow } from './outbound-flow.js';
import { outcomeOf, type RegisterOutcome } from './register-outcome.js';

export interface RegisterRequestOptions {
  readonly srf: SrfApi;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly addresses: ServerAddresses;
  readonly logins: TrunkLogins;
  readonly trunk: Trunk;
  readonly server: SipServer;
  /** What tells this machine from others. */
  readonly machine: string;
  /** One REGISTER until its final response, in milliseconds; beyond timer F (RFC 3261 §17.1.2.2). */
  readonly answerMs: number;
}

/** What came of asking, and the response that said so. */
export interface RegisterAnswer {
  readonly outcome: RegisterOutcome;
  readonly response: SrfResponse;
}

/**
 * The REGISTERs to one server, each place of it tried until one answers (RFC 3263 §4.3): one Call-ID and From tag for the life of the process, the sequence rising with each
 * (RFC 3261 §10.2). A challenge is answered as that of an INVITE is (decision 0200).
 */
export class RegisterRequest {
  readonly #callId: string;
  readonly #tag: string;
  readonly #uri: string;
  readonly #aor: string;
  readonly #user: string;
  /** Undefined once the server has refused to know of it. */
  #flow: OutboundFlow | undefined;
  #sequence = 0;

  constructor(private readonly options: RegisterRequestOptions) {
    const { ids, trunk, server } = options;
    const { hostname, port, transport, lookup = 'address' } = server;
    const { user = '', host = hostname } = accountAt(trunk, server) ?? {};
    this.#user = escapeSipUser(user);
    this.#callId = `${ids.hex(16)}-register`;
    this.#tag = ids.hex(8);
    // The domain, without user (RFC 3261 §10.2); where it leads is said by the next hop.
    const isPlain = lookup !== 'address' || port === defaultSipPort(transport);
    this.#uri = `sip:${uriHost(hostname)}${isPlain ? '' : `:${port}`}`;
    this.#aor = `<sip:${this.#user}@${uriHost(host)}>`;
    this.#flow = outboundFlow(options.machine, this.#aor);
  }

  /**
   * Asks for a lifetime, 0 to take the binding back. Nothing more is sent once `signal` is aborted.
   * @throws Error when there is no final response: name not resolved, link gone, or time over
   */
  async send(lifetimeMs: number, signal: AbortSignal): Promise<RegisterAnswer> {
    const { addresses, trunk, server } = this.options;
    const [first, ...others] = await nextHopsOf(addresses, { trunk, server });
    let answer = await this.#sendTo(first, lifetimeMs, signal);
    for (const hop of others) {
      const { outcome } = answer;
      if (outcome.type !== 'failed' || outcome.failure.kind !== 'unreachable') break;
      answer = await this.#sendTo(hop, lifetimeMs, signal);
    }
    return answer;
  }

  async #sendTo(hop: NextHop, lifetimeMs: number, signal: AbortSignal): Promise<RegisterAnswer> {
    const { trunk, server, logins } = this.options;
    let login = logins.loginAt({ trunk, server, place: hop });
    let credentials: Credentials = {};
    for (;;) {
      signal.throwIfAborted();
      const { contact, response } = await this.#exchange(lifetimeMs, credentials, hop);
      if (response.status === lacksOutbound && this.#flow) {
        this.#flow = undefined;
        // Another request: credentials must not come twice (RFC 7616 §3.4).
        login = logins.loginAt({ trunk, server, place: hop });
        credentials = {};
        continue;
      }
      const isChallenged = response.status === 401 || response.status === 407;
      const answer = isChallenged ? login?.answer({ method: 'REGISTER', uri: this.#uri }, response) : undefined;
      if (!answer) return { outcome: outcomeOf(response, { contact, lifetimeMs }), response };
      credentials = answer;
    }
  }

  #exchange(
    lifetimeMs: number,
    credentials: Credentials,
    hop: NextHop,
  ): Promise<{ readonly contact: string; readonly response: SrfResponse }> {
    const { srf, clock, answerMs } = this.options;
    const headers = { ...this.#headers(lifetimeMs, hop), ...credentials };
    const answered = new Promise<{ contact: string; response: SrfResponse }>((resolve, reject) => {
      srf.request(this.#uri, { method: 'REGISTER', headers, proxy: hop.uri }, (err, request) => {
        if (!request) return reject(new Error('REGISTER not sent', { cause: err }));
        onFinal(request, (response) => resolve({ contact: request.get('Contact') ?? '', response }));
      });
    });
    return withDeadline(answered, answerMs, 'response to REGISTER', clock);
  }

  #headers(lifetimeMs: number, { transport }: NextHop): SrfHeaders {
    // A datagram's way would have to be kept open by STUN (RFC 5626 §4.4.2), which is not here.
    const flow = transport === 'udp' ? undefined : this.#flow;
    const uri = `<sip:${this.#user}@localhost${transport === 'udp' ? '' : `;transport=${transport}`}>`;
    return {
      'call-id': this.#callId,
      CSeq: `${++this.#sequence} REGISTER`,
      From: `${this.#aor};tag=${this.#tag}`,
      To: this.#aor,
      // The SIP server puts its own address in the place of `localhost` (drachtio reference, §4.3).
      Contact: `${uri}${flow?.contactParams ?? ''}`,
      Expires: String(Math.ceil(lifetimeMs / 1_000)),
      // A registrar behind an edge proxy refuses who does not know Path (RFC 3327 §5.1); it is nothing to us.
      Supported: flow?.supported ?? 'path',
      Allow: allowedMethods,
      'User-Agent': agentName,
    };
  }
}

/** Never passes a provisional response on. */
function onFinal(request: SrfRequest, listener: (response: SrfResponse) => void): void {
  request.on('response', (response) => {
    if (response.status >= 200) listener(response);
  });
}
