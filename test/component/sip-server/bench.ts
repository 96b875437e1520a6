import type { EmbeddedSipServer, EmbeddedSipServerOptions } from '../../../src/sip-server/start-embedded-sip-server.js';
import { startEmbeddedSipServer } from '../../../src/sip-server/start-embedded-sip-server.js';
import { eventually } from '../../support/eventually.js';
import { RecordingLogger } from '../../support/recording-logger.js';
import { SkippableClock } from '../../support/skippable-clock.js';
import { PEER_SDP, PeerMessage, SipScriptPeer } from '../../support/sip-script-peer.js';
import type { SrfApp, SrfDialog, SrfRequest, SrfResponse } from './srf-app.js';
import { connectSrf } from './srf-app.js';

export const T1_MS = 40;
/** 64·T1 ends after 2.56 s. */
export const FAST = { t1Ms: T1_MS, t2Ms: 160, t4Ms: 200, timerAExtraMs: 5 };
export const LIFE_MS = 64 * T1_MS;

/** The embedded server with an unmodified drachtio-srf on one side and a scripted SIP peer on the other. */
export class Bench {
  private constructor(
    readonly server: EmbeddedSipServer,
    readonly srf: SrfApp,
    readonly peer: SipScriptPeer,
    readonly log: RecordingLogger,
    readonly clock: SkippableClock,
  ) {}

  static async start(
    options: Partial<EmbeddedSipServerOptions> & { peer?: 'udp' | 'tcp' | SipScriptPeer } = {},
  ): Promise<Bench> {
    const log = new RecordingLogger();
    const clock = new SkippableClock();
    const { peer: kind = 'udp', ...rest } = options;
    const server = await startEmbeddedSipServer({
      listen: [
        { transport: 'udp', host: '127.0.0.1', port: 0 },
        { transport: 'tcp', host: '127.0.0.1', port: 0 },
      ],
      timers: FAST,
      logger: log,
      clock,
      ...rest,
    });
    const srf = await connectSrf(server);
    if (typeof kind !== 'string') return new Bench(server, srf, kind, log, clock);
    return new Bench(server, srf, kind === 'tcp' ? await SipScriptPeer.tcp() : await SipScriptPeer.udp(), log, clock);
  }

  get sip(): { host: string; port: number } {
    const socket = this.server.sockets[0];
    if (!socket) throw new Error('no SIP socket');
    return { host: '127.0.0.1', port: socket.port };
  }

  uri(user = '100'): string {
    return `sip:${user}@${this.sip.host}:${this.sip.port}`;
  }

  get peerUri(): string {
    const { host, port, transport } = this.peer;
    return `sip:bob@${host}:${port}${transport === 'udp' ? '' : `;transport=${transport}`}`;
  }

  /** The app answers every INVITE with 180 and 200; the dialogs come out one by one. */
  answerCalls(onDialog: (dialog: SrfDialog, req: SrfRequest) => void = () => undefined): void {
    this.srf.use('invite', (req, res) => {
      res.send(180);
      this.srf
        .createUAS(req, res, { localSdp: PEER_SDP })
        .then((dialog) => onDialog(dialog, req))
        .catch(() => undefined);
    });
  }

  /** Runs a handler for the next request of a method and resolves with what it was given. */
  handle(method: string): Promise<{ req: SrfRequest; res: SrfResponse }> {
    return new Promise((resolve) => this.srf.use(method, (req, res) => resolve({ req, res })));
  }

  /** Sends a request of the peer; returns it in readable form. */
  send(
    method: string,
    options: { user?: string; headers?: readonly string[]; body?: string; cseq?: number } = {},
  ): PeerMessage {
    const text = this.peer.newRequest(method, this.uri(options.user), options);
    this.peer.send(text, this.sip);
    return read(text);
  }

  /** A call of the peer to the app, up to ACK. */
  async inboundCall(): Promise<{ invite: PeerMessage; ok: PeerMessage; dialog: SrfDialog }> {
    const dialogs: SrfDialog[] = [];
    this.answerCalls((dialog) => dialogs.push(dialog));
    await this.routed();
    const invite = this.send('INVITE', { body: PEER_SDP });
    const ok = await this.peer.response(200, 'INVITE');
    this.peer.send(this.peer.inDialog('ACK', invite, ok, { cseq: 1 }), this.sip);
    await eventually(() => dialogs.length === 1, 'a dialog in the app');
    return { invite, ok, dialog: dialogs[0]! };
  }

  /** A call of the app to the peer, up to ACK. */
  async outboundCall(
    headers: readonly string[] = [],
  ): Promise<{ invite: PeerMessage; dialog: SrfDialog; ack: PeerMessage }> {
    const calling = this.srf.createUAC(this.peerUri, { localSdp: PEER_SDP });
    const invite = await this.peer.request('INVITE');
    this.peer.reply(invite, 200, 'OK', { toTag: 'peer1', body: PEER_SDP, headers });
    const dialog = await calling;
    return { invite, dialog, ack: await this.peer.request('ACK') };
  }

  /** The peer hangs up and the app answers. */
  async peerHangsUp(invite: PeerMessage, ok: PeerMessage, cseq = 2): Promise<void> {
    this.peer.send(this.peer.inDialog('BYE', invite, ok, { cseq }), this.sip);
    await this.peer.response(200, 'BYE');
  }

  /** The app hangs up and the peer answers. */
  async appHangsUp(dialog: SrfDialog): Promise<PeerMessage> {
    const over = dialog.destroy();
    const bye = await this.peer.request('BYE');
    this.peer.reply(bye, 200, 'OK');
    await over;
    return bye;
  }

  /** srf sends `route` without waiting for its answer; frames are obeyed in order, so one refused request later it stands. */
  async routed(): Promise<void> {
    await new Promise<void>((resolve) => this.srf.request(this.uri(), { method: 'OPTIONS' }, () => resolve()));
  }

  /** Waits out the timers of finished transactions, by moving time on, until nothing is alive in the server. */
  async quiet(): Promise<void> {
    const counts = (): string => JSON.stringify(this.server.counts());
    const isQuiet = (): boolean => counts() === '{"transactions":0,"dialogs":0,"pending":0}';
    for (let skips = 0; skips < 20 && !isQuiet(); skips++) {
      this.clock.skip(LIFE_MS);
      for (let turn = 0; turn < 20 && !isQuiet(); turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (!isQuiet()) throw new Error(`something is left in the server: ${counts()}`);
  }

  async stop(): Promise<void> {
    try {
      this.srf.disconnect();
    } catch {
      // Already gone: some tests cut the connection themselves.
    }
    await this.peer.stop();
    await this.server.stop();
  }
}

/** A message of the peer's own, in readable form. */
export const read = (text: string): PeerMessage => new PeerMessage(text, { host: '', port: 0 }, undefined, 0);
