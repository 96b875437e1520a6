import type { AudioCodec } from '../../src/media/audio-codec.js';
import { CodecRegistry } from '../../src/media/codec-registry.js';
import { FakeClock } from '../../src/lib/clock.js';
import { silentLogger } from '../../src/lib/logger.js';
import type { PacketPort } from '../../src/media/packet-port.js';
import { TranscodingBridge } from '../../src/media/transcoding-bridge.js';
import { WebRtcBeat } from '../../src/media/webrtc-beat.js';
import type { PbxCodec } from '../../src/routing/types.js';
import { FakePacketPort, g711Audio, whatsAppAudio } from './packet-ports.js';

/** What a made-up frame is called; silence is 0, sound counts from 1. */
export const madeUp = -1;
const loudSample = 8000;

/** Codes nothing but a frame's name: so an hour passes in a second, and every frame can be told from every other. */
function countingCodec(name: PbxCodec): AudioCodec {
  return {
    name,
    sampleRates: [8000],
    createDecoder: () => ({
      decode: (payload, pcm) => {
        const count = new DataView(payload.buffer, payload.byteOffset).getInt16(0);
        pcm.fill(count > 0 ? loudSample : 0, 0, 160);
        pcm[0] = count;
        return 160;
      },
      conceal: (samples, _next, pcm) => {
        pcm.fill(0, 0, samples);
        pcm[0] = madeUp;
      },
      close: () => undefined,
    }),
    createEncoder: () => ({ encode: (frame) => nameOf(frame[0] ?? 0), close: () => undefined }),
  };
}

function nameOf(count: number): Uint8Array {
  const payload = new Uint8Array(2);
  new DataView(payload.buffer).setInt16(0, count);
  return payload;
}

export interface Heard {
  readonly atMs: number;
  readonly name: number;
}

/** One direction of a bridge between counting codecs, from a source with a clock of its own. */
export class CountedAudio {
  readonly clock = new FakeClock();
  /** What went out, in the order of the stream; holes and the silence before the first frame are left out. */
  readonly heard: Heard[] = [];
  /** How far ahead of the clock the beat was when packets came. */
  readonly leads: number[] = [];
  readonly #source: FakePacketPort;
  readonly #bridge: TranscodingBridge;
  readonly #beat: WebRtcBeat | undefined;
  readonly #ticks: number;

  constructor(to: 'whatsapp' | 'pbx') {
    const isToPbx = to === 'pbx';
    this.#source = new FakePacketPort(isToPbx ? whatsAppAudio : g711Audio('PCMA'));
    this.#ticks = isToPbx ? 960 : 160;
    const note = (payload: Uint8Array): void => {
      const name = payload.length === 2 ? new DataView(payload.buffer, payload.byteOffset).getInt16(0) : 0;
      this.heard.push({ atMs: this.clock.monotonicMs(), name });
    };
    const sink: PacketPort = new FakePacketPort(isToPbx ? g711Audio('PCMA') : whatsAppAudio);
    sink.sendAudio = note;
    if (!isToPbx) {
      const beat = new WebRtcBeat(
        this.clock,
        (_kind, { payload }) => note(payload),
        { sequence: 0, timestamp: 0 },
        () => sink.fillSlot?.() ?? new Uint8Array(1),
      );
      this.#beat = beat;
      sink.sendAudio = (payload, durationMs) => beat.sendAudio(payload, durationMs);
      Object.defineProperty(sink, 'leadMs', { get: () => beat.leadMs });
      beat.start();
    }
    this.#bridge = new TranscodingBridge({
      portOf: (id) => (id === 'source' ? this.#source : sink),
      codecs: new CodecRegistry([countingCodec('PCMA'), countingCodec('opus')]),
      clock: this.clock,
      logger: silentLogger,
      watchdog: { firstMs: 1e9, idleMs: 1e9 },
    });
    this.#bridge.connect('source', 'sink');
  }

  /** Frames that the beat had no place for. */
  get dropped(): number {
    return this.#beat?.dropped ?? 0;
  }

  /** Packet `number` of the source's stream arrives at `atMs`, not before now. */
  arrive(number: number, name: number, atMs: number): void {
    this.clock.advance(Math.max(0, atMs - this.clock.monotonicMs()));
    if (this.#beat) this.leads.push(this.#beat.leadMs);
    this.#source.receive(number & 0xffff, (number * this.#ticks) >>> 0, nameOf(name));
  }

  close(): void {
    this.#bridge.disconnect();
    this.#beat?.stop();
  }
}
