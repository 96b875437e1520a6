import { amplitudeAt } from '../../../src/sandbox/audio/measure.js';
import type { Pcm } from '../../../src/sandbox/audio/pcm.js';

const windowMs = 40;

/**
 * Share of the energy that lies at `hz`: the middle one of windows of 40 ms, so that a jump of phase at a packet that was
 * concealed costs its own window only. 0 without sound.
 */
export function tonePurity({ rateHz, samples }: Pcm, hz: number): number {
  const size = Math.round((rateHz * windowMs) / 1000);
  const shares: number[] = [];
  for (let at = 0; at + size <= samples.length; at += size) {
    const piece = samples.subarray(at, at + size);
    const energy = piece.reduce((sum, value) => sum + value * value, 0) / size;
    shares.push(energy < 1e-5 ? 0 : Math.min(1, amplitudeAt(piece, rateHz, hz) ** 2 / 2 / energy));
  }
  shares.sort((a, b) => a - b);
  return shares[Math.floor(shares.length / 2)] ?? 0;
}
