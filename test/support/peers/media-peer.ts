import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PeerProcess, requireProgram } from './child.js';
import type { Scene } from './scene.js';
import { until } from './until.js';
import { readWav, writeWav, type Sound } from './wav.js';

/** Role in DTLS, or plain RTP without ICE and DTLS. */
export type MediaPeerRole = 'server' | 'client' | 'plain';

interface PeerEvent {
  readonly event: string;
  readonly port?: number;
  readonly ssrc?: number;
  readonly fingerprint?: string;
  readonly remote?: string;
  readonly version?: string;
  readonly key?: string;
  readonly marked?: boolean;
  readonly digit?: string;
  readonly durationMs?: number;
}

/** A key that was pressed on the other side, as its telephone-event said at its end. */
export interface Press {
  readonly digit: string;
  readonly durationMs: number;
}

/** Counters of a media peer over its whole life. */
export interface MediaPeerStats {
  readonly checks: number;
  readonly badChecks: number;
  /** Checks that claimed the controlled role, which a full agent must not take towards a lite one (RFC 8445 §6.1.1). */
  readonly controlledChecks: number;
  readonly sent: number;
  readonly received: number;
  /** RTP that came before `mark`, that is before the call was accepted. */
  readonly rtpBeforeMark: number;
  readonly firstAfterMarkMs: number;
  readonly badAuth: number;
  readonly rtcp: number;
  readonly otherPayload: number;
  readonly lost: number;
  readonly sequenceJumps: number;
  readonly timestampJumps: number;
  readonly ssrcs: number;
  /** Telephone-events that ended. */
  readonly events: number;
  readonly maxGapMs: number;
  readonly recordedMs: number;
}

export interface MediaPeerOptions {
  readonly address: string;
  readonly role: MediaPeerRole;
  /** What it says, looped; 48 kHz. */
  readonly play: Sound;
  /** Payload type of Opus. */
  readonly payloadType?: number;
}

/** Compiles media-peer.c into the scene's folder, once a scene. @throws Error when the compiler or the libraries are missing */
function build(scene: Scene): string {
  requireProgram('cc');
  const source = join(import.meta.dirname, 'media-peer.c');
  const target = scene.path('media-peer');
  if (existsSync(target)) return target;
  execFileSync('cc', ['-O2', '-Wall', '-Werror', '-o', target, source, '-lsrtp2', '-lssl', '-lcrypto', '-lopus']);
  return target;
}

/** The relay side of a WhatsApp call on OpenSSL, libsrtp and libopus: a true ICE-lite agent. See media-peer.c. */
export class MediaPeer {
  readonly ufrag = randomBytes(6).toString('base64');
  readonly pwd = randomBytes(24).toString('base64');
  readonly #process: PeerProcess;
  readonly #recording: string;
  #ready: PeerEvent = { event: 'none' };
  #stopped: Promise<void> | undefined;

