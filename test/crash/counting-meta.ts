import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { APP_SECRET, BUSINESS, NUMBER_ID } from '../support/test-number.js';
import { loopbackSdp } from '../support/loopback-sdp.js';

const sample = (name: string): string => loopbackSdp(readFileSync(`test/fixtures/sdp/meta-${name}.sdp`, 'utf8'));
const OFFER = sample('user-initiated-offer-from-meta');
const ANSWER = sample('business-initiated-answer-from-meta');

/** What the user of a called phone does; milliseconds after the connect, undefined: never. */
export interface UserScript {
  readonly replyMs: number;
  readonly ringMs: number;
  readonly answerMs: number | undefined;
  /** The user declines. */
  readonly rejectMs: number | undefined;
  readonly hangupMs: number | undefined;
}

export interface MetaCall {
  readonly id: string;
  readonly direction: 'USER_INITIATED' | 'BUSINESS_INITIATED';
  readonly user: string;
  up: boolean;
  /** The daemon knows of it: it placed it, answered its webhook with 200, or asked something about it. */
  heard: boolean;
  accepted: boolean;
  readonly opaque: string | undefined;
  readonly history: string[];
}

/** Meta sends a webhook again until it gets a 200. */
const REPEAT_MS = 250;
const REPEATS = 60;

/** Meta as far as signalling goes: the calls endpoint, webhooks with repeats, and a count of the calls that are up. */
export class CountingMeta {
  readonly calls = new Map<string, MetaCall>();
  script: () => UserScript = () => ({ replyMs: 5, ringMs: 20, answerMs: 50, rejectMs: undefined, hangupMs: undefined });
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  private constructor(
    private readonly server: Server,
    private readonly webhookUrl: string,
  ) {
    server.on('request', (request, response) => void this.#onRequest(request, response));
  }

  static async start(webhookUrl: string): Promise<CountingMeta> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new CountingMeta(server, webhookUrl);
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get up(): MetaCall[] {
    return [...this.calls.values()].filter(({ up }) => up);
  }

  /** Ends calls whose webhook the daemon has not acknowledged: their users give up. */
  forgetUnheard(): void {
    for (const call of this.calls.values()) if (!call.heard) this.#over(call, 'unheard');
  }

  /** A user calls the business. */
  userCall(user: string, hangupMs?: number): MetaCall {
    const call = this.#open('USER_INITIATED', user, false, undefined);
    const connect = { ...this.#facts(call), event: 'connect', session: { sdp_type: 'offer', sdp: OFFER } };
    this.#webhook(call, { calls: [connect], contacts: [{ profile: { name: 'Anna' }, wa_id: user }] }, () => {
      call.heard = true;
    });
    this.#after(hangupMs, () => this.hangup(call));
    return call;
  }

  /** The user hangs up. */
  hangup(call: MetaCall): void {
    if (!call.up) return;
    this.#over(call, 'user hung up');
    this.#sendTerminate(call);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #open(direction: MetaCall['direction'], user: string, heard: boolean, opaque: string | undefined): MetaCall {
    const id = `wacid.${randomBytes(9).toString('hex')}`;
    const call: MetaCall = { id, direction, user, up: true, heard, accepted: false, opaque, history: [] };
    this.calls.set(id, call);
    return call;
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    const answer = (json: unknown, status = 200): void => {
      if (!response.destroyed)
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    };
    if (request.method === 'GET') return answer({ id: NUMBER_ID });
    if (body['action'] === 'connect') return this.#onConnect(body, answer);
    const call = this.calls.get(String(body['call_id']));
    if (!call) return answer({ error: { code: 100, message: 'no such call' } }, 400);
    call.heard = true;
    call.history.push(String(body['action']));
    if (body['action'] === 'accept') call.accepted = true;
    if ((body['action'] === 'terminate' || body['action'] === 'reject') && call.up) {
      this.#over(call, 'ended by us');
      this.#after(10, () => this.#sendTerminate(call));
    }
    return answer({ messaging_product: 'whatsapp', success: true });
  }

  #onConnect(body: Record<string, unknown>, answer: (json: unknown) => void): void {
    const script = this.script();
    const opaque = body['biz_opaque_callback_data'];
    const call = this.#open(
      'BUSINESS_INITIATED',
      String(body['to']),
      true,
      typeof opaque === 'string' ? opaque : undefined,
    );
    this.#after(script.replyMs, () => answer({ messaging_product: 'whatsapp', calls: [{ id: call.id }] }));
    this.#after(script.ringMs, () => this.#status(call, 'RINGING'));
    this.#after(script.ringMs + 5, () => {
      const connect = { ...this.#facts(call), event: 'connect', session: { sdp_type: 'answer', sdp: ANSWER } };
      if (call.up) this.#webhook(call, { calls: [connect] });
    });
    this.#after(script.answerMs, () => {
      call.accepted = true;
      this.#status(call, 'ACCEPTED');
    });
    this.#after(script.rejectMs, () => {
      if (!call.up || call.accepted) return;
      this.#status(call, 'REJECTED');
      this.#over(call, 'rejected');
      this.#sendTerminate(call);
    });
    this.#after(script.hangupMs, () => this.hangup(call));
  }

  #status(call: MetaCall, status: string): void {
    if (!call.up) return;
    const opaque = call.opaque === undefined ? {} : { biz_opaque_callback_data: call.opaque };
    const one = { id: call.id, timestamp: this.#now, type: 'call', status, recipient_id: call.user, ...opaque };
    this.#webhook(call, { statuses: [one] });
  }

  #sendTerminate(call: MetaCall): void {
    const opaque = call.opaque === undefined ? {} : { biz_opaque_callback_data: call.opaque };
    this.#webhook(call, { calls: [{ ...this.#facts(call), event: 'terminate', status: 'COMPLETED', ...opaque }] });
  }

  #facts(call: MetaCall): Record<string, unknown> {
    const isUser = call.direction === 'USER_INITIATED';
    const [from, to] = isUser ? [call.user, BUSINESS] : [BUSINESS, call.user];
    return { id: call.id, from, to, direction: call.direction, timestamp: this.#now };
  }

  get #now(): string {
    return String(Math.floor(Date.now() / 1000));
  }

  /** Delivers, and again until there is a 200; a connect of a call that is over is not sent again. */
  #webhook(call: MetaCall, part: Record<string, unknown>, onDelivered: () => void = () => undefined): void {
    const metadata = { display_phone_number: BUSINESS, phone_number_id: NUMBER_ID };
    const value = { messaging_product: 'whatsapp', metadata, ...part };
    const entry = [{ id: '1', changes: [{ value, field: 'calls' }] }];
    const body = JSON.stringify({ object: 'whatsapp_business_account', entry });
    const signature = `sha256=${createHmac('sha256', APP_SECRET).update(body).digest('hex')}`;
    const isLate = (): boolean => !call.up && 'contacts' in part;
    const attempt = async (left: number): Promise<void> => {
      if (this.#closed || isLate()) return;
      const headers = { 'content-type': 'application/json', 'x-hub-signature-256': signature };
      const status = await fetch(this.webhookUrl, { method: 'POST', headers, body }).then(
        async (response) => (await response.arrayBuffer(), response.status),
        () => 0,
      );
      if (status === 200) onDelivered();
      else if (left > 0) this.#after(REPEAT_MS, () => void attempt(left - 1));
    };
    void attempt(REPEATS);
  }

  #over(call: MetaCall, how: string): void {
    call.up = false;
    call.history.push(how);
  }

  #after(delayMs: number | undefined, act: () => void): void {
    if (delayMs === undefined || this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }
}
