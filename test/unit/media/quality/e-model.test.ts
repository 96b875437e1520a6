import { describe, expect, it } from 'vitest';
import { mosOf } from '../../../../src/media/quality/e-model.js';

const perfect = { codec: 'PCMA', lossRatio: 0, jitterMs: 0, roundTripMs: 0 };

describe('E-model', () => {
  it('rates G.711 without a fault as ITU-T G.107 does, less what its own 20 ms cost', () => {
    // R = 93.2 - 0.024 * 20; G.107 Annex B gives 4.41 for 93.2.
    expect(mosOf(perfect)).toBeCloseTo(4.4, 2);
  });

  it('rates G.711 with 1, 5 and 10 % of random loss by Ie 0 and Bpl 25.1 (G.113)', () => {
    const rated = [0.01, 0.05, 0.1].map((lossRatio) => Number(mosOf({ ...perfect, lossRatio }).toFixed(2)));
    // Ie_eff = 95 * Ppl / (Ppl + 25.1): 3.64, 15.78, 27.07.
    expect(rated).toEqual([4.32, 3.9, 3.39]);
  });

  it('counts delay twice as dear beyond 177 ms, half the round trip and twice the jitter of it', () => {
    const near = mosOf({ ...perfect, roundTripMs: 300 });
    const far = mosOf({ ...perfect, roundTripMs: 600 });
    expect(near).toBeCloseTo(4.317, 2);
    expect(far).toBeCloseTo(3.589, 2);
    expect(mosOf({ ...perfect, jitterMs: 65, roundTripMs: 40 })).toBeCloseTo(near, 5);
  });

  it('never leaves 1 to 4.5, whatever it is told, and never rises with loss', () => {
    for (const codec of ['PCMA', 'PCMU', 'G722', 'opus', '']) {
      let last = 4.5;
      for (let lossRatio = -0.5; lossRatio <= 1.5; lossRatio += 0.01) {
        const mos = mosOf({ codec, lossRatio, jitterMs: 20, roundTripMs: 100 });
        expect(mos).toBeGreaterThanOrEqual(1);
        expect(mos).toBeLessThanOrEqual(last);
        last = mos;
      }
      expect(last).toBeLessThan(1.6);
    }
    expect(mosOf({ ...perfect, roundTripMs: 1e6 })).toBe(1);
  });
});
