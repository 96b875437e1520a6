import { FakeClock } from '../../src/lib/clock.js';
import { systemIds } from '../../src/lib/ids.js';
import { silentLogger } from '../../src/lib/logger.js';
import { standardCodecs } from '../../src/media/codec-registry.js';
import { createOpusCodec } from '../../src/media/opus-codec.js';
import { remoteNetworks } from '../../src/media/remote-networks.js';
import { UdpRtpEndpoint } from '../../src/media/rtp-endpoint.js';
import { writeRtpHeader } from '../../src/media/rtp-packet.js';
import { TranscodingBridge } from '../../src/media/transcoding-bridge.js';
import { WebRtcBeat } from '../../src/media/webrtc-beat.js';
import type { Pcm } from '../../src/sandbox/audio/pcm.js';
import { FakePacketPort, whatsAppAudio } from './packet-ports.js';
import { fromG711, fromOpus, toG711, ToneSource } from './tones.js';
import { WireSockets, type WirePacket } from './wire-sockets.js';

const codecs = standardCodecs();
export const pbxHz = 1000;
export const userHz = 400;
const frameMs = 20;

interface OutPacket {
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
  readonly atMs: number;
}

/** WhatsApp's side with the real beat behind it. */
class BeatPort extends FakePacketPort {
  readonly out: OutPacket[] = [];
  readonly beat: WebRtcBeat;

  constructor(clock: FakeClock) {
    super(whatsAppAudio);
    const put = ({ sequence, timestamp, payload }: Omit<OutPacket, 'atMs'>): void => {
      this.out.push({ sequence, timestamp, payload: Uint8Array.from(payload), atMs: clock.monotonicMs() });
    };
    this.beat = new WebRtcBeat(
      clock,
      (_kind, packet) => put(packet),
      { sequence: 65_500, timestamp: 0xffff_0000 },
      () => this.fillSlot?.() ?? Uint8Array.of(0xf8, 0xff, 0xfe),
    );
  }

  override sendAudio(payload: Uint8Array, durationMs: number): void {
    this.beat.sendAudio(payload, durationMs);
  }
}

/** How the PBX sends. */
export interface PbxStream {
  address: string;
  port: number;
  law: 'PCMA' | 'PCMU';
  payloadType: number;
  eventType: number;
  ssrc: number;
  sequence: number;
  timestamp: number;
}

/** A call in the middle, in the time of a clock that is never late: the real RTP leg, bridge and beat, tones both ways. */
export class MidCallScene {
  readonly clock = new FakeClock();
  readonly wire = new WireSockets(() => this.clock.monotonicMs());
  readonly whatsApp = new BeatPort(this.clock);
  readonly endpoint: UdpRtpEndpoint;
  readonly bridge: TranscodingBridge;
  readonly pbx: PbxStream = {
    ...{ address: '192.0.2.10', port: 4000, law: 'PCMA', payloadType: 8, eventType: 101 },
    ...{ ssrc: 0x1234, sequence: 100, timestamp: 16_000 },
  };
  readonly #fromPbx = new ToneSource(pbxHz);
  readonly #fromUser = new ToneSource(userHz);
  readonly #encoder = createOpusCodec('wasm').createEncoder(8000, 160);
  #userFrames = 0;

  constructor(latch = false) {
    this.endpoint = new UdpRtpEndpoint({
      ...{ id: 'pbx', sockets: this.wire, address: '192.0.2.1', codecs: ['PCMA', 'PCMU'], latch },
      maySendTo: remoteNetworks(['192.0.2.0/24']),
      ...{ clock: this.clock, ids: systemIds, logger: silentLogger },
    });
    this.bridge = new TranscodingBridge({
      portOf: (id) => (id === 'pbx' ? this.endpoint.port : this.whatsApp),
      ...{ codecs, clock: this.clock, logger: silentLogger },
    });
  }

  /** Answered, joined, and a second of talk behind it. */
  static async talking(latch = false): Promise<MidCallScene> {
    const scene = new MidCallScene(latch);
    await scene.endpoint.createOffer();
    await scene.endpoint.acceptAnswer(scene.sdp());
    scene.bridge.connect('wa', 'pbx');
    scene.whatsApp.beat.start();
    scene.talk(1000);
    return scene;
  }

