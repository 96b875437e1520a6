import { readFileSync } from 'node:fs';

const root = new URL('../fixtures/codecs/', import.meta.url);

/** A recorded vector; see `test/fixtures/codecs/README.md`. */
export const bytesFixture = (name: string): Buffer => readFileSync(new URL(name, root));

/** 16-bit little-endian samples. */
export function samplesFixture(name: string): Int16Array {
  const bytes = bytesFixture(name);
  return Int16Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readInt16LE(2 * i));
}

interface Vectors {
  readonly 'opus packets': readonly string[];
  readonly 'g711 sha256': Readonly<Record<string, string>>;
}

export const codecVectors = (): Vectors => JSON.parse(bytesFixture('vectors.json').toString()) as Vectors;

/** How much louder than their difference the samples are, in dB. */
export function signalToNoiseDb(wanted: Int16Array, heard: Int16Array): number {
  let [signal, noise] = [0, 1e-9];
  wanted.forEach((value, i) => {
    signal += value ** 2;
    noise += (value - (heard[i] ?? 0)) ** 2;
  });
  return 10 * Math.log10(signal / noise);
}
