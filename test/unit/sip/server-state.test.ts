import { expect, it } from 'vitest';
import { serverTransition, type ServerEvent, type ServerState } from '../../../src/sip/server-state.js';

const table: readonly (readonly [ServerState['health'], number, ServerEvent, ServerState['health'], number])[] = [
  ['unknown', 0, 'hit', 'up', 0],
  ['unknown', 0, 'miss', 'unknown', 1],
  ['unknown', 1, 'hit', 'up', 0],
  ['unknown', 1, 'miss', 'down', 2],
  ['up', 0, 'hit', 'up', 0],
  ['up', 0, 'miss', 'up', 1],
  ['up', 1, 'hit', 'up', 0],
  ['up', 1, 'miss', 'down', 2],
  ['down', 2, 'hit', 'up', 0],
  ['down', 2, 'miss', 'down', 2],
];

it.each(table)('a server that is %s after %i misses, %s: %s, %i', (health, misses, event, next, left) => {
  expect(serverTransition({ health, misses }, event)).toEqual({ health: next, misses: left });
});
