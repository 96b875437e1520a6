import { fromInt16, toInt16 } from './pcm.js';
import type { Pcm } from './pcm.js';
import { BadInputError } from '../../lib/bridge-error.js';

const HEADER_BYTES = 44;

/** A 16-bit mono WAV file. */
export function writeWav(pcm: Pcm): Buffer {
  const data = toInt16(pcm.samples);
  const bytes = Buffer.alloc(HEADER_BYTES + data.length * 2);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(pcm.rateHz, 24);
  bytes.writeUInt32LE(pcm.rateHz * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(data.length * 2, 40);
  data.forEach((value, i) => bytes.writeInt16LE(value, HEADER_BYTES + i * 2));
  return bytes;
}

function bad(what: string): BadInputError {
  return new BadInputError('SIP2WA_SANDBOX_WAV', `not a usable WAV file: ${what}`);
}

/** The chunks of a RIFF file by name; a length that runs over the end (an unfinished file) is cut. */
function chunks(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 4);
    found.set(bytes.toString('latin1', at, at + 4), bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length + (length & 1);
  }
  return found;
}

/** Reads a 16-bit PCM WAV file; of several channels the first. @throws BadInputError naming what is wrong. */
export function readWav(bytes: Buffer): Pcm {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF') throw bad('no RIFF header');
  const found = chunks(bytes);
  const format = found.get('fmt ');
  const data = found.get('data');
  if (!format || format.length < 16 || !data) throw bad('no fmt or data chunk');
  const channels = format.readUInt16LE(2);
  if (format.readUInt16LE(0) !== 1 || format.readUInt16LE(14) !== 16 || channels === 0) throw bad('not 16-bit PCM');
  const samples = new Int16Array(Math.floor(data.length / 2 / channels));
  for (let i = 0; i < samples.length; i++) samples[i] = data.readInt16LE(i * 2 * channels);
  return { rateHz: format.readUInt32LE(4), samples: fromInt16(samples) };
}
