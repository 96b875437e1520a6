import { BridgeScene, type BridgeSceneOptions } from '../../support/bridge/bridge-scene.js';
import { make, releaseAll, runOut, type Ending, type Step } from './moves.js';
import { faults } from './rules.js';

/** Plays a sequence to its end; what is wrong then, with what was seen on the wires behind it. */
export async function play(steps: readonly Step[], ending: Ending, options: BridgeSceneOptions): Promise<string[]> {
  const scene = new BridgeScene(options);
  const rejections: unknown[] = [];
  const onRejection = (reason: unknown): void => void rejections.push(reason);
  process.on('unhandledRejection', onRejection);
  try {
    for (const step of steps) await make(scene, step);
    await runOut(scene, ending);
    await releaseAll(scene);
  } finally {
    process.off('unhandledRejection', onRejection);
  }
  const found = [...faults(scene, ending), ...rejections.map((reason) => `unhandled rejection: ${String(reason)}`)];
  return found.length === 0 ? [] : [...found, `\n${ending}:\n${scene.wire.text()}`];
}
