import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../src/lib/clock.js';
import { systemIds } from '../../../../src/lib/ids.js';
import { nonceLifeMs, Nonces } from '../../../../src/sip/digest/nonces.js';

const peer = 'pbx 10.0.0.5';

describe('a nonce', () => {
  it('is taken once a count, growing, from the peer it was made for', () => {
    const nonces = new Nonces(new FakeClock(), systemIds);
    const nonce = nonces.issue(peer);
    expect(nonces.use(nonce, 'pbx 10.0.0.6', 1)).toBe(false);
    expect([1, 1, 3, 2, 3, 4].map((count) => nonces.use(nonce, peer, count))).toEqual([
      ...[true, false, true, false, false, true],
    ]);
    expect(nonces.use(nonces.issue(peer), peer, 0)).toBe(false);
  });

  it('is taken for 60 s, and forgotten then', () => {
    const clock = new FakeClock();
    const nonces = new Nonces(clock, systemIds);
    const [young, old] = [nonces.issue(peer), nonces.issue(peer)];
    clock.advance(nonceLifeMs - 1);
    expect(nonces.use(young, peer, 1)).toBe(true);
    clock.advance(1);
    expect([nonces.use(old, peer, 1), nonces.use(young, peer, 2)]).toEqual([false, false]);
    expect(nonces.remembered).toBe(1);
    clock.advance(nonceLifeMs);
    expect(nonces.use(young, peer, 3)).toBe(false);
    expect(nonces.remembered).toBe(0);
  });

  it('of another process, or changed anywhere, is none', () => {
    const clock = new FakeClock();
    const nonces = new Nonces(clock, systemIds);
    const nonce = nonces.issue(peer);
    expect(new Nonces(clock, systemIds).use(nonce, peer, 1)).toBe(false);
    for (let at = 0; at < nonce.length; at++) {
      const changed = `${nonce.slice(0, at)}${nonce[at] === '0' ? '1' : '0'}${nonce.slice(at + 1)}`;
      expect(nonces.use(changed, peer, 1)).toBe(false);
    }
    for (const none of ['', '-', 'constructor', `${nonce}0`]) expect(nonces.use(none, peer, 1)).toBe(false);
    expect(nonces.use(nonce, peer, 1)).toBe(true);
  });
});
