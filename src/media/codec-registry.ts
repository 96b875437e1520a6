import type { PbxCodec } from '../routing/types.js';
import type { AudioCodec } from './audio-codec.js';
import { pcmaCodec, pcmuCodec } from './g711-codec.js';
import { g722Codec } from './g722/g722-codec.js';
import { MediaError } from './media-error.js';
import { TranscodeTally } from './media-usage.js';
import { createOpusCodec } from './opus-codec.js';

/** The codecs this daemon can turn into each other. Looked up once for each stream, never for a packet. */
export class CodecRegistry {
  /** What has been turned into what. */
  readonly tally = new TranscodeTally();
  readonly #codecs = new Map<PbxCodec, AudioCodec>();

  constructor(codecs: readonly AudioCodec[]) {
    for (const codec of codecs) this.#codecs.set(codec.name, codec);
  }

  /** @throws MediaError `no_codec` for one that is not built in. */
  get(name: PbxCodec): AudioCodec {
    const codec = this.#codecs.get(name);
    if (!codec) throw new MediaError('no_codec', `codec ${name} cannot be transcoded`);
    return codec;
  }

  /** Those of `names` that are built in, order kept. */
  supported(names: readonly PbxCodec[]): PbxCodec[] {
    return names.filter((name) => this.#codecs.has(name));
  }

  /** The highest sampling rate that both codecs work at. @throws MediaError `no_codec` if there is none. */
  commonSampleRate(a: PbxCodec, b: PbxCodec): number {
    const rates = this.get(b).sampleRates;
    const common = this.get(a).sampleRates.filter((rate) => rates.includes(rate));
    if (common.length === 0) throw new MediaError('no_codec', `codecs ${a} and ${b} share no sampling rate`);
    return Math.max(...common);
  }
}

/** PCMA, PCMU, G.722 and Opus. */
export function standardCodecs(): CodecRegistry {
  return new CodecRegistry([pcmaCodec, pcmuCodec, g722Codec, createOpusCodec()]);
}
