import net from 'node:net';
import Srf from 'drachtio-srf';

/**
 * The part of drachtio-srf 5.0.29 that this daemon uses, typed tightly: its own declarations hold thirteen `any`s, lack
 * half of what is called here, and say nothing about what is absent at run time. The only file where looseness lives.
 */

/** Headers as drachtio-srf takes them: one value a name. */
export type SrfHeaders = Record<string, string>;

/** A header of the name-addr form, as srf parses it. */
export interface SrfNameAddr {
  readonly name: string | undefined;
  readonly uri: string;
  readonly params: Readonly<Record<string, string | undefined>>;
}

/** What requests and responses share. */
export interface SrfMessage {
  readonly body: string | undefined;
  readonly raw: string | undefined;
  /** undefined when the header is absent; several headers of one name come joined with commas. */
  get(name: string): string | undefined;
  has(name: string): boolean;
  /** @throws Error when the header is absent, TypeError when it does not parse. */
  getParsedHeader(name: 'from' | 'to'): SrfNameAddr;
  getParsedHeader(name: 'contact'): SrfNameAddr[];
  getParsedHeader(name: 'cseq'): { readonly seq: number; readonly method: string };
}

export interface SrfRequest extends SrfMessage {
  readonly method: string;
  readonly uri: string;
  /** `application` marks what the SIP server sent by itself (BYE after an ACK timeout). */
  readonly source: 'network' | 'application';
  /** Transport source, as the SIP server saw it. */
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  /** `host:port` of the listener, on requests outside a dialog only. */
  readonly receivedOn: string | undefined;
  readonly stackDialogId: string | undefined;
  /** The SIP server's name for the transaction. */
  readonly stackTxnId?: string | undefined;
  on(event: 'cancel', listener: (cancel: SrfMessage) => void): void;
  /** @throws Error when the link to the SIP server is gone. */
  cancel(options: { headers?: SrfHeaders }, callback: (error: unknown) => void): void;
  on(event: 'response', listener: (response: SrfResponse) => void): void;
  /** An UPDATE in the early dialog of an INVITE, of ours or the far end's. */
  on(event: 'update', listener: (request: SrfRequest, response: SrfResponse) => void): void;
  removeAllListeners(event: 'update'): void;
}

export interface SrfResponse extends SrfMessage {
  readonly status: number;
  readonly reason: string;
  /** Empty on responses the SIP server made itself (timeout, no transport). */
  readonly source_address: string;
  readonly source_port?: number;
  readonly protocol?: string;
  readonly finalResponseSent: boolean;
  /** The request it answers, as it went out. */
  readonly req?: SrfRequest;
  /** The SIP server's name of the dialog. */
  readonly stackDialogId?: string | undefined;
  /** @throws Error for a status that is not in srf's list. */
  send(
    status: number,
    options?: { headers?: SrfHeaders; body?: string },
    callback?: (error: unknown, sent: SrfMessage | undefined) => void,
  ): void;
}

/** srf answers a refused UAC with this error. */
export interface SrfSipError {
  readonly status: number;
  readonly reason?: string;
  readonly res?: SrfResponse;
}

type InDialogMethod = 'info' | 'modify' | 'update' | 'refer' | 'options' | 'message' | 'notify' | 'publish';

export interface SrfDialog {
  readonly id: string;
  readonly type: 'uac' | 'uas';
  readonly sip: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  readonly local: { readonly uri: string; readonly contact: string };
  readonly remote: { readonly uri: string };
  readonly req: SrfRequest;
  readonly res: SrfResponse;
  on(event: 'ack', listener: (ack: SrfRequest) => void): void;
  on(event: 'destroy', listener: (bye: SrfRequest, reason: string) => void): void;
  on(event: InDialogMethod, listener: (request: SrfRequest, response: SrfResponse) => void): void;
  removeAllListeners(): void;
  request(
    options: { method: string; headers?: SrfHeaders; body?: string },
    callback: (error: unknown, response: SrfResponse | undefined) => void,
  ): void;
}

