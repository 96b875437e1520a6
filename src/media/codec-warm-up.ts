import { pcmaCodec } from './g711-codec.js';
import type { CodecRegistry } from './codec-registry.js';

const sampleRate = 8000;
const frameSamples = 160;
/** Enough for the compiler to take the codecs for hot: about 2 s of audio, 15 ms of work. */
const frames = 100;

/** Codes and decodes a little sound, so that the first call does not pay for loading and compiling the codecs. */
export function warmUpCodecs(codecs: CodecRegistry): void {
  const opus = codecs.get('opus');
  const [encoder, decoder] = [opus.createEncoder(sampleRate, frameSamples), opus.createDecoder(sampleRate)];
  const [lawEncoder, lawDecoder] = [
    pcmaCodec.createEncoder(sampleRate, frameSamples),
    pcmaCodec.createDecoder(sampleRate),
  ];
  const frame = Int16Array.from({ length: frameSamples }, (_, i) => 8000 * Math.sin((2 * Math.PI * i) / 8));
  const pcm = new Int16Array(frameSamples * 6);
  for (let i = 0; i < frames; i++) {
    lawDecoder.decode(lawEncoder.encode(frame), frame);
    decoder.decode(encoder.encode(frame), pcm);
    decoder.conceal(frameSamples, undefined, pcm);
  }
  for (const coder of [encoder, decoder, lawEncoder, lawDecoder]) coder.close();
}
