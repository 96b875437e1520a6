import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';
import { plainTree, type PlainTree } from './plain-node.js';

/** Rooms that a media worker loads. */
const ROOMS = ['src/lib', 'src/call', 'src/routing', 'src/sdp', 'src/media'];

let tree: PlainTree | undefined;
afterAll(() => {
  tree?.remove();
  tree = undefined;
});

/** The program of a media worker as `sip2wa run` starts it, made of the sources as they are: once in each test file. */
export function builtWorkerEntry(): URL {
  tree ??= plainTree(ROOMS);
  return pathToFileURL(tree.path('src/media/workers/worker-main.ts'));
}