export interface SrfConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** Read by srf at every attempt, so that a later change of `maxAttempts` takes effect. */
  readonly reconnect: { retryMaxDelay: number; maxAttempts?: number };
}

/**
 * Without srf's `auth`: it knows MD5 alone, would answer any realm, and challenges inside the dialog as well. Challenges are
 * answered by `digest/trunk-login.ts`.
 */
export interface SrfUacOptions {
  readonly localSdp: string;
  readonly headers: SrfHeaders;
  readonly proxy?: string;
}

export interface SrfUacProgress {
  readonly cbRequest: (error: unknown, request: SrfRequest | undefined) => void;
  readonly cbProvisional: (response: SrfResponse) => void;
}

export type SrfHandler = (request: SrfRequest, response: SrfResponse, next: () => void) => void;

export interface SrfApi {
  connect(options: SrfConnectOptions): void;
  /** @throws AssertionError when there is no connection. */
  disconnect(): void;
  /** Asks the SIP server for requests of a method (lower case) outside dialogs. */
  use(method: string, handler: SrfHandler): void;
  /** `hostPorts`: what the server shows; `localHostPorts`: what it is bound to. */
  on(
    event: 'connect',
    listener: (error: Error | null, hostPorts?: string, version?: string, localHostPorts?: string) => void,
  ): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  on(event: 'close', listener: () => void): void;
  on(event: 'reconnecting', listener: (attempt: { delay: number; attempt: number }) => void): void;
  /** The callback form, because it runs before the next frame is read: no BYE can slip in between. */
  createUAS(
    request: SrfRequest,
    response: SrfResponse,
    options: { localSdp: string; headers?: SrfHeaders },
    callback: (error: unknown, dialog: SrfDialog | undefined) => void,
  ): void;
  createUAC(
    uri: string,
    options: SrfUacOptions,
    progress: SrfUacProgress,
    callback: (error: unknown, dialog: SrfDialog | undefined) => void,
  ): void;
  /**
   * A request outside dialogs; inside one by its id, with `sip:placeholder` as URI; or the CANCEL of a transaction. Ids may
   * be those of an earlier connection.
   * @throws Error when the link to the SIP server is gone.
   */
  request(
    uri: string,
    options: {
      method: string;
      headers?: SrfHeaders;
      body?: string;
      proxy?: string;
      stackDialogId?: string;
      stackTxnId?: string;
    },
    callback: (error: unknown, request: SrfRequest | undefined) => void,
  ): void;
  removeDialog(dialog: SrfDialog): void;
}

/** A URI as srf parses it; undefined when it is none. */
export interface SrfUri {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly host: string | undefined;
  /** NaN when absent. */
  readonly port: number;
}

/** A fresh srf instance, not connected. */
export function createSrf(): SrfApi {
  return new Srf() as unknown as SrfApi;
}

/**
 * Has srf use a socket of ours for the connection that `connect` makes. srf has no option for that, so for as long as
 * `connect` runs, which is synchronous, `net.connect` is ours (decision 0300).
 */
export function connectOver(open: () => net.Socket, connect: () => void): void {
  const exported = net as { connect: typeof net.connect };
  const ofNode = exported.connect;
  exported.connect = open;
  try {
    connect();
  } finally {
    exported.connect = ofNode;
  }
}

/** Shows every frame of the SIP server before srf reads it; to be called once, after `connect`. The listener must not throw. */
export function watchFrames(srf: SrfApi, listener: (frame: string) => void): void {
  type Wire = { prependListener(event: 'msg', heard: (socket: unknown, frame: string) => void): void };
  const { wp } = (srf as unknown as { _app: { client: { wp: Wire } } })._app.client;
  wp.prependListener('msg', (_socket, frame) => listener(frame));
}

