import type { Socket } from 'node:net';
import type { DialledLeg, Leg } from '../../../src/call/leg.js';
import { endReason } from '../../../src/call/end-reason.js';
import { systemIds } from '../../../src/lib/ids.js';
import { MemoryJournal } from '../../../src/journal/memory-journal.js';
import type { MediaEngine } from '../../../src/media/media-engine.js';
import type { Trunk } from '../../../src/routing/types.js';
import type { EmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { startEmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import type { SipTimers } from '../../../src/sip-server/timers.js';
import { SipUserAgent } from '../../../src/sip/sip-user-agent.js';
import { FakeMediaEngine } from '../../support/fake-media-engine.js';
import { LegLog } from '../../support/leg-log.js';
import type { LogLine } from '../../support/recording-logger.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { SkippableClock } from '../../support/skippable-clock.js';
import type { PeerAddress, PeerMessage } from '../../support/sip-script-peer.js';
import { PEER_SDP, SipScriptPeer } from '../../support/sip-script-peer.js';
import { sceneTrunk } from '../../support/sip-scene.js';
import { read } from './bench.js';

/** Who is called by this name never picks up. */
export const UNANSWERED = 'unanswered';

/** A call that stands between a peer and the stack. */
export interface UpCall {
  readonly peer: SipScriptPeer;
  readonly invite: PeerMessage;
  readonly ok: PeerMessage;
  readonly to: PeerAddress | Socket;
}

export interface CallOptions {
  readonly body?: string;
  readonly to?: PeerAddress | Socket;
  readonly deadlineMs?: number;
}

export interface HostileOptions {
  readonly timers?: Partial<SipTimers>;
  readonly media?: MediaEngine;
  /** Instead of an embedded server; what it holds inside is not looked at. */
  readonly server?: HostileServer;
}

/** What the scene needs of its SIP server. */
export type HostileServer = Pick<EmbeddedSipServer, 'host' | 'port' | 'secret' | 'sockets' | 'stop' | 'counts'>;

/**
 * The SIP side of the daemon as it stands before strangers: embedded server on UDP and TCP, drachtio-srf, user agent with a
 * trunk that takes calls from all of loopback. Every call is answered, as if WhatsApp's side had picked up at once.
 */
export class HostileScene {
  readonly legs: { readonly leg: Leg; readonly log: LegLog; readonly answer?: () => void }[] = [];
  readonly #errors: LogLine[] = [];
  readonly #unhandled: unknown[] = [];
  readonly #note = (error: unknown): void => void this.#unhandled.push(error);

  private constructor(
    readonly server: HostileServer,
    readonly agent: SipUserAgent,
    readonly media: MediaEngine,
    readonly trunk: Trunk,
    readonly logger: RecordingLogger,
    readonly clock: SkippableClock,
  ) {
    agent.onInboundCall(({ leg, calledUser }) => {
      this.legs.push({ leg, log: new LegLog(leg), answer: () => leg.answer() });
      leg.ring();
      if (calledUser !== UNANSWERED) leg.answer();
    });
    process.on('unhandledRejection', this.#note);
    process.on('uncaughtExceptionMonitor', this.#note);
  }

  static async start(options: HostileOptions = {}): Promise<HostileScene> {
    const logger = new RecordingLogger();
    const clock = new SkippableClock();
    const listen = (['udp', 'tcp'] as const).map((transport) => ({ transport, host: '127.0.0.1', port: 0 }));
    const server =
      options.server ?? (await startEmbeddedSipServer({ listen, timers: options.timers ?? {}, logger, clock }));
    const media = options.media ?? new FakeMediaEngine();
    const trunk: Trunk = { ...sceneTrunk, acceptFrom: ['127.0.0.0/8'], maxCalls: 100_000 };
    const agent = new SipUserAgent({
      connect: server,
      trunks: [trunk],
      media,
      journal: new MemoryJournal(),
      observer: { step: () => undefined },
      logger,
      clock,
      ids: systemIds,
      ...(options.server ? {} : { serverEndsOrphans: () => true }),
    });
    await agent.connect();
    return new HostileScene(server, agent, media, trunk, logger, clock);
  }

  get at(): PeerAddress {
    const [socket] = this.server.sockets;
    if (!socket) throw new Error('no SIP socket');
    return { host: socket.host, port: socket.port };
  }

  uri(user = '+4915112345678'): string {
    return `sip:${user}@${this.at.host}:${this.at.port}`;
  }

  /** What went wrong inside: error lines, and what nobody caught. */
  get faults(): unknown[] {
    const now = this.logger.lines.filter(({ level }) => level === 'error');
    return [...this.#errors, ...now, ...this.#unhandled];
  }

  /** A call of this peer's, up. Its messages go to the stack itself, or to a connection or relay that leads there. */
  async call(
    peer: SipScriptPeer,
    { body = PEER_SDP, to = this.at, deadlineMs = 5000 }: CallOptions = {},
  ): Promise<UpCall> {
    const text = peer.newRequest('INVITE', this.uri(), { body });
    const invite = read(text);
    const callId = invite.get('Call-ID');
    peer.send(text, to);
    const ok = await peer.next(
      (message) => message.status !== undefined && message.status >= 200 && message.all('Call-ID').includes(callId),
      'final answer to INVITE',
      deadlineMs,
    );
    if (ok.status !== 200) throw new Error(`refused: ${ok.startLine}`);
    peer.send(peer.inDialog('ACK', invite, ok, { cseq: invite.cseq }), to);
    return { peer, invite, ok, to };
  }

  /** A call of ours to this peer, on its way. */
  dial(peer: Pick<SipScriptPeer, 'host' | 'port' | 'transport'>): { readonly leg: DialledLeg; readonly log: LegLog } {
    const { host: hostname, port, transport } = peer;
    const server = { hostname, port, transport, priority: 1, weight: 1 };
    const leg = this.agent.createOutboundLeg({
      call: systemIds.callId(),
      target: { trunk: this.trunk, server: { ...server, requestUriUserParams: {} }, user: '+15551112222' },
      caller: { user: '+4915112345678', name: 'Anna' },
      whatsApp: { numberId: '105', callId: 'wacid.ABC==', direction: 'user_initiated' },
    });
    const dialled = { leg, log: new LegLog(leg) };
    this.legs.push(dialled);
    leg.dial();
    return dialled;
  }

  async hangUp({ peer, invite, ok, to }: UpCall, cseq = invite.cseq + 1): Promise<void> {
    peer.send(peer.inDialog('BYE', invite, ok, { cseq }), to);
    const callId = invite.get('Call-ID');
    const isAnswer = (message: PeerMessage): boolean =>
      message.status === 200 && message.get('CSeq').endsWith(' BYE') && message.get('Call-ID') === callId;
    await peer.next(isAnswer, '200 to BYE');
  }

  /** How long one call from the first INVITE to the answer to BYE takes, milliseconds. */
  async cleanCall(): Promise<number> {
    const peer = await SipScriptPeer.udp();
    const beforeMs = performance.now();
    await this.hangUp(await this.call(peer));
    const tookMs = performance.now() - beforeMs;
    await peer.stop();
    return tookMs;
  }

  /** Waits out all timers by moving time on, until server and user agent hold nothing any more. */
  async quiet(stepMs = 33_000): Promise<void> {
    const { server, agent } = this;
    const left = (): string => JSON.stringify({ ...server.counts(), legs: agent.legs });
    const none = '{"transactions":0,"dialogs":0,"pending":0,"legs":0}';
    for (let skips = 0; skips < 20 && left() !== none; skips++) {
      this.clock.skip(stepMs);
      for (let turn = 0; turn < 50 && left() !== none; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (left() !== none) throw new Error(`something is left: ${left()}`);
    const { media } = this;
    if (media instanceof FakeMediaEngine && media.open > 0) throw new Error(`${media.open} endpoints are left`);
  }

  /** Hangs up whatever calls there are but these, and forgets them and what was logged; faults are kept. */
  hangUpAll(but: readonly Leg[] = []): void {
    for (const { leg } of this.legs.splice(0)) if (!but.includes(leg)) leg.hangup(endReason('hangup'));
    this.#errors.push(...this.logger.lines.splice(0).filter(({ level }) => level === 'error'));
  }

  async stop(): Promise<void> {
    await this.agent.close();
    await this.server.stop();
    await this.media.stop();
    process.off('unhandledRejection', this.#note);
    process.off('uncaughtExceptionMonitor', this.#note);
  }
}
