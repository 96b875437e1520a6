import { createRequire } from 'node:module';
import type { Decoder, Encoder } from '@evan/opus';
import { vi } from 'vitest';
import type { CallId } from '../../src/lib/ids.js';
import type { MediaEndpointEvent } from '../../src/media/media-engine.js';
import type { MediaPacket } from '../../src/media/packet-port.js';
import { createWeriftEndpoint, type WeriftEndpoint } from '../../src/media/webrtc-endpoint.js';
import type { PacketPath } from '../../src/media/werift-packets.js';
import { WeriftSocket } from '../../src/media/werift-socket.js';
import { RecordingLogger } from './recording-logger.js';
import { SkippableClock } from './skippable-clock.js';
import { UdpRelay, type RelayRule } from './udp-relay.js';
import { until } from './until.js';
import { WrtcPeer, toneLevel } from './wrtc-peer.js';

const opus = createRequire(import.meta.url)('@evan/opus') as {
  Decoder: typeof Decoder;
  Encoder: typeof Encoder;
};
const rate = 48_000;
const frameMs = 20;

/** One datagram that the endpoint sent. */
export interface Sent {
  readonly data: Buffer;
  readonly port: number;
  readonly address: string;
  readonly atMs: number;
}

/** The clear part of an SRTP packet. */
export interface RtpHead {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly atMs: number;
}

/** A WhatsApp endpoint, libwebrtc as its peer, a relay between them if wanted; all that is sent is recorded. */
export class WebRtcScene {
  readonly logger = new RecordingLogger();
  /** Real time, unless a test moves it on; counts what is armed. */
  readonly clock = new SkippableClock();
  readonly events: MediaEndpointEvent[] = [];
  readonly received: MediaPacket[] = [];
  readonly sent: Sent[] = [];
  readonly endpoint: WeriftEndpoint;
  readonly peer = new WrtcPeer(440);
  /** Set before the call: puts a relay between the two that keeps to it. */
  relayRule: RelayRule | undefined;
  relay: UdpRelay | undefined;
  #players: NodeJS.Timeout[] = [];

  constructor(
    remoteAllowed: (address: string) => boolean = (address) => address === '127.0.0.1',
    packetPath: PacketPath = 'own',
  ) {
    this.endpoint = createWeriftEndpoint({
      call: 'call' as CallId,
      id: 'media',
      listenIp: '127.0.0.1',
      advertisedIp: '127.0.0.1',
      ports: [0, 0],
      remoteAllowed,
      packetPath,
      logger: this.logger,
      clock: this.clock,
    });
    this.endpoint.listen((event) => this.events.push(event));
    this.endpoint.port.onAudio = (packet) => this.received.push({ ...packet, payload: packet.payload.slice() });
    this.#recordSends();
  }

  /** The user calls: the peer offers, we answer. */
  async userInitiated(edit: (offer: string) => string = (offer) => offer): Promise<void> {
    const offer = await this.#throughRelay(await this.peer.offer());
    await this.peer.accept(await this.endpoint.createAnswer(edit(offer)));
    await this.endpoint.start();
  }

  /** The business calls: we offer, the peer answers. */
  async businessInitiated(edit: (answer: string) => string = (answer) => answer): Promise<void> {
    const answer = await this.peer.answer(await this.endpoint.createOffer());
    await this.endpoint.acceptAnswer(edit(await this.#throughRelay(answer)));
  }

  async connected(deadlineMs = 8000): Promise<void> {
    await until(() => this.saw('dtls_connected'), 'dtls_connected', deadlineMs);
    await this.peer.reaches('connected', deadlineMs);
  }

  saw(type: MediaEndpointEvent['type']): boolean {
    return this.events.some((event) => event.type === type);
  }

  /** Plays a tone into the endpoint, Opus frames on an absolute beat, as the bridge does. */
  playToPeer(hz: number): void {
    const encoder = new opus.Encoder({ channels: 1, sample_rate: rate, application: 'voip' });
    const samples = (rate * frameMs) / 1000;
    const start = performance.now();
    let count = 0;
    const timer = setInterval(() => {
      for (; count * frameMs <= performance.now() - start; count++) {
        const pcm = Int16Array.from(
          { length: samples },
          (_, i) => 10_000 * Math.sin((2 * Math.PI * hz * (count * samples + i)) / rate),
        );
        this.endpoint.port.sendAudio(encoder.encode(pcm), frameMs);
      }
    }, 5);
    this.#players.push(timer);
  }

  stopPlaying(): void {
    for (const timer of this.#players.splice(0)) clearInterval(timer);
  }

  /** Level of a tone in a second of what the endpoint got, the first half second left out. */
  async levelFromPeer(hz: number): Promise<number> {
    const from = this.received.length + 25;
    await until(() => this.received.length >= from + 50, 'a second of audio from the peer');
    const decoder = new opus.Decoder({ channels: 1, sample_rate: rate });
    const parts = this.received.slice(from - 5, from + 50).map(({ payload }) => {
      const bytes = decoder.decode(payload);
      return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    });
    const samples = Int16Array.from(parts.slice(5).flatMap((part) => [...part]));
    return toneLevel({ samples, sampleRate: rate }, hz);
  }

  /** Level of a tone in a second of what the peer hears from now on, the first half second left out. */
  async levelAtPeer(hz: number): Promise<number> {
    this.peer.forget();
    await until(() => this.peer.heard.samples.length >= rate * 1.5, 'a second of audio at the peer');
    const { samples, sampleRate } = this.peer.heard;
    return toneLevel({ samples: samples.subarray(sampleRate / 2, sampleRate * 1.5), sampleRate }, hz);
  }

  /** Heads of the SRTP packets sent so far; the header is in the clear. */
  get rtpSent(): RtpHead[] {
    return this.sent.flatMap(({ data, atMs }) => {
      const type = data[1] ?? 0;
      if ((data[0] ?? 0) >> 6 !== 2 || (type >= 192 && type <= 223)) return [];
      const head = { payloadType: type & 0x7f, marker: type >= 128, sequence: data.readUInt16BE(2), atMs };
      return [{ ...head, timestamp: data.readUInt32BE(4), ssrc: data.readUInt32BE(8) }];
    });
  }

  /** RTCP packet types sent so far, the first of each compound packet. */
  get rtcpSent(): number[] {
    return this.sent
      .flatMap(({ data }) => ((data[0] ?? 0) >> 6 === 2 ? [data[1] ?? 0] : []))
      .filter((t) => t >= 192 && t <= 223);
  }

  async close(): Promise<void> {
    this.stopPlaying();
    await this.endpoint.close();
    this.peer.close();
    this.relay?.close();
    vi.restoreAllMocks();
  }

  async #throughRelay(sdp: string): Promise<string> {
    if (!this.relayRule) return sdp;
    const candidate = /(a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 )(\d+)/;
    this.relay = await UdpRelay.to(Number(candidate.exec(sdp)?.[2]), this.relayRule);
    return sdp.replace(candidate, `$1${this.relay.port}`);
  }

  #recordSends(): void {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the socket it was taken from
    const { transmit } = WeriftSocket.prototype;
    const { sent } = this;
    vi.spyOn(WeriftSocket.prototype, 'transmit').mockImplementation(function (this: WeriftSocket, data, port, address) {
      sent.push({ data: Buffer.from(data), port, address, atMs: performance.now() });
      transmit.call(this, data, port, address);
    });
  }
}
