import { standardCodecs } from '../../src/media/codec-registry.js';
import type { AudioEncoder } from '../../src/media/audio-codec.js';
import type { PbxCodec } from '../../src/routing/types.js';
import { RtpPeer, type ReceivedRtp } from './rtp-peer.js';

interface Format {
  readonly payloadType: number;
  /** Of its audio, Hz. */
  readonly rateHz: number;
  readonly ticksPerMs: number;
  readonly lines: readonly string[];
}

/** As RFC 3551 numbers them; G.722 has a clock of 8 kHz there. */
const formats: Readonly<Record<PbxCodec, Format>> = {
  PCMA: { payloadType: 8, rateHz: 8_000, ticksPerMs: 8, lines: [] },
  PCMU: { payloadType: 0, rateHz: 8_000, ticksPerMs: 8, lines: [] },
  G722: { payloadType: 9, rateHz: 16_000, ticksPerMs: 8, lines: [] },
  opus: { payloadType: 96, rateHz: 48_000, ticksPerMs: 48, lines: ['a=rtpmap:96 opus/48000/2'] },
};

const codecs = standardCodecs();
const halfScale = 16_384;
const mostSamples = 5_760;

/** Samples from -1 to 1. */
export interface HeardSound {
  readonly rateHz: number;
  readonly samples: Float64Array;
}

export interface PbxVoiceOptions {
  readonly codec: PbxCodec;
  /** Length of its packets, and what its SDP asks for. */
  readonly ptimeMs: number;
  /** More lines of its SDP's audio section. */
  readonly lines?: readonly string[];
}

/** A PBX's media: says a tone at half scale (-9 dBFS) in packets of one length, and keeps what comes. */
export class PbxVoice {
  readonly #format: Format;
  #encoder: AudioEncoder | undefined;
  #timer: NodeJS.Timeout | undefined;
  #said = 0;
  #isClosed = false;

  private constructor(
    readonly peer: RtpPeer,
    private readonly options: PbxVoiceOptions,
  ) {
    this.#format = formats[options.codec];
  }

  static async open(options: PbxVoiceOptions): Promise<PbxVoice> {
    return new PbxVoice(await RtpPeer.open(), options);
  }

  get codec(): PbxCodec {
    return this.options.codec;
  }

  get sdp(): string {
    const { ptimeMs, lines = [] } = this.options;
    const { payloadType, lines: own } = this.#format;
    return this.peer.sdp({ formats: String(payloadType), ptimeMs, lines: [...own, ...lines] });
  }

  /** Says its tone, on an absolute beat, to this port on loopback, until `hush`; goes on where it stopped. */
  speak(port: number, hz: number): void {
    const { codec, ptimeMs } = this.options;
    const { rateHz } = this.#format;
    const length = (rateHz * ptimeMs) / 1000;
    const encoder = (this.#encoder ??= codecs.get(codec).createEncoder(rateHz, length));
    const before = this.#said;
    const startMs = performance.now();
    this.#timer = setInterval(() => {
      for (; (this.#said - before) * ptimeMs <= performance.now() - startMs; this.#said++) {
        const from = this.#said * length;
        const pcm = Int16Array.from(
          { length },
          (_, i) => halfScale * Math.sin((2 * Math.PI * hz * (from + i)) / rateHz),
        );
        this.#send(port, encoder.encode(pcm));
      }
    }, 4);
  }

  hush(): void {
    clearInterval(this.#timer);
  }

  /** Audio packets so far, or since `forget`. */
  get audio(): ReceivedRtp[] {
    return this.peer.received.filter(({ payloadType }) => payloadType === this.#format.payloadType);
  }

  forget(): void {
    this.peer.received.length = 0;
  }

  /** How long the packets were that came, in milliseconds: by how far each timestamp lies before the next one's. */
  get packetLengthsMs(): number[] {
    return this.audio.slice(1).map(({ timestamp }, i) => {
      const ticks = (timestamp - (this.audio[i]?.timestamp ?? 0)) >>> 0;
      return ticks / this.#format.ticksPerMs;
    });
  }

  heard(): HeardSound {
    const { codec } = this.options;
    const { rateHz } = this.#format;
    const decoder = codecs.get(codec).createDecoder(rateHz);
    const pcm = new Int16Array(mostSamples);
    const parts = this.audio.map(({ payload }) => pcm.slice(0, decoder.decode(payload, pcm)));
    decoder.close();
    const samples = Float64Array.from(parts.flatMap((part) => [...part]));
    return { rateHz, samples: samples.map((value) => value / 32_768) };
  }

  /** Its ports are gone: what is sent there comes back as unreachable. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.hush();
    this.#encoder?.close();
    this.#encoder = undefined;
    this.peer.close();
  }

  #send(port: number, encoded: Uint8Array): void {
    const { payloadType, ticksPerMs } = this.#format;
    const timestamp = this.#said * this.options.ptimeMs * ticksPerMs;
    this.peer.send(port, { payloadType, sequence: this.#said & 0xffff, timestamp, payload: encoded });
  }
}
