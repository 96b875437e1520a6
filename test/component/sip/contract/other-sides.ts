import { startEmbeddedSipServer } from '../../../../src/sip-server/start-embedded-sip-server.js';
import { SAFE_FRAME_BYTES } from '../../../../src/sip-server/wire/frame-codec.js';
import { drachtioSecret, DrachtioServer } from '../../../support/drachtio-server.js';
import { eventually } from '../../../support/eventually.js';
import { RecordingLogger } from '../../../support/recording-logger.js';
import { SipScriptPeer } from '../../../support/sip-script-peer.js';
import { FrameTap, type TappedFrame } from '../../sip-server/contract/frame-tap.js';
import type { LivePbx, OtherSide } from './agent-stage.js';
import { DrachtioDouble } from './drachtio-double.js';
import { DONE, LINK_CUT, PEER_PORT, writtenDown, type Exchange } from './recording.js';

const T1_MS = 60;

interface Server {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  readonly sipPort: number;
  readonly serverEndsOrphans: boolean;
  stop(): Promise<void>;
}

export async function embeddedServer(): Promise<Server> {
  const server = await startEmbeddedSipServer({
    listen: (['udp', 'tcp'] as const).map((transport) => ({ transport, host: '127.0.0.1', port: 0 })),
    timers: { t1Ms: T1_MS, t2Ms: 4 * T1_MS, t4Ms: 5 * T1_MS },
    logger: new RecordingLogger(),
  });
  const { host, port, secret } = server;
  return {
    ...{ host, port, secret, sipPort: server.sockets[0]?.port ?? 0, serverEndsOrphans: true },
    stop: () => server.stop(),
  };
}

export async function drachtioServer(): Promise<Server> {
  const server = await DrachtioServer.start();
  const { adminPort: port, sipPort } = server;
  await answersSip(sipPort);
  return {
    ...{ host: '127.0.0.1', port, secret: drachtioSecret, sipPort, serverEndsOrphans: false },
    stop: () => server.stop(),
  };
}

/** Its command port is open before its SIP ports are; an application that comes between is told half of them. */
async function answersSip(port: number): Promise<void> {
  const peer = await SipScriptPeer.tcp();
  const text = peer.newRequest('OPTIONS', `sip:127.0.0.1:${port}`);
  const asked = setInterval(() => {
    peer.dial({ host: '127.0.0.1', port }).then(
      (line) => peer.send(text, line),
      () => undefined,
    );
  }, 100);
  await peer.next(({ status }) => status !== undefined, 'any answer').finally(() => clearInterval(asked));
  await peer.stop();
}

/** A SIP server with a scripted PBX on its network, and every frame of the application's kept. */
export class LiveSide implements OtherSide {
  readonly #cues: { readonly at: number; readonly what: string }[] = [];
  #answeredFrom = 0;

  private constructor(
    private readonly server: Server,
    private readonly tap: FrameTap,
    private readonly pbx: LivePbx,
  ) {}

  static async of(server: Server): Promise<LiveSide> {
    const sip = { host: '127.0.0.1', port: server.sipPort };
    return new LiveSide(server, await FrameTap.before(server), { peer: await SipScriptPeer.udp(), sip });
  }

  get connect(): OtherSide['connect'] {
    return { host: '127.0.0.1', port: this.tap.port, secret: this.server.secret };
  }

  get pbxPort(): number {
    return this.pbx.peer.port;
  }

  get serverEndsOrphans(): boolean {
    return this.server.serverEndsOrphans;
  }

  /** Waits for so many frames: the last ones are words on what nobody waits for. Whoever compares says what is missing. */
  async has(frames: number): Promise<void> {
    await eventually(() => this.tap.frames.length >= frames, `${frames} frames`).catch(() => undefined);
  }

  get frames(): readonly TappedFrame[] {
    return this.tap.frames;
  }

  get exchange(): Exchange {
    return writtenDown(this.tap.frames, this.#cues, { sip: this.pbx.sip.port, peer: this.pbx.peer.port });
  }

  /** Names of this run's ports and secret in a transcript. */
  get names(): Map<string, string> {
    return new Map([
      [String(this.pbx.sip.port), 'SIP'],
      [String(this.pbx.peer.port), 'PEER'],
      [this.server.secret, 'SECRET'],
    ]);
  }

  /** Frames of the application that a drachtio-server would choke on. */
  get tooLarge(): string[] {
    return this.tap.frames
      .filter(({ from, byteLength }) => from === 'app' && byteLength >= SAFE_FRAME_BYTES)
      .map(({ tokens, byteLength }) => `${byteLength} bytes: ${tokens.join('|')}`);
  }

  async network(what: string, act: (pbx: LivePbx) => Promise<void>): Promise<void> {
    await this.finished();
    this.#cues.push({ at: this.tap.frames.length, what });
    await act(this.pbx);
    this.#cues.push({ at: this.tap.frames.length, what: DONE });
  }

  async cutLink(): Promise<void> {
    await this.finished();
    this.#answeredFrom = this.tap.frames.length;
    this.#cues.push({ at: this.#answeredFrom, what: LINK_CUT });
    this.tap.cut();
  }

  /** Each frame of the application has got its word. */
  async finished(): Promise<void> {
    const unanswered = (): string[] => {
      const frames = this.tap.frames.slice(this.#answeredFrom);
      const words = new Set(frames.filter(({ from }) => from === 'server').map(({ tokens }) => tokens[2]));
      return frames.flatMap(({ from, tokens }) => (from === 'app' && !words.has(tokens[0]) ? [tokens.join('|')] : []));
    };
    await eventually(() => unanswered().length === 0, 'the server’s word on every frame');
  }

  async stop(): Promise<void> {
    await this.pbx.peer.stop();
    await this.tap.stop();
    await this.server.stop();
  }
}

/** The recording of a drachtio-server and its network. */
export class RecordedSide implements OtherSide {
  readonly pbxPort = PEER_PORT;
  readonly serverEndsOrphans = false;

  private constructor(private readonly double: DrachtioDouble) {}

  static async of(exchange: Exchange): Promise<RecordedSide> {
    return new RecordedSide(await DrachtioDouble.playing(exchange, drachtioSecret));
  }

  get connect(): OtherSide['connect'] {
    return this.double;
  }

  get faults(): readonly string[] {
    return this.double.faults;
  }

  network(what: string): Promise<void> {
    return this.double.release(what, DONE);
  }

  cutLink(): Promise<void> {
    return this.double.release(LINK_CUT);
  }

  finished(): Promise<void> {
    return this.double.finished();
  }

  stop(): Promise<void> {
    return this.double.stop();
  }
}
