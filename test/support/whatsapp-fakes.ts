import type { JournalEntry } from '../../src/call/journal.js';
import { endReason } from '../../src/call/end-reason.js';
import type { LegEvent } from '../../src/call/leg.js';
import type { CallObserver, CallStep } from '../../src/call/observer.js';
import type { MediaBridge } from '../../src/call/media-bridge.js';
import { FakeClock, type Clock } from '../../src/lib/clock.js';
import { deferred, type Deferred } from '../../src/lib/deferred.js';
import type { CallId, E164, WaCallId } from '../../src/lib/ids.js';
import type {
  MediaEndpointEvent,
  MediaEngine,
  MediaStats,
  RtpEndpoint,
  WebRtcEndpoint,
} from '../../src/media/media-engine.js';
import type { WaNumber } from '../../src/routing/types.js';
import type { CallActions } from '../../src/whatsapp/graph-client.js';
import { CallDirectory } from '../../src/whatsapp/call-directory.js';
import { RecordingLogger } from './recording-logger.js';

export const someCall = '01JDB2ZV4QXK0000000000000A' as CallId;
export const someWaCall = 'wacid.HBgLMTMwNTc3NjU0NTY==' as WaCallId;
export const someUser = '+13057765456' as E164;
export const someNumber: WaNumber = {
  id: '106540352242922',
  number: '+15551112222' as E164,
  name: 'sales',
  signaling: 'graph',
  permission: 'none',
  trunk: 'pbx',
  callHours: undefined,
  settings: undefined,
};

/** A WebRTC endpoint that only says what it was told; outcomes are set beforehand. */
export class FakeWebRtcEndpoint implements WebRtcEndpoint {
  readonly id = 'media-1';
  readonly log: string[] = [];
  answerFails: Error | undefined;
  applyFails: Error | undefined;
  startFails: Error | undefined;
  #listener: (event: MediaEndpointEvent) => void = () => undefined;

  listen(listener: (event: MediaEndpointEvent) => void): void {
    this.#listener = listener;
  }

  report(event: MediaEndpointEvent): void {
    this.#listener(event);
  }

  failMedia(): void {
    this.report({ type: 'failed', reason: endReason('media_failed') });
  }

  createAnswer(offer: string): Promise<string> {
    this.log.push('createAnswer');
    return this.answerFails ? Promise.reject(this.answerFails) : Promise.resolve(`answer to ${offer}`);
  }

  createOffer(): Promise<string> {
    this.log.push('createOffer');
    return Promise.resolve('our offer');
  }

  acceptAnswer(answer: string): Promise<void> {
    this.log.push(`acceptAnswer ${answer}`);
    return this.applyFails ? Promise.reject(this.applyFails) : Promise.resolve();
  }

  start(): Promise<void> {
    this.log.push('start');
    return this.startFails ? Promise.reject(this.startFails) : Promise.resolve();
  }

  openSending(): void {
    this.log.push('openSending');
  }

  stats(): Promise<MediaStats> {
    return Promise.resolve({ codec: 'opus', packetsReceived: 0, packetsSent: 0, packetsLost: 0, jitterMs: 0 });
  }

  close(): Promise<void> {
    this.log.push('close');
    return Promise.resolve();
  }
}

export class FakeMediaEngine implements MediaEngine {
  readonly endpoint = new FakeWebRtcEndpoint();
  /** Set to hold back the creation of the endpoint. */
  gate: Deferred<unknown> | undefined;
  createFails: Error | undefined;

  async createWebRtcEndpoint(): Promise<WebRtcEndpoint> {
    await this.gate?.promise;
    if (this.createFails) throw this.createFails;
    return this.endpoint;
  }

  createRtpEndpoint(): Promise<RtpEndpoint> {
    return Promise.reject(new Error('not of this test'));
  }

  createBridge(): MediaBridge {
    throw new Error('not of this test');
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

type Action = 'connect' | 'preAccept' | 'accept' | 'reject' | 'terminate';

/** The calls endpoint, answering when the test says so. */
export class FakeGraph implements CallActions {
  readonly requests: { readonly action: Action; readonly args: Readonly<Record<string, unknown>> }[] = [];
  /** The logger that came with each request. */
  readonly loggers: unknown[] = [];
  readonly #pending = new Map<Action, Deferred<unknown>[]>();
  /** Actions that succeed at once. */
  readonly prompt = new Set<Action>();

  get actions(): Action[] {
    return this.requests.map(({ action }) => action);
  }

  /** Answers the oldest open request of an action. */
  succeed(action: Action, value?: unknown): void {
    this.#take(action).resolve(value);
  }

  fail(action: Action, error: Error): void {
    this.#take(action).reject(error);
  }

  connect(args: Parameters<CallActions['connect']>[0]): Promise<WaCallId> {
    return this.#request('connect', { ...args }, someWaCall) as Promise<WaCallId>;
  }

  preAccept(args: Parameters<CallActions['preAccept']>[0]): Promise<void> {
    return this.#request('preAccept', { ...args }) as Promise<void>;
  }

  accept(args: Parameters<CallActions['accept']>[0]): Promise<void> {
    return this.#request('accept', { ...args }) as Promise<void>;
  }

  reject(args: Parameters<CallActions['reject']>[0]): Promise<void> {
    return this.#request('reject', { ...args }) as Promise<void>;
  }

  terminate(args: Parameters<CallActions['terminate']>[0]): Promise<void> {
    return this.#request('terminate', { ...args }) as Promise<void>;
  }

  #request(action: Action, args: Readonly<Record<string, unknown>>, value?: unknown): Promise<unknown> {
    const { logger, ...rest } = args;
    this.requests.push({ action, args: rest });
    this.loggers.push(logger);
    if (this.prompt.has(action)) return Promise.resolve(value);
    const open = deferred<unknown>();
    this.#pending.set(action, [...(this.#pending.get(action) ?? []), open]);
    return open.promise;
  }

  #take(action: Action): Deferred<unknown> {
    const open = this.#pending.get(action)?.shift();
    if (!open) throw new Error(`no open ${action}; there were: ${this.actions.join(', ')}`);
    return open;
  }
}

/** Everything a WhatsApp leg needs, observable. */
export function legWorld(clock: Clock & { advance?: (ms: number) => void } = new FakeClock()) {
  const steps: { step: CallStep; detail: Readonly<Record<string, unknown>> }[] = [];
  const journal = { entries: [] as JournalEntry[], fails: undefined as Error | undefined };
  const events: LegEvent[] = [];
  const logger = new RecordingLogger();
  const observer: CallObserver = { step: (_, step, detail = {}) => void steps.push({ step, detail }) };
  const graph = new FakeGraph();
  const media = new FakeMediaEngine();
  const directory = new CallDirectory(clock);
  const deps = {
    graph,
    media,
    directory,
    observer,
    clock,
    logger,
    journal: {
      append: (entry: JournalEntry): Promise<void> => {
        if (journal.fails) return Promise.reject(journal.fails);
        journal.entries.push(entry);
        return Promise.resolve();
      },
    },
  };
  const types = (): string[] => events.map(({ type }) => type);
  return { deps, graph, media, endpoint: media.endpoint, directory, steps, journal, events, types, logger };
}
