import type { Wire } from './wire.js';

/*
 * Meta as a test sees it: requests to the calls endpoint that wait for their reply, the calls that come of them, and the
 * webhooks that tell of those calls.
 */

export type CallAction = 'connect' | 'pre_accept' | 'accept' | 'reject' | 'terminate';

/** How a request ends. `unsent` never reached Meta; `reset` and `unusable` may have. */
export type ReplyKind = 'ok' | 'refused' | 'over' | 'limit' | '5xx' | 'reset' | 'unsent' | 'unusable';

/** Replies after which Meta may have done what was asked. */
const mayHaveWorked: ReadonlySet<ReplyKind> = new Set(['ok', '5xx', 'reset', 'unusable']);

interface CallsBody {
  readonly action: CallAction;
  readonly call_id?: string;
  readonly biz_opaque_callback_data?: string;
}

/** A call as Meta knows it. */
export interface MetaCall {
  readonly id: string;
  readonly direction: 'USER_INITIATED' | 'BUSINESS_INITIATED';
  /** What `connect` carried. */
  readonly opaque: string | undefined;
  /** Whether Meta took the connect; undefined until a reply or a webhook decides. */
  taken: boolean | undefined;
  /** Which of its webhooks carry our key: a repeated delivery is the same as the first. */
  readonly keyed: Map<string, boolean>;
}

/** The part of fetch's Response that the Graph transport reads. */
function reply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Response {
  let isRead = false;
  const read = () => {
    if (isRead) return Promise.resolve({ done: true, value: undefined });
    isRead = true;
    return Promise.resolve({ done: false, value: Buffer.from(body) });
  };
  return {
    status,
    ok: status >= 200 && status < 300,
    type: 'basic',
    headers: { get: (name: string) => headers[name] ?? null },
    body: { getReader: () => ({ read, cancel: () => Promise.resolve() }), cancel: () => Promise.resolve() },
  } as unknown as Response;
}

const error = (status: number, code: number, message: string): Response =>
  reply(status, JSON.stringify({ error: { message, code } }));

/** One request on its way. */
export class MetaRequest {
  #settle: { resolve: (response: Response) => void; reject: (error: Error) => void } | undefined;
  readonly promise: Promise<Response>;
  isAborted = false;

  constructor(
    readonly action: CallAction,
    readonly call: MetaCall | undefined,
    signal: AbortSignal | null | undefined,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // As fetch: who has given up gets nothing any more.
    signal?.addEventListener('abort', () => {
      this.isAborted = true;
      this.#settle?.reject(new Error('aborted'));
      this.#settle = undefined;
    });
  }

  get isOpen(): boolean {
    return this.#settle !== undefined;
  }

  settle(kind: ReplyKind): void {
    const settle = this.#settle;
    this.#settle = undefined;
    if (!settle) return;
    switch (kind) {
      case 'ok':
        return settle.resolve(reply(200, this.#success()));
      case 'refused':
        return settle.resolve(error(400, 138008, 'Unable to process the call'));
      case 'over':
        return settle.resolve(error(400, 138009, 'Call already in progress, completed or failed'));
      case 'limit':
        return settle.resolve(error(429, 4, 'Application request limit reached'));
      case '5xx':
        return settle.resolve(reply(503, '<html>upstream</html>'));
      case 'unusable':
        return settle.resolve(reply(200, '<html>login</html>'));
      case 'reset':
      case 'unsent':
        return settle.reject(
          Object.assign(new TypeError('fetch failed'), {
            cause: Object.assign(new Error(kind), { code: kind === 'reset' ? 'ECONNRESET' : 'ECONNREFUSED' }),
          }),
        );
    }
  }

  #success(): string {
    const body = { messaging_product: 'whatsapp' };
    return JSON.stringify(
      this.action === 'connect' ? { ...body, calls: [{ id: this.call?.id }] } : { ...body, success: true },
    );
  }
}

export const phoneNumberId = '106540352242922';
const businessNumber = '15551112222';
const userNumber = '13057765456';

/** Which webhook; `terminate` comes in the forms that Meta's samples have. */
export type WebhookKind = 'connect' | 'RINGING' | 'ACCEPTED' | 'REJECTED' | 'COMPLETED' | 'FAILED' | 'bare terminate';

export class FakeMeta {
  readonly requests: MetaRequest[] = [];
  readonly calls: MetaCall[] = [];
  /** Webhooks are not made here, so that requests are about calls that are not known here. */
  takesAnyCall = false;

  constructor(
    private readonly wire: Wire,
    private readonly nowMs: () => number,
  ) {}

