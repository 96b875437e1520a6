import type { EndReason } from '../../call/end-reason.js';
import type { CallId } from '../../lib/ids.js';
import type { MediaEndpoint, MediaEndpointEvent, MediaStats, RtpEndpoint, WebRtcEndpoint } from '../media-engine.js';
import { MediaError } from '../media-error.js';
import type { Leave } from './set-up-gate.js';
import type { Question, ToWorker } from './worker-messages.js';

/** The worker of an endpoint, as the endpoint sees it. */
export interface EndpointHost {
  /** @throws MediaError, DeadlineError */
  ask(endpoint: string, question: Question, sdp?: string): Promise<unknown>;
  /** Posts what needs no answer. */
  tell(message: ToWorker): void;
  /** A place among the set-ups. @throws MediaError `limit` */
  enter(): Promise<Leave>;
  /** The endpoint is closed: nothing happens to it any more. */
  forget(endpoint: RemoteEndpoint): void;
}

/** Events that are kept for a listener that comes late; more happen only to an endpoint that nobody ever listens to. */
const maxUnheard = 16;

/** An endpoint whose media is in a worker. */
export abstract class RemoteEndpoint implements MediaEndpoint {
  #listener: ((event: MediaEndpointEvent) => void) | undefined;
  readonly #unheard: MediaEndpointEvent[] = [];
  #closing: Promise<void> | undefined;
  #isLost = false;

  constructor(
    readonly id: string,
    readonly call: CallId,
    protected readonly host: EndpointHost,
  ) {}

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
    for (const event of this.#unheard.splice(0)) listener(event);
  }

  async stats(): Promise<MediaStats> {
    const stats = await this.host.ask(this.id, 'stats');
    if (typeof stats !== 'object' || stats === null)
      throw new MediaError('internal', 'no statistics from the media worker');
    return stats as MediaStats;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Something happened to it in its worker; also while it closes there. */
  receive(event: MediaEndpointEvent): void {
    if (this.#listener) this.#listener(event);
    else if (this.#unheard.length < maxUnheard) this.#unheard.push(event);
  }

  /** Its worker is gone, and its media with it; without a reason that was to be expected. */
  lose(reason: EndReason | undefined): void {
    this.#isLost = true;
    if (reason && !this.#closing) this.receive({ type: 'failed', reason });
  }

  protected get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws MediaError, DeadlineError */
  protected async askSdp(question: Question, sdp?: string): Promise<string> {
    const answer = await this.host.ask(this.id, question, sdp);
    if (typeof answer !== 'string') throw new MediaError('internal', 'no SDP from the media worker');
    return answer;
  }

  async #close(): Promise<void> {
    try {
      if (!this.#isLost) await this.host.ask(this.id, 'close');
    } catch (error) {
      // Gone with its worker, which is closed as well.
      if (!this.#isLost) throw error;
    } finally {
      this.host.forget(this);
    }
  }
}

/** The WhatsApp side of a call, in a worker: takes a place among the worker's set-ups for what costs processor time. */
export class RemoteWebRtcEndpoint extends RemoteEndpoint implements WebRtcEndpoint {
  #leave: Leave = () => undefined;

  createAnswer(offer: string): Promise<string> {
    return this.#briefly(() => this.askSdp('create_answer', offer));
  }

  createOffer(): Promise<string> {
    return this.#briefly(() => this.askSdp('create_offer'));
  }

  acceptAnswer(answer: string): Promise<void> {
    return this.#untilUp(() => this.host.ask(this.id, 'accept_answer', answer));
  }

  start(): Promise<void> {
    return this.#untilUp(() => this.host.ask(this.id, 'start'));
  }

  openSending(): void {
    this.host.tell({ type: 'open_sending', endpoint: this.id });
  }

  override receive(event: MediaEndpointEvent): void {
    if (event.type === 'dtls_connected' || event.type === 'failed') this.#leave();
    super.receive(event);
  }

  override close(): Promise<void> {
    this.#leave();
    return super.close();
  }

  async #briefly<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.#enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** Keeps the place until ICE and DTLS are up, or it is certain that they will not be. */
  async #untilUp(work: () => Promise<unknown>): Promise<void> {
    const leave = await this.#enter();
    this.#leave = leave;
    try {
      await work();
    } catch (error) {
      leave();
      throw error;
    }
  }

  async #enter(): Promise<Leave> {
    const leave = await this.host.enter();
    if (!this.isClosed) return leave;
    leave();
    throw new MediaError('cancelled', 'closed while it waited for its turn');
  }
}

/** The PBX side of a call, in a worker. */
export class RemoteRtpEndpoint extends RemoteEndpoint implements RtpEndpoint {
  /** Known once it is made, which is before anybody sees it. */
  rtpPort = 0;

  createOffer(): Promise<string> {
    return this.askSdp('create_offer');
  }

  createAnswer(offer: string): Promise<string> {
    return this.askSdp('create_answer', offer);
  }

  async acceptAnswer(answer: string): Promise<void> {
    await this.host.ask(this.id, 'accept_answer', answer);
  }

  sendDtmf(digit: string, durationMs: number): void {
    this.host.tell({ type: 'send_dtmf', endpoint: this.id, digit, durationMs });
  }
}