  private constructor(
    scene: Scene,
    private readonly options: MediaPeerOptions,
  ) {
    const tag = randomBytes(4).toString('hex');
    const clip = scene.path(`play-${tag}.wav`);
    this.#recording = scene.path(`heard-${tag}.wav`);
    writeWav(clip, options.play);
    const { address, role } = options;
    this.#process = PeerProcess.start({
      command: build(scene),
      args: [address, '0', role, this.ufrag, this.pwd, clip, this.#recording, String(this.payloadType)],
    });
  }

  /** Starts a peer that belongs to the scene. */
  static async start(scene: Scene, options: MediaPeerOptions): Promise<MediaPeer> {
    const peer = scene.add(new MediaPeer(scene, options));
    peer.#ready = await peer.#process.ready(5_000, () => peer.#find('ready'));
    return peer;
  }

  get role(): MediaPeerRole {
    return this.options.role;
  }

  get payloadType(): number {
    return this.options.payloadType ?? 111;
  }

  get port(): number {
    return this.#ready.port ?? 0;
  }

  /** `sha-256 AA:BB…` of its certificate, as `a=fingerprint` says it. */
  get fingerprint(): string {
    return this.#ready.fingerprint ?? '';
  }

  /** A description of this side in the form of Meta's: ICE-lite, one host candidate, Opus and telephone-event/8000. */
  description(setup: 'actpass' | 'active' | 'passive'): string {
    const { address } = this.options;
    const type = this.payloadType;
    return sdpText([
      'v=0',
      `o=- ${Date.now()} 2 IN IP4 127.0.0.1`,
      's=-',
      't=0 0',
      'a=group:BUNDLE audio',
      'a=ice-lite',
      `m=audio ${this.port} UDP/TLS/RTP/SAVPF ${type} 126`,
      `c=IN IP4 ${address}`,
      'a=rtcp:9 IN IP4 0.0.0.0',
      `a=candidate:1972637320 1 udp 2113937151 ${address} ${this.port} typ host generation 0 network-cost 50`,
      `a=ice-ufrag:${this.ufrag}`,
      `a=ice-pwd:${this.pwd}`,
      `a=fingerprint:${this.fingerprint}`,
      `a=setup:${setup}`,
      'a=mid:audio',
      'a=sendrecv',
      'a=rtcp-mux',
      `a=rtpmap:${type} opus/48000/2`,
      `a=fmtp:${type} minptime=10;useinbandfec=1`,
      'a=rtpmap:126 telephone-event/8000',
      `a=ssrc:${this.#ready.ssrc ?? 0} cname:gAXq2V9TKltrnapv`,
    ]);
  }

  /** Address that nominated itself, once ICE is up. */
  async iceConnected(deadlineMs: number): Promise<string> {
    return (await this.#event('ice', deadlineMs)).remote ?? '';
  }

  /** Fingerprint and key type of the other side's certificate and the DTLS version, once DTLS is up. */
  async dtlsConnected(deadlineMs: number): Promise<{ fingerprint: string; key: string; version: string }> {
    const { fingerprint = '', key = '', version = '' } = await this.#event('dtls', deadlineMs);
    return { fingerprint, key, version };
  }

  /** Waits for the first RTP packet. */
  async firstRtp(deadlineMs: number): Promise<void> {
    await this.#event('rtp', deadlineMs);
  }

  /** Where to send in the plain role. */
  sendTo(host: string, port: number): void {
    this.#process.stdin.write(`remote ${host} ${port}\n`);
  }

  /** Notes that the call is accepted: RTP counts as too early before this moment. */
  mark(): void {
    this.#process.stdin.write('mark\n');
  }

  play(): void {
    this.#process.stdin.write('play\n');
  }

  pause(): void {
    this.#process.stdin.write('pause\n');
  }

  /** Presses keys, each for so long, 100 ms apart; needs `play` before. */
  press(digits: string, durationMs: number): void {
    this.#process.stdin.write(`digits ${digits} ${durationMs}\n`);
  }

  /** Waits until so many keys were pressed on the other side, and gives them. */
  pressed(count: number, deadlineMs: number): Promise<Press[]> {
    const all = (): Press[] => this.#events().filter((one): one is PeerEvent & Press => one.event === 'digit');
    return until(`${count} digits at the media peer`, deadlineMs, () =>
      all().length >= count ? all() : undefined,
    ).then((events) => events.map(({ digit, durationMs }) => ({ digit, durationMs })));
  }

  /** Ends the peer; what it heard and counted can be read afterwards. */
  stop(): Promise<void> {
    this.#stopped ??= this.#quit();
    return this.#stopped;
  }

  async #quit(): Promise<void> {
    this.#process.stdin.write('quit\n');
    await this.#process.exit(5_000);
    await this.#process.stop();
  }

  /** What it heard and counted; ends it. */
  async report(): Promise<{ heard: Sound; stats: MediaPeerStats }> {
    await this.stop();
    const stats = this.#events().findLast((one) => one.event === 'stat') as unknown as MediaPeerStats;
    return { heard: readWav(this.#recording), stats };
  }

  #events(): PeerEvent[] {
    return this.#process.output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as PeerEvent);
  }

  #find(event: string): PeerEvent | undefined {
    return this.#events().find((one) => one.event === event);
  }

  #event(event: string, deadlineMs: number): Promise<PeerEvent> {
    return until(`${event} at the media peer`, deadlineMs, () => this.#find(event));
  }
}

/** Lines joined as RFC 8866 has it. */
export function sdpText(lines: readonly string[]): string {
  return `${lines.join('\r\n')}\r\n`;
}