  /** The PBX's description as its stream is now; lines replace or follow. */
  sdp(options: { direction?: string; connection?: string; formats?: string; port?: number } = {}): string {
    const { address, port, law, payloadType, eventType } = this.pbx;
    const { direction = 'sendrecv', connection = `IN IP4 ${address}` } = options;
    const formats = options.formats ?? `${payloadType} ${eventType}`;
    return [
      ...['v=0', 'o=pbx 1 1 IN IP4 192.0.2.10', 's=-', `c=${connection}`, 't=0 0'],
      `m=audio ${options.port ?? port} RTP/AVP ${formats}`,
      ...[`a=rtpmap:${payloadType} ${law}/8000`, `a=rtpmap:${eventType} telephone-event/8000`],
      ...['a=ptime:20', `a=${direction}`, ''],
    ].join('\r\n');
  }

  /** A re-INVITE or UPDATE of the PBX; returns our answer. */
  reoffer(options: Parameters<MidCallScene['sdp']>[0] = {}): Promise<string> {
    return this.endpoint.createAnswer(this.sdp(options));
  }

  /** Both sides, or those that are named, say their tone for so long. */
  talk(ms: number, { pbx = true, user = true } = {}): void {
    for (let at = 0; at < ms; at += frameMs) {
      if (pbx) this.pbxSays();
      else this.pbx.timestamp += 160;
      if (user) this.#userSays();
      this.clock.advance(frameMs);
    }
  }

  /** One packet of the PBX's tone, as it is or as `how` says. */
  pbxSays(how: Partial<PbxStream> = {}): void {
    const { address, port, law, payloadType, ssrc } = { ...this.pbx, ...how };
    const datagram = Buffer.alloc(172);
    writeRtpHeader(datagram, payloadType, false, this.pbx.sequence, this.pbx.timestamp, ssrc);
    datagram.set(toG711(law, this.#fromPbx.next(160)), 12);
    this.wire.receive(datagram, address, port);
    this.pbx.sequence = (this.pbx.sequence + 1) & 0xffff;
    this.pbx.timestamp = (this.pbx.timestamp + 160) >>> 0;
  }

  /** The PBX presses a key. */
  press(code: number, eventType = this.pbx.eventType): void {
    for (let n = 1; n <= 6; n++) {
      const datagram = Buffer.alloc(16);
      writeRtpHeader(datagram, eventType, n === 1, this.pbx.sequence, this.pbx.timestamp, this.pbx.ssrc);
      datagram.set([code, n > 5 ? 0x8a : 0x0a, 0, Math.min(n, 5) * 40], 12);
      this.wire.receive(datagram, this.pbx.address, this.pbx.port);
      this.pbx.sequence = (this.pbx.sequence + 1) & 0xffff;
    }
    this.pbx.timestamp += 800;
  }

  /** What WhatsApp has heard since its packet number `from`. */
  atWhatsApp(from = 0): Pcm {
    const pcm = fromOpus(this.whatsApp.out.map(({ payload }) => payload));
    return { ...pcm, samples: pcm.samples.subarray(from * 160) };
  }

  /** Audio that reached the PBX since packet number `from`, each packet read as its payload type says. */
  atPbx(from = 0, lawOf: (packet: WirePacket) => 'PCMA' | 'PCMU' = () => this.pbx.law): Pcm {
    const packets = this.wire.sent.slice(from).filter(({ payloadType }) => payloadType !== this.pbx.eventType);
    const parts = packets.map((packet) => fromG711(lawOf(packet), [packet.payload]).samples);
    return { rateHz: 8000, samples: Float32Array.from(parts.flatMap((part) => [...part])) };
  }

  async close(): Promise<void> {
    this.bridge.disconnect();
    this.whatsApp.beat.stop();
    await this.endpoint.close();
  }

  #userSays(): void {
    const n = this.#userFrames++;
    this.whatsApp.receive(n, n * 960, Uint8Array.from(this.#encoder.encode(this.#fromUser.next(160))));
  }
}
