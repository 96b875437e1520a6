import { describe, expect, it } from 'vitest';
import { noUsage, TranscodeTally, usageOf } from '../../../src/media/media-usage.js';

describe('what is transcoded', () => {
  it('is counted by its two codecs, in place', () => {
    const tally = new TranscodeTally();
    const there = tally.of('opus', 'PCMA');
    const back = tally.of('PCMA', 'opus');
    there.frames += 3;
    tally.of('opus', 'PCMA').frames++;
    back.frames++;
    expect(tally.read()).toEqual([
      { from: 'opus', to: 'PCMA', frames: 4 },
      { from: 'PCMA', to: 'opus', frames: 1 },
    ]);
  });

  it('adds up over engines', () => {
    const one = { rtpPorts: 4, webrtcPorts: 2, transcoded: [{ from: 'opus', to: 'PCMA', frames: 5 }] };
    const other = {
      rtpPorts: 2,
      webrtcPorts: 1,
      transcoded: [
        { from: 'opus', to: 'PCMA', frames: 7 },
        { from: 'opus', to: 'G722', frames: 1 },
      ],
    };
    expect(usageOf([one, noUsage, other])).toEqual({
      ...{ rtpPorts: 6, webrtcPorts: 3 },
      transcoded: [
        { from: 'opus', to: 'PCMA', frames: 12 },
        { from: 'opus', to: 'G722', frames: 1 },
      ],
    });
  });
});
