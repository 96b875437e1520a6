import Srf from 'drachtio-srf';

/** The part of drachtio-srf these tests drive, typed; its own declarations are loose. */
export interface SrfMessage {
  readonly raw: string;
  readonly body: string;
  get(name: string): string | undefined;
  has(name: string): boolean;
}

export interface SrfRequest extends SrfMessage {
  readonly method: string;
  readonly uri: string;
  readonly source: string;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  readonly receivedOn: string | undefined;
  readonly stackTxnId: string;
  readonly stackDialogId: string;
  on(event: 'cancel', listener: (cancel: SrfMessage) => void): void;
  on(event: 'response', listener: (response: SrfResponse, ack: () => void) => void): void;
  cancel(callback?: (error: unknown) => void): void;
  cancel(options: { headers: Record<string, string> }, callback?: (error: unknown) => void): void;
}

export interface SrfResponse extends SrfMessage {
  readonly status: number;
  readonly source_address: string;
  send(
    status: number,
    options?: { headers?: Record<string, string>; body?: string } | string,
    callback?: (error: unknown, sent: SrfMessage | undefined) => void,
  ): void;
}

export interface SrfDialog {
  readonly id: string;
  readonly sip: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  readonly remote: { readonly uri: string; readonly sdp: string };
  readonly local: { readonly contact: string; readonly uri: string };
  on(event: 'destroy', listener: (bye: SrfRequest, reason: string | undefined) => void): void;
  on(event: 'ack', listener: (ack: SrfRequest) => void): void;
  on(
    event: 'modify' | 'info' | 'update' | 'options' | 'refer',
    listener: (req: SrfRequest, res: SrfResponse) => void,
  ): void;
  destroy(): Promise<SrfRequest>;
  modify(sdp: string): Promise<string>;
  request(options: { method: string; headers?: Record<string, string>; body?: string }): Promise<SrfResponse>;
}

export interface UacOptions {
  readonly localSdp?: string;
  readonly headers?: Record<string, string>;
  readonly proxy?: string;
  readonly auth?: { readonly username: string; readonly password: string };
}

export interface UacProgress {
  readonly cbRequest?: (error: unknown, request: SrfRequest | undefined) => void;
  readonly cbProvisional?: (response: SrfResponse) => void;
}

export interface SrfApp {
  connect(options: { host: string; port: number; secret: string }): void;
  disconnect(): void;
  use(method: string, handler: (req: SrfRequest, res: SrfResponse) => void): void;
  on(event: 'connect', listener: (error: unknown, hostPort: string) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  createUAS(
    req: SrfRequest,
    res: SrfResponse,
    options: { localSdp: string; headers?: Record<string, string> },
  ): Promise<SrfDialog>;
  createUAC(uri: string, options: UacOptions, progress?: UacProgress): Promise<SrfDialog>;
  request(
    uri: string,
    options: { method: string; headers?: Record<string, string>; body?: string; proxy?: string },
    callback: (error: unknown, request: SrfRequest | undefined) => void,
  ): void;
}

/** An unmodified drachtio-srf, connected. */
export async function connectSrf(at: { host: string; port: number; secret: string }): Promise<SrfApp> {
  const srf = new Srf() as unknown as SrfApp;
  srf.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    srf.on('connect', (error) => (error ? reject(new Error('srf could not connect', { cause: error })) : resolve()));
    srf.connect(at);
  });
  return srf;
}

/** Status of the SipError a refused call rejects with. */
export async function refusedWith(call: Promise<unknown>): Promise<number | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => (error as { status?: number }).status,
  );
}
