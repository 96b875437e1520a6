import * as schemas from '../../src/http/api/schemas.js';

export interface AdminAnswer {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

/** A client of the admin API on loopback; lists are checked against what the API says of itself. */
export class AdminAsker {
  constructor(
    private readonly port: number,
    private readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async ask(method: string, path: string, body?: unknown): Promise<AdminAnswer> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, {
      method,
      headers: { ...json, ...this.headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  }

  async calls(query = ''): Promise<schemas.CallOut[]> {
    const { json } = await this.ask('GET', `/v1/calls${query}`);
    return (json['calls'] as unknown[]).map((one) => schemas.call.parse(one));
  }

  async call(id: string): Promise<schemas.CallDetailOut> {
    return schemas.callDetail.parse((await this.ask('GET', `/v1/calls/${id}`)).json);
  }

  async failures(): Promise<schemas.CallOut[]> {
    const { json } = await this.ask('GET', '/v1/failures');
    return (json['failures'] as unknown[]).map((one) => schemas.call.parse(one));
  }

  async trunks(): Promise<schemas.TrunkOut[]> {
    const { json } = await this.ask('GET', '/v1/trunks');
    return (json['trunks'] as unknown[]).map((one) => schemas.trunk.parse(one));
  }

  async numbers(): Promise<schemas.NumberOut[]> {
    const { json } = await this.ask('GET', '/v1/numbers');
    return (json['numbers'] as unknown[]).map((one) => schemas.number.parse(one));
  }

  /** A figure of `/metrics` by its name, without the prefix, and its labels. */
  async metric(sample: string): Promise<number | undefined> {
    const response = await fetch(`http://127.0.0.1:${this.port}/metrics`);
    if (response.status !== 200) throw new Error(`/metrics answers ${response.status}`);
    const line = (await response.text()).split('\n').find((one) => one.startsWith(`sip2wa_${sample} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  }

  async status(): Promise<schemas.StatusOut> {
    return schemas.status.parse((await this.ask('GET', '/v1/status')).json);
  }
}