  /** In place of fetch. */
  readonly fetch = ((_url: string, init: RequestInit) => {
    const body = JSON.parse(init.body as string) as CallsBody;
    const call = body.action === 'connect' ? this.#placed(body.biz_opaque_callback_data) : this.#called(body.call_id);
    this.wire.note('graph', body.action, call.id, { opaque: body.biz_opaque_callback_data ?? '' });
    const request = new MetaRequest(body.action, call, init.signal);
    this.requests.push(request);
    return request.promise;
  }) as typeof fetch;

  /** Requests without a reply, oldest first. */
  get open(): MetaRequest[] {
    return this.requests.filter((request) => request.isOpen);
  }

  /** A user picks up the phone; the same call again for the same `nth`. */
  userCall(nth: number): MetaCall {
    const id = `wacid.USER${nth}`;
    const known = this.calls.find((call) => call.id === id);
    if (known) return known;
    const call: MetaCall = { id, direction: 'USER_INITIATED', opaque: undefined, taken: true, keyed: new Map() };
    this.calls.push(call);
    return call;
  }

  reply(request: MetaRequest, kind: ReplyKind): void {
    const { call, action } = request;
    // Meta does not refuse a call whose webhooks it has sent, and has heard of it.
    const contradicts = action === 'connect' && call?.taken === true && !mayHaveWorked.has(kind);
    const said = contradicts ? 'reset' : kind;
    if (action === 'connect' && call) {
      if (said === 'ok') call.taken = true;
      if (!mayHaveWorked.has(said)) call.taken ??= false;
    }
    this.wire.note('graph', `${action}=${said}`, call?.id ?? '', { said });
    request.settle(said);
  }

  /** Whether this webhook carries our key; the first delivery decides, by `wanted`. */
  isKeyed(call: MetaCall, kind: WebhookKind, wanted: boolean): boolean {
    const event = kind === 'COMPLETED' || kind === 'FAILED' || kind === 'bare terminate' ? 'terminate' : kind;
    const known = call.keyed.get(event) ?? (wanted && call.opaque !== undefined);
    call.keyed.set(event, known);
    return known;
  }

  /** The JSON of a webhook of this call. */
  webhook(call: MetaCall, kind: WebhookKind, isKeyed: boolean, ageMs = 0): unknown {
    call.taken = true;
    const timestamp = String(Math.floor((this.nowMs() - ageMs) / 1000));
    const opaque = isKeyed && call.opaque !== undefined ? { biz_opaque_callback_data: call.opaque } : {};
    const isStatus = kind === 'RINGING' || kind === 'ACCEPTED' || kind === 'REJECTED';
    const value = isStatus
      ? { statuses: [{ id: call.id, timestamp, type: 'call', status: kind, recipient_id: userNumber, ...opaque }] }
      : this.#callValue(call, kind, timestamp, opaque);
    const metadata = { display_phone_number: businessNumber, phone_number_id: phoneNumberId };
    const change = { value: { messaging_product: 'whatsapp', metadata, ...value }, field: 'calls' };
    return { object: 'whatsapp_business_account', entry: [{ id: '1', changes: [change] }] };
  }

  #callValue(call: MetaCall, kind: WebhookKind, timestamp: string, opaque: object): object {
    const isUser = call.direction === 'USER_INITIATED';
    const ends = isUser ? { from: userNumber, to: businessNumber } : { from: businessNumber, to: userNumber };
    const common = { id: call.id, ...ends, timestamp, ...opaque };
    if (kind === 'connect') {
      const session = { sdp_type: isUser ? 'offer' : 'answer', sdp: `v=0 of ${call.id}` };
      return { calls: [{ ...common, event: 'connect', direction: call.direction, session }] };
    }
    const end = { ...common, event: 'terminate' };
    if (kind === 'bare terminate') return { calls: [end] };
    const said = { ...end, direction: call.direction, status: kind };
    const errors = kind === 'FAILED' ? { errors: [{ code: 138021, message: 'Media timeout' }] } : {};
    return { calls: [said], ...errors };
  }

  #placed(opaque: string | undefined): MetaCall {
    const placed = this.calls.filter(({ direction }) => direction === 'BUSINESS_INITIATED').length;
    const call: MetaCall = {
      id: `wacid.BIZ${placed}`,
      direction: 'BUSINESS_INITIATED',
      opaque,
      taken: undefined,
      keyed: new Map(),
    };
    this.calls.push(call);
    return call;
  }

  #called(id = ''): MetaCall {
    const call = this.calls.find((one) => one.id === id);
    if (call) return call;
    if (!this.takesAnyCall) throw new Error(`request about a call that Meta does not know: ${id}`);
    const stranger: MetaCall = { id, direction: 'USER_INITIATED', opaque: undefined, taken: true, keyed: new Map() };
    this.calls.push(stranger);
    return stranger;
  }
}
