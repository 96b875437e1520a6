import { pathToFileURL } from 'node:url';
import { plainTree, type PlainTree } from './plain-node.js';

/** Rooms that a media worker loads. */
const ROOMS = ['src/lib', 'src/call', 'src/routing', 'src/sdp', 'src/media'];

let tree: PlainTree | undefined;

/** The program of a media worker as `sip2wa run` starts it, made of the sources as they are: once in each test process. */
export function builtWorkerEntry(): URL {
  if (!tree) {
    const built = (tree = plainTree(ROOMS));
    process.once('exit', () => built.remove());
  }
  return pathToFileURL(tree.path('src/media/workers/worker-main.ts'));
}
