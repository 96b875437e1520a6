import { describe, expect, it } from 'vitest';
import type { QualityReport } from '../../../src/call/media-quality.js';
import { QualityHistory } from '../../../src/observability/quality-history.js';

const report = (received: QualityReport['received']): QualityReport => ({
  ...{ codec: 'opus', intervalMs: 5_000, received, sent: { packets: 250 }, roundTripMs: 40 },
});

describe('the audio of a call over time', () => {
  it('keeps what a chart shows of each report', () => {
    const history = new QualityHistory();
    history.add('whatsapp', 1_000, report({ packets: 225, lost: 25, jitterMs: 7, mos: 4.1, levelDbfs: -21.5 }));
    history.add('pbx', 1_100, report({ packets: 0 }));
    history.add('pbx', 6_100, report({ packets: 250, lost: -2 }));
    expect(history.samples).toEqual([
      { side: 'whatsapp', at: 1_000, loss: 0.1, jitterMs: 7, mos: 4.1, roundTripMs: 40, levelDbfs: -21.5 },
      { side: 'pbx', at: 1_100, loss: 0, roundTripMs: 40 },
      { side: 'pbx', at: 6_100, loss: 0, roundTripMs: 40 },
    ]);
  });

  it('tells of a long call as a whole, in few samples of both sides', () => {
    const history = new QualityHistory();
    const lastMs = 4 * 3_600_000;
    for (let at = 0; at <= lastMs; at += 5_000) {
      history.add('whatsapp', at, report({ packets: 250 }));
      history.add('pbx', at, report({ packets: 250 }));
    }
    const { samples } = history;
    expect(samples.length).toBeGreaterThan(40);
    expect(samples.length).toBeLessThanOrEqual(120);
    for (const wanted of ['whatsapp', 'pbx'] as const) {
      const times = samples.filter(({ side }) => side === wanted).map(({ at }) => at);
      const steps = times.slice(1).map((at, i) => at - times[i]!);
      expect(times[0]).toBe(0);
      expect(times.at(-1)).toBeGreaterThan(lastMs * 0.95);
      expect(Math.max(...steps)).toBe(Math.min(...steps));
    }
  });
});
