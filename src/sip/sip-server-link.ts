import type { Socket } from 'node:net';
import { BridgeError } from '../lib/bridge-error.js';
import type { Clock } from '../lib/clock.js';
import { DeadlineError, withDeadline } from '../lib/deadline.js';
import { deferred } from '../lib/deferred.js';
import type { Logger } from '../lib/logger.js';
import { connectOver, createSrf, fitFrames, watchFrames, type SrfApi } from './drachtio-types.js';
import { frameLimitBytes, largestPart, withoutEcho } from './frame-room.js';
import type { ServerLiveness } from './liveness/server-liveness.js';
import { plainSipText } from './sip-text.js';

/** Where the SIP server takes drachtio's protocol. On loopback or a private network only: srf reconnects in plain TCP. */
export interface SipServerAddress {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /**
   * Opens a connection that no kernel sees, where the server lives in this process. Should it ever be lost, the next goes
   * to `host` and `port`. Absent: all do.
   */
  readonly connectInProcess?: () => Socket;
}

/** The SIP server is not there, or does not take our secret. */
export class SipServerError extends BridgeError {}

export interface SipServerLinkOptions {
  readonly connect: SipServerAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connectMs: number;
  readonly closeMs: number;
  /** Watches a SIP server of its own process; absent for one that lives and dies with us. */
  readonly liveness?: ServerLiveness | undefined;
  /** Is shown every frame of the SIP server; must not throw. */
  readonly onFrame?: ((frame: string) => void) | undefined;
}

/** srf multiplies its pause by 1.7 without bound otherwise, and a restart of the server would be noticed minutes late (M14). */
const longestReconnectPauseMs = 1_000;

/** The connection to the SIP server: made once, kept up, told about when it is lost and when it is back. */
export class SipServerLink {
  readonly srf: SrfApi = createSrf();
  readonly #reconnect: { retryMaxDelay: number; maxAttempts?: number } = { retryMaxDelay: longestReconnectPauseMs };
  #state: 'idle' | 'down' | 'up' | 'closed' = 'idle';
  #wasLost = false;
  readonly #first = deferred<undefined>();
  readonly #gone = deferred<undefined>();

  constructor(
    private readonly options: SipServerLinkOptions,
    private readonly onLost: () => void,
    /** Called when a connection that was lost is back. */
    private readonly onBack: () => void = () => undefined,
  ) {
    this.#first.promise.catch(() => undefined);
    this.srf.on('connect', (error, hostPorts, _version, localHostPorts) => {
      this.#connected(error, localHostPorts ?? hostPorts);
    });
    // Without this listener an unreachable server would end the process.
    this.srf.on('error', (err) => options.logger.debug('SIP server connection error', { err }));
    this.srf.on('close', () => this.#lost());
  }

  /** Whether requests can be sent, and are likely to be served. */
  get ready(): boolean {
    return this.#state === 'up' && !this.options.liveness?.isWedged;
  }

  /** @throws SipServerError when the server is not reached in time or refuses the secret */
  async connect(): Promise<void> {
    const { connect, clock, connectMs } = this.options;
    this.#state = 'down';
    const { host, port, secret, connectInProcess } = connect;
    const connectSrf = (): void => this.srf.connect({ host, port, secret, reconnect: this.#reconnect });
    if (connectInProcess) connectOver(connectInProcess, connectSrf);
    else connectSrf();
    if (this.options.onFrame) watchFrames(this.srf, this.options.onFrame);
    fitFrames(this.srf, (message) => this.#fitted(message));
    try {
      await withDeadline(this.#first.promise, connectMs, 'connection to the SIP server', clock);
    } catch (err) {
      this.#stopReconnecting();
      if (!(err instanceof DeadlineError)) throw err;
      throw new SipServerError('SIP2WA_SIP_SERVER_UNREACHABLE', `no SIP server at ${host}:${port}`, { cause: err });
    }
  }

  /** Idempotent; resolves when the connection is closed or has had its time. */
  async close(): Promise<void> {
    const wasUp = this.#state === 'up';
    this.options.liveness?.stop();
    this.#stopReconnecting();
    if (!wasUp) return;
    this.srf.disconnect();
    await withDeadline(this.#gone.promise, this.options.closeMs, 'close', this.options.clock).catch(() => undefined);
  }

  /** Whichever server it is: what one of them chokes on is a fault of ours (drachtio reference, §9.1). */
  #fitted(message: string): string {
    if (frameBytes(message) < frameLimitBytes) return message;
    const shorter = withoutEcho(message);
    const bytes = frameBytes(shorter);
    if (bytes < frameLimitBytes) return shorter;
    const what = plainSipText(message.split('\r\n', 2)[1] ?? '');
    const { part, bytes: largestBytes } = largestPart(shorter);
    const largest = plainSipText(part);
    this.options.logger.error('frame for the SIP server is too large, not sent', {
      ...{ bytes, what, largest, largestBytes },
    });
    const text = `a frame of ${bytes} bytes, ${largestBytes} of them ${largest}`;
    throw new SipServerError('SIP2WA_SIP_FRAME_TOO_LARGE', text);
  }

  #connected(error: Error | null, hostPorts: string | undefined): void {
    if (error) {
      this.options.logger.error('SIP server refused our secret', { host: this.options.connect.host });
      return this.#first.reject(new SipServerError('SIP2WA_SIP_SERVER_SECRET', 'the SIP server refused our secret'));
    }
    if (this.#state === 'closed') return this.srf.disconnect();
    this.#state = 'up';
    this.options.logger.info('SIP server connected', { listening: hostPorts });
    this.#first.resolve(undefined);
    this.options.liveness?.start(hostPorts ?? '');
    if (this.#wasLost) this.onBack();
    this.#wasLost = false;
  }

  #lost(): void {
    if (this.#state === 'closed') this.#gone.resolve(undefined);
    if (this.#state !== 'up') return;
    this.#state = 'down';
    this.options.liveness?.stop();
    this.#wasLost = true;
    this.options.logger.error('SIP server connection lost');
    this.onLost();
  }

  /** srf reads the limit at every attempt, so that none follows the one that may be waiting. */
  #stopReconnecting(): void {
    this.#state = 'closed';
    this.#reconnect.maxAttempts = 1;
  }
}

/** srf puts the message id, a UUID and a bar, before it. */
const frameBytes = (message: string): number => 37 + Buffer.byteLength(message);
