/** G.711 (ITU-T), written for the sandbox so that the daemon's own coder is judged by another. */
export type G711Law = 'PCMA' | 'PCMU';

const SEGMENT_END = [0x1f, 0x3f, 0x7f, 0xff, 0x1ff, 0x3ff, 0x7ff, 0xfff];
const MU_BIAS = 33;

function segmentOf(magnitude: number): number {
  const segment = SEGMENT_END.findIndex((end) => magnitude <= end);
  return segment < 0 ? 8 : segment;
}

/** One 16-bit sample in A-law: 13-bit magnitude, even bits inverted. */
function encodeA(sample: number): number {
  const negative = sample < 0;
  const magnitude = (negative ? ~sample : sample) >> 3;
  const mask = negative ? 0x55 : 0xd5;
  const segment = segmentOf(magnitude);
  if (segment >= 8) return 0x7f ^ mask;
  const mantissa = (segment < 2 ? magnitude >> 1 : magnitude >> segment) & 0x0f;
  return ((segment << 4) | mantissa) ^ mask;
}

function decodeA(byte: number): number {
  const value = byte ^ 0x55;
  const segment = (value & 0x70) >> 4;
  const mantissa = (value & 0x0f) << 4;
  const magnitude = segment === 0 ? mantissa + 8 : (mantissa + 0x108) << (segment - 1);
  return value & 0x80 ? magnitude : -magnitude;
}

/** One 16-bit sample in mu-law: 14-bit magnitude with bias 33, all bits inverted. */
function encodeMu(sample: number): number {
  const negative = sample < 0;
  const magnitude = Math.min((negative ? -sample : sample) >> 2, 8158) + MU_BIAS;
  const segment = segmentOf(magnitude >> 1);
  const mask = negative ? 0x7f : 0xff;
  if (segment >= 8) return 0x7f ^ mask;
  return ((segment << 4) | ((magnitude >> (segment + 1)) & 0x0f)) ^ mask;
}

function decodeMu(byte: number): number {
  const value = ~byte & 0xff;
  const magnitude = (((value & 0x0f) << 3) + 0x84) << ((value & 0x70) >> 4);
  return value & 0x80 ? 0x84 - magnitude : magnitude - 0x84;
}

const decodeTables = {
  PCMA: Float32Array.from({ length: 256 }, (_, byte) => decodeA(byte) / 32768),
  PCMU: Float32Array.from({ length: 256 }, (_, byte) => decodeMu(byte) / 32768),
};

/** Codes 8 kHz samples, one byte each. */
export function encodeG711(law: G711Law, samples: Float32Array): Buffer {
  const encode = law === 'PCMA' ? encodeA : encodeMu;
  const bytes = Buffer.alloc(samples.length);
  for (let i = 0; i < samples.length; i++) {
    bytes[i] = encode(Math.max(-32768, Math.min(32767, Math.round((samples[i] ?? 0) * 32767))));
  }
  return bytes;
}

/** Decodes to 8 kHz samples. */
export function decodeG711(law: G711Law, bytes: Uint8Array): Float32Array {
  const table = decodeTables[law];
  return Float32Array.from(bytes, (byte) => table[byte] ?? 0);
}
