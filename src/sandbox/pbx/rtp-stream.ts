import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { decodeG711, encodeG711 } from '../audio/g711.js';
import type { G711Law } from '../audio/g711.js';
import type { Pcm } from '../audio/pcm.js';
import { Recorder } from '../audio/recording.js';
import type { Recording } from '../audio/recording.js';
import { Listeners, Playlist } from '../audio/playlist.js';
import type { Playing } from '../audio/playlist.js';

const RATE_HZ = 8000;
const FRAME_MS = 20;
const FRAME_SAMPLES = (RATE_HZ * FRAME_MS) / 1000;
const HEADER_BYTES = 12;
/** Frames kept for the echo; more than these, and it is late rather than an echo. */
const MAX_ECHO_FRAMES = 5;
const AUDIBLE = 0.003;
/** Static payload types (RFC 3551 §6). */
const LAWS: Readonly<Record<number, G711Law>> = { 0: 'PCMU', 8: 'PCMA' };
const EVENT_KEYS = '0123456789*#ABCD';

export interface RtpRemote {
  readonly host: string;
  readonly port: number;
  readonly law: G711Law;
  readonly payloadType: number;
  readonly eventPayloadType: number | undefined;
  /** Hold: nothing is sent. */
  readonly silent: boolean;
}

interface Origin {
  readonly ssrc: number;
  readonly timestamp: number;
  /** Place of that timestamp on the recording, in samples. */
  readonly position: number;
}

/** One call's RTP at the PBX: G.711 every 20 ms on an absolute clock, and a recording laid out by RTP timestamps. */
export class RtpStream {
  /** DTMF keys heard as RFC 4733 events, in order. */
  readonly keys: string[] = [];
  /** Sources heard; WhatsApp and many PBXs want exactly one a call. */
  readonly sources = new Set<number>();
  packetsReceived = 0;
  firstPacketAtMs: number | undefined;
  /** Plays back what is heard while nothing else is being played. */
  echo = false;
  readonly #recorder = new Recorder(RATE_HZ);
  readonly #playlist = new Playlist(RATE_HZ);
  readonly #listeners = new Listeners();
  readonly #echoed: Float32Array[] = [];
  #origin: Origin | undefined;
  #lastEvent: number | undefined;
  #remote: RtpRemote | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #sequence = randomBytes(2).readUInt16BE();
  #timestamp = randomBytes(4).readUInt32BE();
  readonly #ssrc = randomBytes(4).readUInt32BE();
  #closed = false;

  private constructor(
    private readonly socket: Socket,
    readonly port: number,
  ) {
    socket.on('message', (packet, from) => this.#received(packet, from));
    socket.on('error', () => undefined);
  }

  /** Binds a free port. */
  static async open(host: string): Promise<RtpStream> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, host, resolve);
    });
    return new RtpStream(socket, socket.address().port);
  }

  /** Sets where to send and what, and starts sending; called again on hold and resume. Loopback only. */
  connect(remote: RtpRemote): void {
    if (!/^127\./.test(remote.host)) throw new RangeError('the sandbox PBX sends to loopback only');
    this.#remote = remote;
    if (this.#ticker || this.#closed) return;
    const origin = performance.now();
    let sent = 0;
    this.#ticker = setInterval(() => {
      for (; sent * FRAME_MS <= performance.now() - origin; sent++)
        this.#sendFrame(sent === 0, origin + sent * FRAME_MS);
    }, FRAME_MS / 4);
  }

  /** Plays a sound once, behind what is playing already. */
  play(pcm: Pcm): Playing {
    return this.#playlist.play(pcm);
  }

  /** Stops what is being played. */
  hush(): void {
    this.#playlist.clear();
  }

  /** Everything heard so far. */
  heard(): Recording {
    return this.#recorder.recording();
  }

  /** Monotonic time at which something other than silence was first heard. */
  get firstHeardAtMs(): number | undefined {
    return this.#recorder.firstLouderThan(AUDIBLE);
  }

  /** Resolves when a packet comes `forMs` or more from now; at once when closed. */
  hear(forMs: number): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#listeners.until(performance.now() + forMs);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#playlist.clear();
    this.#listeners.release();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  #sendFrame(marker: boolean, dueMs: number): void {
    const spoken = this.#playlist.next(FRAME_SAMPLES, dueMs) ?? this.#echoed.shift();
    const remote = this.#remote;
    const packet = Buffer.alloc(HEADER_BYTES);
    packet[0] = 0x80;
    packet[1] = (remote?.payloadType ?? 0) | (marker ? 0x80 : 0);
    packet.writeUInt16BE(this.#sequence, 2);
    packet.writeUInt32BE(this.#timestamp, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    this.#timestamp = (this.#timestamp + FRAME_SAMPLES) >>> 0;
    if (!remote || remote.silent || this.#closed) return;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.socket.send(
      Buffer.concat([packet, encodeG711(remote.law, spoken ?? new Float32Array(FRAME_SAMPLES))]),
      remote.port,
      remote.host,
    );
  }

  #received(packet: Buffer, from: RemoteInfo): void {
    const nowMs = performance.now();
    const [flags = 0, second = 0] = packet;
    const payloadType = second & 0x7f;
    const isRtcp = payloadType >= 64 && payloadType <= 95; // on the same port (RFC 5761 §4)
    if (packet.length < HEADER_BYTES || flags >> 6 !== 2 || isRtcp || !/^127\./.test(from.address)) return;
    this.packetsReceived++;
    this.firstPacketAtMs ??= nowMs;
    this.sources.add(packet.readUInt32BE(8));
    const payload = packet.subarray(HEADER_BYTES + (flags & 0x0f) * 4);
    const law = LAWS[payloadType];
    if (law) this.#audio(packet, law, payload, nowMs);
    else if (payloadType === this.#remote?.eventPayloadType) this.#keyEvent(packet.readUInt32BE(4), payload);
    this.#listeners.tick(nowMs);
  }

  #audio(packet: Buffer, law: G711Law, payload: Buffer, now: number): void {
    const samples = decodeG711(law, payload);
    this.#recorder.add(samples, now, this.#position(packet.readUInt32BE(8), packet.readUInt32BE(4), now));
    if (!this.echo) return;
    this.#echoed.push(samples);
    if (this.#echoed.length > MAX_ECHO_FRAMES) this.#echoed.shift();
  }

  /** Timestamps count samples; a new source starts where the clock says it came. */
  #position(ssrc: number, timestamp: number, now: number): number {
    if (this.#origin?.ssrc !== ssrc) {
      const elapsedMs = now - (this.firstPacketAtMs ?? now);
      this.#origin = { ssrc, timestamp, position: Math.round((elapsedMs * RATE_HZ) / 1000) };
    }
    return this.#origin.position + ((timestamp - this.#origin.timestamp) | 0);
  }

  /** An event's packets share a timestamp; one key press is counted once (RFC 4733 §2.5.1.4). */
  #keyEvent(timestamp: number, payload: Buffer): void {
    if (timestamp === this.#lastEvent) return;
    this.#lastEvent = timestamp;
    const key = EVENT_KEYS[payload[0] ?? 255];
    if (key !== undefined) this.keys.push(key);
  }
}
