import { readFileSync, writeFileSync } from 'node:fs';

/** One channel of sound; samples from -1 to 1. */
export interface Sound {
  readonly rateHz: number;
  readonly samples: Float64Array;
}

interface Format {
  readonly channels: number;
  readonly rateHz: number;
  readonly bits: number;
}

/** Reads a 16 bit PCM WAV, first channel. An unfinished file (length 0 in its header) is read to its end. @throws Error for anything else */
export function readWav(path: string): Sound {
  const bytes = readFileSync(path);
  if (bytes.toString('latin1', 0, 4) !== 'RIFF') throw new Error(`${path}: no RIFF file`);
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    if (id === 'fmt ') format = readFormat(bytes, at + 8);
    if (id === 'data') return { rateHz: format?.rateHz ?? 0, samples: readSamples(path, bytes, at + 8, size, format) };
    at += 8 + size + (size & 1);
  }
  throw new Error(`${path}: no sound in it`);
}

function readFormat(bytes: Buffer, at: number): Format {
  return {
    channels: bytes.readUInt16LE(at + 2),
    rateHz: bytes.readUInt32LE(at + 4),
    bits: bytes.readUInt16LE(at + 14),
  };
}

function readSamples(path: string, bytes: Buffer, at: number, size: number, format: Format | undefined): Float64Array {
  if (format?.bits !== 16) throw new Error(`${path}: not 16 bit PCM`);
  const length = size === 0 ? bytes.length - at : Math.min(size, bytes.length - at);
  const samples = new Float64Array(Math.floor(length / 2 / format.channels));
  return samples.map((_, index) => bytes.readInt16LE(at + index * 2 * format.channels) / 32768);
}

/** Writes a 16 bit mono WAV; samples beyond full scale are clipped. */
export function writeWav(path: string, sound: Sound): void {
  const bytes = Buffer.alloc(44 + sound.samples.length * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + sound.samples.length * 2, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(sound.rateHz, 24);
  bytes.writeUInt32LE(sound.rateHz * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(sound.samples.length * 2, 40);
  sound.samples.forEach((value, index) => {
    bytes.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(value * 32767))), 44 + index * 2);
  });
  writeFileSync(path, bytes);
}
