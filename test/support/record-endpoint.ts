import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallRecord } from '../../src/call/call-record.js';

/** A record as it was posted. */
export interface PostedRecord {
  readonly record: CallRecord;
  readonly key: string | undefined;
  readonly token: string | undefined;
  readonly type: string | undefined;
  readonly status: number;
}

/** Takes call records over HTTP on loopback; answers by script, then with 204. */
export class RecordEndpoint {
  readonly posted: PostedRecord[] = [];
  /** Statuses of the next answers. */
  answers: number[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<RecordEndpoint> {
    const server = createServer();
    const endpoint = new RecordEndpoint(server);
    server.on('request', (request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (part: string) => (text += part));
      request.on('end', () => {
        const status = endpoint.answers.shift() ?? 204;
        const { authorization: token, 'idempotency-key': key, 'content-type': type } = request.headers;
        const record = JSON.parse(text) as CallRecord;
        endpoint.posted.push({ record, key: key as string | undefined, token, type, status });
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/records`;
  }

  /** Those that were taken. */
  get taken(): PostedRecord[] {
    return this.posted.filter(({ status }) => status === 204);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
