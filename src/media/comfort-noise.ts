/** Louder noise than this is no background: a peer that claims it is wrong. In dB below overload. */
const loudestDbov = 36;
const overload = 32_768;

/**
 * White noise of the level that the far end said of its pauses (RFC 3389 §3.1: the first octet is the level in -dBov; the
 * colour, which may follow, is left out).
 */
export class ComfortNoise {
  #amplitude = 0;
  #state = 0x1234_5678;

  /** True from `start` to `stop`. */
  active = false;

  start(payload: Uint8Array): void {
    const levelDbov = Math.max(loudestDbov, (payload[0] ?? 127) & 0x7f);
    // The effective value of evenly spread samples is their largest by the root of three.
    this.#amplitude = overload * 10 ** (-levelDbov / 20) * Math.sqrt(3);
    this.active = true;
  }

  stop(): void {
    this.active = false;
  }

  /** Writes `samples` samples to the start of `pcm`. */
  fill(pcm: Int16Array, samples: number): void {
    let state = this.#state;
    for (let i = 0; i < samples; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      pcm[i] = Math.round((state / 0x8000_0000) * this.#amplitude);
    }
    this.#state = state;
  }
}
