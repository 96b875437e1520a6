/** Mean square of 16-bit samples at `dbfs`, a sine of full scale being 0 (AES17). */
const meanSquareAt = (dbfs: number): number => (32_768 ** 2 / 2) * 10 ** (dbfs / 10);

/** What is softer than this is silent on any line, and what is louder than the other never is. */
const [lowestClose, highestClose] = [meanSquareAt(-55), meanSquareAt(-42)];
/** So far above the noise of the line (6 dB) silence ends for sure; and so far above that (4 dB) speech begins. */
const [closeOverFloor, openOverClose] = [4, 2.5];
/** How fast the floor follows rising noise: about 4 dB in a second of 20 ms frames. */
const floorRise = 1.02;
const quietLine = meanSquareAt(-61);
/** A plosive lasts some milliseconds: over a whole frame it would drown. */
const partsPerFrame = 4;

/** How loud a frame is at its loudest: the mean square of the loudest quarter. */
export function loudnessOf(pcm: Int16Array): number {
  const part = Math.ceil(pcm.length / partsPerFrame);
  let loudest = 0;
  for (let from = 0; from < pcm.length; from += part) {
    const to = Math.min(pcm.length, from + part);
    let energy = 0;
    for (let i = from; i < to; i++) energy += (pcm[i] ?? 0) ** 2;
    loudest = Math.max(loudest, energy / (to - from));
  }
  return loudest;
}

/** Tells pauses from speech, one line's frames in order: a threshold above the line's own noise, with hysteresis. */
export class SilenceGate {
  #floor = quietLine;
  #isOpen = false;

  /** Takes the loudness of the next frame. */
  isSilent(loudness: number): boolean {
    this.#floor = Math.min(Math.max(loudness, 1), this.#floor * floorRise);
    const close = Math.min(highestClose, Math.max(lowestClose, this.#floor * closeOverFloor));
    this.#isOpen = loudness > (this.#isOpen ? close : close * openOverClose);
    return !this.#isOpen;
  }
}
