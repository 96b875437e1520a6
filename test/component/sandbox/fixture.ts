import { fastify } from 'fastify';
import type { FastifyInstance } from 'fastify';
import { startSandbox } from '../../../src/sandbox/sandbox.js';
import type { Sandbox, SandboxOptions } from '../../../src/sandbox/sandbox.js';

export const NUMBER_ID = '105615555715855';
export const BUSINESS = '12025550142';
export const USER = '12025550173';
export const TOKEN = 'sandbox-token';
export const SECRET = 'sandbox-secret';

export interface Received {
  readonly body: Record<string, unknown>;
  readonly raw: string;
  readonly signature: string | undefined;
}

/** The business's webhook: takes what comes, answers as told. */
export class WebhookDouble {
  readonly received: Received[] = [];
  answers: number[] = [];
  private constructor(
    private readonly app: FastifyInstance,
    readonly url: string,
  ) {}

  static async start(): Promise<WebhookDouble> {
    const app = fastify();
    const doubles: WebhookDouble[] = [];
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    app.get('/webhook', (request) => (request.query as Record<string, string>)['hub.challenge']);
    app.post('/webhook', (request, reply) =>
      reply.code(doubles[0]?.take(request.body as string, request.headers) ?? 500).send(),
    );
    const base = await app.listen({ host: '127.0.0.1', port: 0 });
    const double = new WebhookDouble(app, `${base}/webhook`);
    doubles.push(double);
    return double;
  }

  /** Changes of field `calls` as `[connect | RINGING | … , object]`, in the order in which they came. */
  get events(): [string, Record<string, unknown>][] {
    return this.received.flatMap(({ body }) => {
      const [entry] = body['entry'] as { changes: { value: Record<string, unknown[]> }[] }[];
      const value = entry!.changes[0]!.value;
      const calls = (value['calls'] ?? []) as Record<string, unknown>[];
      const statuses = (value['statuses'] ?? []) as Record<string, unknown>[];
      const messages = (value['messages'] ?? []) as Record<string, unknown>[];
      return [
        ...calls.map((call): [string, Record<string, unknown>] => [String(call['event']), call]),
        ...statuses.map((status): [string, Record<string, unknown>] => [String(status['status']), status]),
        ...messages.map((message): [string, Record<string, unknown>] => ['message', message]),
      ];
    });
  }

  get names(): string[] {
    return this.events.map(([name]) => name);
  }

  async close(): Promise<void> {
    await this.app.close();
  }

  private take(raw: string, headers: Record<string, unknown>): number {
    const signature = headers['x-hub-signature-256'] as string | undefined;
    this.received.push({ raw, body: JSON.parse(raw) as Record<string, unknown>, signature });
    return this.answers.shift() ?? 200;
  }
}

export interface Fixture {
  readonly sandbox: Sandbox;
  readonly webhook: WebhookDouble;
  /** Posts to the Graph API with the right token. */
  post(path: string, body: unknown, token?: string): Promise<{ status: number; body: Record<string, unknown> }>;
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  /** Sends an action to `/calls`. */
  call(action: string, fields: Record<string, unknown>): Promise<{ status: number; body: Record<string, unknown> }>;
  stop(): Promise<void>;
}

export async function startFixture(options: Partial<SandboxOptions> = {}): Promise<Fixture> {
  const webhook = await WebhookDouble.start();
  const sandbox = await startSandbox({
    appSecret: SECRET,
    accessToken: TOKEN,
    numberId: NUMBER_ID,
    businessNumber: `+${BUSINESS}`,
    webhookUrl: webhook.url,
    retryDelaysMs: [10, 20],
    ...options,
  });
  const ask = async (method: string, path: string, body: unknown, token = TOKEN) => {
    const response = await fetch(`${sandbox.graphUrl}/v23.0/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const post: Fixture['post'] = (path, body, token) => ask('POST', path, body, token);
  return {
    sandbox,
    webhook,
    post,
    get: (path) => ask('GET', path, undefined),
    call: (action, fields) => post(`${NUMBER_ID}/calls`, { messaging_product: 'whatsapp', action, ...fields }),
    stop: async () => {
      await sandbox.stop();
      await webhook.close();
    },
  };
}

/** An SDP of the business as Meta wants it; `edit` makes it wrong. */
export function businessSdp(setup: 'actpass' | 'active', edit: (sdp: string) => string = (sdp) => sdp): string {
  const fingerprint = Array.from({ length: 32 }, (_, i) => (i + 16).toString(16).toUpperCase()).join(':');
  return edit(
    [
      'v=0',
      'o=- 1 2 IN IP4 127.0.0.1',
      's=-',
      't=0 0',
      'a=group:BUNDLE audio',
      'a=msid-semantic: WMS s',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111 126',
      'c=IN IP4 0.0.0.0',
      'a=rtcp:9 IN IP4 0.0.0.0',
      'a=ice-ufrag:abcd',
      'a=ice-pwd:abcdefghijklmnopqrstuvwx',
      `a=fingerprint:sha-256 ${fingerprint}`,
      `a=setup:${setup}`,
      'a=mid:audio',
      'a=sendrecv',
      'a=rtcp-mux',
      'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 minptime=10;useinbandfec=1',
      'a=rtpmap:126 telephone-event/8000',
      'a=ptime:20',
      'a=ssrc:1234 cname:x',
      '',
    ].join('\r\n'),
  );
}
