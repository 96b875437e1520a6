import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { missesUntilDown, serverTransition, unknownServer, type ServerEvent } from '../../../src/sip/server-state.js';

describe('the state of a server', () => {
  const events = fc.array(fc.constantFrom<ServerEvent>('hit', 'miss'), { maxLength: 60 });

  it('is what its last events say: down after that many misses in a row, up from a hit until then', () => {
    fc.assert(
      fc.property(events, (seen) => {
        const state = seen.reduce(serverTransition, unknownServer);
        const missed = seen.length - 1 - seen.lastIndexOf('hit');
        const known = seen.includes('hit') ? 'up' : 'unknown';
        expect(state.health).toBe(missed >= missesUntilDown ? 'down' : known);
        expect(state.misses).toBe(Math.min(missed, missesUntilDown));
      }),
    );
  });

  it('changes no more often than hits come in', () => {
    fc.assert(
      fc.property(events, (seen) => {
        let [state, downs] = [unknownServer, 0];
        for (const event of seen) {
          const next = serverTransition(state, event);
          if (next.health === 'down' && state.health !== 'down') downs++;
          state = next;
        }
        expect(downs).toBeLessThanOrEqual(seen.filter((event) => event === 'hit').length + 1);
      }),
    );
  });
});
