import type { SrfRequest, SrfResponse } from '../../../src/sip/drachtio-types.js';

/* Requests and responses as srf hands them out, as far as the legs look at them. */

type Listener = (...args: never[]) => void;

/** Node's emitter, as far as it is needed; listeners are called at once. */
export class Emitter {
  readonly #listeners = new Map<string, Listener[]>();

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  emit(event: string, ...args: unknown[]): boolean {
    const listeners = this.#listeners.get(event) ?? [];
    for (const listener of listeners) (listener as (...args: unknown[]) => void)(...args);
    return listeners.length > 0;
  }

  removeAllListeners(): void {
    this.#listeners.clear();
  }
}

export type Headers = Readonly<Record<string, string>>;

export class Message extends Emitter {
  readonly raw = '';

  private readonly headers: Headers;

  constructor(
    headers: Headers,
    readonly body = '',
  ) {
    super();
    this.headers = { ...(body !== '' && { 'Content-Type': 'application/sdp' }), ...headers };
  }

  get(name: string): string | undefined {
    const key = Object.keys(this.headers).find((one) => one.toLowerCase() === name.toLowerCase());
    return key === undefined ? undefined : this.headers[key];
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  getParsedHeader(name: string): never {
    throw new Error(`no parsed ${name} in this fake`);
  }
}

const transport = { source_port: 5060, protocol: 'udp' };

export const asRequest = (method: string, message: Message, more: object = {}): SrfRequest =>
  Object.assign(message, {
    ...{ method, uri: 'sip:bridge@127.0.0.1', source: 'network', source_address: '127.0.0.1', ...transport },
    ...{ receivedOn: '127.0.0.1:5060', stackDialogId: undefined, stackTxnId: 'txn' },
    cancel: () => undefined,
    ...more,
  }) as unknown as SrfRequest;

/** What came back; `source` is empty when the SIP server made it itself. */
export const asResponse = (
  status: number,
  reason: string,
  headers: Headers,
  body: string,
  source: string,
): SrfResponse =>
  Object.assign(new Message(headers, body), {
    ...{ status, reason, source_address: source, ...transport },
    finalResponseSent: true,
    send: () => undefined,
  });

/** What a request is answered with. */
export const answerTo = (send: (...args: never[]) => void): SrfResponse =>
  Object.assign(new Message({}), {
    ...{ status: 0, reason: '', source_address: '', ...transport },
    finalResponseSent: false,
    send,
  });