/**
 * Has every frame made fit before srf sends it; to be called once, after `connect`. `fit` returns what is sent in place of a
 * message; what it throws, whoever has srf send that frame gets.
 */
export function fitFrames(srf: SrfApi, fit: (message: string) => string): void {
  type Wire = { send(socket: unknown, message: string): string };
  const { wp } = (srf as unknown as { _app: { client: { wp: Wire } } })._app.client;
  const send = wp.send.bind(wp);
  wp.send = (socket, message) => send(socket, fit(message));
}

/** Parses a SIP or tel URI with srf's parser; never throws. */
export function parseSrfUri(text: string): SrfUri | undefined {
  try {
    return Srf.parseUri(text) as unknown as SrfUri | undefined;
  } catch {
    return undefined;
  }
}

/** Whether an error of srf stands for a final SIP response. */
export function isSipError(error: unknown): error is SrfSipError {
  return error instanceof Error && 'status' in error && typeof error.status === 'number';
}

/** Longest header of a request that is echoed in the frames of its responses. */
const echoLimitBytes = 512;

/**
 * Keeps a response's frame small whatever the request held. srf copies From, To, Call-ID and CSeq into it although the SIP
 * server takes them from the transaction, and one 13 kB From of a stranger would so wedge a drachtio-server (reference,
 * §9.1). srf itself still reads the Call-ID there, to forget the pending INVITE.
 */
export function trimEcho(response: SrfResponse): void {
  const loose = response as unknown as LooseResponse;
  const callId = loose.headers['call-id'];
  for (const name of ['from', 'to', 'call-id', 'cseq']) {
    if (Buffer.byteLength(loose.headers[name] ?? '') > echoLimitBytes) Reflect.deleteProperty(loose.headers, name);
  }
  answerCallId(response, callId);
}

/**
 * Keeps srf from forgetting the INVITE that is pending under the same Call-ID when this response goes out: srf knows
 * INVITEs by Call-ID alone, and would lose the CANCEL of the other one.
 */
export function keepPendingInvite(response: SrfResponse): void {
  answerCallId(response, undefined);
}

/** Keeps srf from acknowledging a reliable provisional response: it looks for the RSeq after it has shown the response. */
export function keepUnacknowledged(response: SrfResponse): void {
  const has = response.has.bind(response);
  (response as unknown as { has: SrfMessage['has'] }).has = (name) => name.toLowerCase() !== 'rseq' && has(name);
}

interface LooseAgent {
  sendResponse(
    response: { socket: unknown; msg: string; req: { stackTxnId: string }; statusCode: undefined },
    options: { headers: SrfHeaders },
    callback: (error: unknown) => void,
  ): void;
  _getDefaultSocket(): unknown;
}

/**
 * Answers a request of an earlier connection by the SIP server's name for its transaction; srf itself answers only requests
 * it was handed. Calls back with whether that could be sent; never throws.
 */
export function respondByTransaction(
  srf: SrfApi,
  txn: string,
  status: number,
  headers: SrfHeaders,
  callback: (sent: boolean) => void,
): void {
  try {
    const { client } = (srf as unknown as { _app: { client: LooseAgent } })._app;
    // Without a status srf does not take it for the end of an INVITE that it knows.
    const response = { req: { stackTxnId: txn }, statusCode: undefined, msg: `SIP/2.0 ${status} \r\n\r\n` };
    client.sendResponse({ ...response, socket: client._getDefaultSocket() }, { headers }, (error) => {
      callback(error === null || error === undefined);
    });
  } catch {
    callback(false);
  }
}

interface LooseResponse {
  readonly headers: Record<string, string>;
  get: SrfMessage['get'];
}

function answerCallId(response: SrfResponse, callId: string | undefined): void {
  const get = response.get.bind(response);
  (response as unknown as LooseResponse).get = (name) => (name.toLowerCase() === 'call-id' ? callId : get(name));
}
