import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** How one request is answered: a status and a body, or anything done by hand to the response. */
export type Reply =
  | {
      readonly status: number;
      readonly json?: unknown;
      readonly text?: string;
      readonly headers?: Record<string, string>;
    }
  | ((response: ServerResponse) => void);

const success: Reply = { status: 200, json: { messaging_product: 'whatsapp', success: true } };

/** A real HTTP server on loopback in place of Meta's calls endpoint, answering by script, by default with success. */
export class GraphDouble {
  readonly seen: SeenRequest[] = [];
  /** Looks at the credentials (`GET /<number>?fields=id`), which come by themselves and are kept apart. */
  readonly probes: SeenRequest[] = [];
  /** Answers everything that no script answers, probes included; undefined: by default. */
  always: ((request: SeenRequest) => Reply | undefined) | undefined;
  readonly #script: Reply[] = [];
  #nextCall = 1;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<GraphDouble> {
    const server = createServer();
    const double = new GraphDouble(server);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
        double.#take(
          { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body },
          response,
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get actions(): unknown[] {
    return this.seen.map(({ body }) => body['action']);
  }

  /** The next requests are answered like this, in order; after that by default again. */
  replies(...replies: Reply[]): void {
    this.#script.push(...replies);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #take(request: SeenRequest, response: ServerResponse): void {
    const isProbe = request.method === 'GET' && request.path.endsWith('?fields=id');
    (isProbe ? this.probes : this.seen).push(request);
    const scripted = isProbe ? undefined : this.#script.shift();
    send(scripted ?? this.always?.(request) ?? this.#byDefault(request), response);
  }

  #byDefault({ method, path, body }: SeenRequest): Reply {
    if (body['action'] === 'connect') return this.#connected();
    const id = /\/(\d+)\?fields=id$/.exec(path)?.[1];
    return method === 'GET' && id !== undefined ? { status: 200, json: { id } } : success;
  }

  #connected(): Reply {
    return {
      status: 200,
      json: { messaging_product: 'whatsapp', calls: [{ id: `wacid.double-${this.#nextCall++}` }] },
    };
  }
}

function send(reply: Reply, response: ServerResponse): void {
  if (typeof reply === 'function') {
    reply(response);
    return;
  }
  const text = reply.text ?? JSON.stringify(reply.json);
  response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers }).end(text);
}

/** An error body as Meta writes it. */
export const metaError = (status: number, code: number, message: string, details?: string): Reply => ({
  status,
  json: {
    error: { message, type: 'OAuthException', code, fbtrace_id: 'A1', ...(details && { error_data: { details } }) },
  },
});
