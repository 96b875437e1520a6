import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.js';

/** The WhatsApp user of these tests, as Meta writes numbers. */
export const user = '13057765456';
/** The business number of these tests. */
export const business = { id: '106540352242922', number: '15551112222' } as const;
/** Another number of the same business, for tests that choose among two. */
export const second = { id: '106540352242933', number: '15551113333' } as const;
export const secrets = { app: 'peers-app-secret', token: 'peers-access-token', verify: 'peers-verify-token' } as const;

/** A request to the calls endpoint. */
export interface CallRequest {
  /** The business number that it is for. */
  readonly numberId: string;
  readonly action: 'connect' | 'pre_accept' | 'accept' | 'reject' | 'terminate';
  readonly call_id?: string;
  readonly to?: string;
  readonly session?: { readonly sdp_type: string; readonly sdp: string };
}

type CallAction = CallRequest['action'];

/** Meta's signalling, and nothing of its media: the calls endpoint and signed webhooks, driven step by step by a test. */
export class Meta {
  readonly requests: CallRequest[] = [];
  readonly #hooks = new Map<CallAction, () => void>();
  readonly #callId = `wacid.${randomBytes(20).toString('base64')}`;
  #webhookUrl = '';

  private constructor(private readonly server: Server) {}

  /** Starts the calls endpoint on an address of its own. */
  static async start(host: string): Promise<Meta> {
    const server = createServer();
    const meta = new Meta(server);
    server.on('request', (request, response) => {
      meta.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return meta;
  }

  get baseUrl(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  /** Id of the one call of a test. */
  get callId(): string {
    return this.#callId;
  }

  /** Where webhooks go. */
  deliverTo(webhookUrl: string): void {
    this.#webhookUrl = webhookUrl;
  }

  /** Runs `hook` when an action is asked for, before it is answered. */
  before(action: CallAction, hook: () => void): void {
    this.#hooks.set(action, hook);
  }

  /** The request for an action, when it comes. */
  request(action: CallAction, deadlineMs = 10_000): Promise<CallRequest> {
    return until(
      () => `${action} (saw ${this.actions.join(', ')})`,
      deadlineMs,
      () => this.requests.find((one) => one.action === action),
    );
  }

  /** Actions asked for so far, in order. */
  get actions(): CallAction[] {
    return this.requests.map(({ action }) => action);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString('utf8')) as Omit<CallRequest, 'numberId'>;
    const authorised = request.headers.authorization === `Bearer ${secrets.token}`;
    if (!authorised || !/^\/v\d+\.\d+\/\d+\/calls$/.test(request.url ?? '')) {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: 'not authorised', code: 190 } }));
      return;
    }
    this.requests.push({ ...body, numberId: (request.url ?? '').split('/')[2] ?? '' });
    this.#hooks.get(body.action)?.();
    const success = body.action === 'connect' ? { calls: [{ id: this.#callId }] } : { success: true };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ messaging_product: 'whatsapp', ...success }));
  }

  /** The user calls the business, by a call button with a payload if there is one. */
  userCalls(offer: string, payload?: string): Promise<void> {
    const session = { sdp_type: 'offer', sdp: offer };
    const button = payload === undefined ? {} : { cta_payload: payload };
    return this.#event({ event: 'connect', direction: 'USER_INITIATED', session, ...button });
  }

  /** Meta's media server answers the offer of a business-initiated call; the phone may still ring. */
  answers(answer: string): Promise<void> {
    const session = { sdp_type: 'answer', sdp: answer };
    return this.#event({ event: 'connect', direction: 'BUSINESS_INITIATED', session });
  }

  /** The called user's phone rings, or the user accepts or rejects. */
  status(status: 'RINGING' | 'ACCEPTED' | 'REJECTED'): Promise<void> {
    const entry = { id: this.#callId, timestamp: now(), type: 'call', status, recipient_id: user };
    return this.#deliver({ statuses: [entry] });
  }

  /** The user hangs up, or gives up before the answer. */
  userHangsUp(direction: 'USER_INITIATED' | 'BUSINESS_INITIATED'): Promise<void> {
    return this.#event({ event: 'terminate', direction, status: 'COMPLETED' });
  }

  #event(event: { direction: string } & Record<string, unknown>): Promise<void> {
    const [from, to] = event.direction === 'USER_INITIATED' ? [user, business.number] : [business.number, user];
    const contacts = [{ profile: { name: 'Ana Ñandú' }, wa_id: user }];
    return this.#deliver({ contacts, calls: [{ id: this.#callId, from, to, timestamp: now(), ...event }] });
  }

  async #deliver(value: Record<string, unknown>): Promise<void> {
    const metadata = { display_phone_number: business.number, phone_number_id: business.id };
    const changes = [{ field: 'calls', value: { messaging_product: 'whatsapp', metadata, ...value } }];
    const body = JSON.stringify({ object: 'whatsapp_business_account', entry: [{ id: '102290129340398', changes }] });
    const signature = createHmac('sha256', secrets.app).update(body).digest('hex');
    const response = await fetch(this.#webhookUrl, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', 'x-hub-signature-256': `sha256=${signature}` },
      signal: AbortSignal.timeout(5_000),
    });
    if (response.status !== 200) throw new Error(`the webhook was answered with ${response.status}`);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Seconds since the epoch, as a string, as in all of Meta's webhooks. */
function now(): string {
  return String(Math.floor(Date.now() / 1000));
}
