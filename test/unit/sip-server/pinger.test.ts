import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { Pinger } from '../../../src/sip-server/transport/pinger.js';

/** A pinger every 90 s, whose peer has 10 s for an answer. */
function pinger(onPing: () => void = () => undefined) {
  const clock = new FakeClock();
  const told = { pings: 0, silent: 0 };
  const line = new Pinger({
    ...{ clock, pingMs: 90_000, pongMs: 10_000 },
    ping: () => {
      told.pings++;
      onPing();
    },
    onSilent: () => told.silent++,
  });
  const pong = (): void => {
    line.heard();
    line.ponged();
  };
  return { clock, told, line, pong };
}

describe('a connection that is pinged more often than an answer may take', () => {
  it('lives while each answer comes in its time, though the next ping leaves before it', () => {
    const { clock, told, line, pong } = pinger();
    pong();
    line.atLeastEvery(5_000);
    clock.advance(5_000);
    for (let round = 0; round < 20; round++) {
      clock.advance(7_000);
      pong();
    }
    expect(told).toEqual({ pings: 29, silent: 0 });
  });

  it('is dead once the first ping that nobody answered is too old', () => {
    const { clock, told, line, pong } = pinger();
    pong();
    line.atLeastEvery(5_000);
    clock.advance(14_999);
    expect(told).toEqual({ pings: 2, silent: 0 });
    clock.advance(1);
    expect(told.silent).toBe(1);
  });
});

describe('a connection whose peer never answered a ping', () => {
  it('is kept, and pinged', () => {
    const { clock, told } = pinger();
    clock.advance(900_000);
    expect(told).toEqual({ pings: 10, silent: 0 });
  });
});

describe('a connection that is over', () => {
  it('is not pinged any more, whatever a registrar that answers late asks for', () => {
    const { clock, told, line, pong } = pinger();
    pong();
    clock.advance(90_000);
    line.stop();
    line.atLeastEvery(5_000);
    expect(clock.armed).toBe(0);
    clock.advance(200_000);
    expect(told).toEqual({ pings: 1, silent: 0 });
  });

  it('is left alone also when a ping was what ended it', () => {
    const scene = pinger(() => scene.line.stop());
    scene.pong();
    scene.clock.advance(90_000);
    expect(scene.clock.armed).toBe(0);
    expect(scene.told).toEqual({ pings: 1, silent: 0 });
  });
});
