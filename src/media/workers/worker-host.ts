import { endReason } from '../../call/end-reason.js';
import type { MediaBridge } from '../../call/media-bridge.js';
import type { CallId } from '../../lib/ids.js';
import type { Logger } from '../../lib/logger.js';
import type { MediaEndpoint, MediaEngine, RtpEndpoint, WebRtcEndpoint } from '../media-engine.js';
import { MediaError } from '../media-error.js';
import type { CapturedBatch, MediaCapture } from '../packet-capture.js';
import type { FromWorker, Question, ToWorker } from './worker-messages.js';

/** What is said to an endpoint; all else is of the worker as a whole. */
type ToEndpoint = Exclude<ToWorker, { type: 'configure' | 'levels' | 'stop' }>;

type ToBridge = Extract<ToWorker, { type: 'prepare' | 'connect' | 'play_dtmf' | 'disconnect' }>;

/** An endpoint from when it was asked for; undefined once it is certain that nothing comes of it. */
interface Entry {
  readonly call: CallId;
  readonly making: Promise<MediaEndpoint>;
  made?: MediaEndpoint;
}

const maxText = 2000;

/** Serves one engine to whoever is at the other end: does what the messages say, and tells what happens. */
export class WorkerHost {
  readonly #entries = new Map<string, Entry>();
  readonly #bridges = new Map<CallId, MediaBridge>();
  readonly #captured = new Map<CallId, () => void>();

  constructor(
    private readonly engine: MediaEngine,
    /** `sent` is called when the message has left. */
    private readonly post: (message: FromWorker, sent?: () => void) => void,
    private readonly logger: Logger,
    private readonly captures?: MediaCapture,
  ) {}

  /** Endpoints that are not closed. */
  get endpoints(): number {
    return this.#entries.size;
  }

  handle(message: ToEndpoint): void {
    switch (message.type) {
      case 'create_webrtc': {
        const { request, endpoint, options } = message;
        return this.#make(request, endpoint, options.call, () => this.engine.createWebRtcEndpoint(options));
      }
      case 'create_rtp': {
        const { request, endpoint, options } = message;
        return this.#make(request, endpoint, options.call, () => this.engine.createRtpEndpoint(options));
      }
      case 'ask':
        return this.#answer(message.request, () => this.#ask(message.endpoint, message.question, message.sdp));
      case 'open_sending':
        return (this.#entries.get(message.endpoint)?.made as WebRtcEndpoint | undefined)?.openSending();
      case 'send_dtmf': {
        const endpoint = this.#entries.get(message.endpoint)?.made as RtpEndpoint | undefined;
        return endpoint?.sendDtmf(message.digit, message.durationMs);
      }
      case 'capture':
        return this.#capture(message.call, message.isOn);
      default:
        this.#handleBridge(message);
    }
  }

  #capture(call: CallId, isOn: boolean): void {
    this.#captured.get(call)?.();
    this.#captured.delete(call);
    const left = (batch: CapturedBatch): Promise<void> =>
      new Promise((resolve) => this.post({ type: 'captured', call, batch }, resolve));
    const stop = isOn ? this.captures?.capture(call, left) : undefined;
    if (stop) this.#captured.set(call, stop);
  }

  #handleBridge(message: ToBridge): void {
    switch (message.type) {
      case 'prepare':
        return this.#bridge(message.call).prepare(this.#engineId(message.endpoint));
      case 'connect': {
        const [a, b] = message.endpoints;
        return this.#bridge(message.call).connect(this.#engineId(a), this.#engineId(b));
      }
      case 'play_dtmf': {
        const { call, endpoint, digit, durationMs } = message;
        return this.#bridge(call).sendDtmf(this.#engineId(endpoint), digit, durationMs);
      }
      case 'disconnect':
        return this.#part(message.call);
    }
  }

  #make(request: number, id: string, call: CallId, create: () => Promise<MediaEndpoint>): void {
    const making = Promise.resolve().then(create);
    const entry: Entry = { call, making };
    this.#entries.set(id, entry);
    this.#answer(request, async () => {
      try {
        const endpoint = await making;
        entry.made = endpoint;
        endpoint.listen((event) => this.post({ type: 'event', endpoint: id, event }));
        return 'rtpPort' in endpoint ? endpoint.rtpPort : undefined;
      } catch (error) {
        this.#entries.delete(id);
        throw error;
      }
    });
  }

  async #ask(id: string, question: Question, sdp = ''): Promise<unknown> {
    const entry = this.#entries.get(id);
    if (question === 'close') return entry && this.#close(id, entry);
    const endpoint = entry?.made as (WebRtcEndpoint & RtpEndpoint) | undefined;
    if (!endpoint) throw new MediaError('internal', 'no such media endpoint');
    switch (question) {
      case 'create_offer':
        return endpoint.createOffer();
      case 'create_answer':
        return endpoint.createAnswer(sdp);
      case 'accept_answer':
        return endpoint.acceptAnswer(sdp);
      case 'start':
        return endpoint.start();
      case 'stats':
        return endpoint.stats();
    }
  }

  /** Also one that is still being made. With the last endpoint of a call its bridge goes. */
  async #close(id: string, { call, making }: Entry): Promise<void> {
    this.#entries.delete(id);
    if (![...this.#entries.values()].some((other) => other.call === call)) this.#part(call);
    const endpoint = await making.catch(() => undefined);
    await endpoint?.close();
  }

  #bridge(call: CallId): MediaBridge {
    const known = this.#bridges.get(call);
    if (known) return known;
    const bridge = this.engine.createBridge(call);
    bridge.onTimeout((kind) => this.post({ type: 'timeout', call, kind }));
    this.#bridges.set(call, bridge);
    return bridge;
  }

  #part(call: CallId): void {
    this.#bridges.get(call)?.disconnect();
    this.#bridges.delete(call);
  }

  /** The engine has ids of its own; one it does not know it says itself. */
  #engineId(id: string): string {
    return this.#entries.get(id)?.made?.id ?? id;
  }

  #answer(request: number, work: () => Promise<unknown>): void {
    work().then(
      (value) => this.post({ type: 'reply', request, value }),
      (error: unknown) => this.post(this.#refusal(request, error)),
    );
  }

  #refusal(request: number, error: unknown): FromWorker {
    if (!(error instanceof MediaError)) this.logger.error('media failed', { err: error });
    const endCode = error instanceof MediaError ? error.endCode : endReason('internal').code;
    const cause = error instanceof Error && error.cause instanceof Error ? { cause: textOf(error.cause) } : {};
    return { type: 'refusal', request, endCode, message: textOf(error), ...cause };
  }
}

function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, maxText);
}
