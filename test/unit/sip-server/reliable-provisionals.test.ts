import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/lib/clock.js';
import { rackOf, ReliableProvisionals } from '../../../src/sip-server/core/reliable-provisionals.js';
import { header, NO_BODY } from '../../../src/sip-server/sip/message.js';
import { DEFAULT_TIMERS } from '../../../src/sip-server/timers.js';

class Scene {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  timeouts = 0;
  readonly reliable = new ReliableProvisionals({
    clock: this.clock,
    timers: DEFAULT_TIMERS,
    firstRseq: 7,
    onTimeout: () => this.timeouts++,
  });

  send(status: number, isReliable = false): number | undefined {
    const rseq = isReliable ? this.reliable.nextRseq() : undefined;
    const name = rseq === undefined ? String(status) : `${status}/${rseq}`;
    this.reliable.send({
      status,
      rseq,
      leave: () => this.log.push(name),
      repeat: () => this.log.push(`${name}+`),
    });
    return rseq;
  }
}

describe('reliable provisional responses (RFC 3262 §3)', () => {
  it('are repeated at T1, 2·T1, 4·T1 … till 64·T1', () => {
    const scene = new Scene();
    scene.send(183, true);
    for (const [ms, repeats] of [
      [499, 0],
      [1, 1],
      [1000, 2],
      [2000, 3],
      [4000, 4],
      [8000, 5],
      [16_000, 6],
    ] as const) {
      scene.clock.advance(ms);
      expect(scene.log.length - 1).toBe(repeats);
    }
    expect(scene.timeouts).toBe(0);
    scene.clock.advance(500);
    expect(scene.timeouts).toBe(1);
    scene.clock.advance(60_000);
    expect(scene.log).toHaveLength(7);
  });

  it('go one by one, and the 2xx after them', () => {
    const scene = new Scene();
    expect(scene.send(183, true)).toBe(7);
    scene.send(180, true);
    scene.send(181);
    scene.send(200);
    expect(scene.log).toEqual(['183/7', '181']);
    expect(scene.reliable.holdsFinal).toBe(true);
    expect([scene.reliable.awaits(7), scene.reliable.awaits(8)]).toEqual([true, false]);
    scene.reliable.acknowledged();
    expect(scene.log).toEqual(['183/7', '181', '180/8']);
    scene.clock.advance(500);
    expect(scene.log.at(-1)).toBe('180/8+');
    scene.reliable.acknowledged();
    expect(scene.log.at(-1)).toBe('200');
    expect(scene.reliable.holdsFinal).toBe(false);
    scene.clock.advance(60_000);
    expect([scene.log.at(-1), scene.timeouts]).toEqual(['200', 0]);
  });

  it('are over with a refusal', () => {
    const scene = new Scene();
    scene.send(183, true);
    scene.send(180, true);
    scene.send(486);
    scene.clock.advance(60_000);
    expect([scene.log, scene.timeouts]).toEqual([['183/7', '486'], 0]);
  });

  it('never overtake each other, whatever comes when', () => {
    const step = fc.oneof(fc.constantFrom('rel', 'plain', 'prack'), fc.integer({ min: 1, max: 3000 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const scene = new Scene();
        let pracked = 6;
        let latest = 6;
        for (const one of steps) {
          if (one === 'rel') latest = scene.send(183, true) ?? latest;
          else if (one === 'plain') scene.send(180);
          else if (one !== 'prack') scene.clock.advance(one);
          else if (scene.timeouts === 0 && scene.reliable.awaits(pracked + 1)) {
            pracked++;
            scene.reliable.acknowledged();
          }
          const left = scene.log.filter((name) => /\/\d+$/.test(name)).map((name) => Number(name.slice(4)));
          expect(left).toEqual(left.map((_rseq, index) => 7 + index));
          // Everything up to the first without PRACK is out, and nothing after it.
          expect(left.at(-1) ?? 6).toBe(Math.min(latest, pracked + 1));
        }
      }),
    );
  });

  it.each([
    ['7 1 INVITE', { rseq: 7, seq: 1 }],
    ['7  1\tINVITE', { rseq: 7, seq: 1 }],
    ['7 1 BYE', undefined],
    ['7 INVITE', undefined],
    ['x 1 INVITE', undefined],
    ['', undefined],
  ])('RAck %j', (value, rack) => {
    const prack = { kind: 'request', method: 'PRACK', uri: 'sip:x', version: '2.0', body: NO_BODY } as const;
    expect(rackOf({ ...prack, headers: [header('RAck', value)] })).toEqual(rack);
  });
});
