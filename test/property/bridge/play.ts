import { BridgeScene, type BridgeSceneOptions } from '../../support/bridge/bridge-scene.js';
import { make, releaseAll, runOut, type Ending, type Step } from './moves.js';
import { faults } from './rules.js';

/** What sequences have come to, so that a test whose sequences come to nothing is noticed. */
export type Reached = Map<string, number>;

/** Plays a sequence to its end; what is wrong then, with what was seen on the wires behind it. */
export async function play(
  steps: readonly Step[],
  ending: Ending,
  options: BridgeSceneOptions,
  reached: Reached = new Map(),
): Promise<string[]> {
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
  for (const what of deeds(scene)) reached.set(what, (reached.get(what) ?? 0) + 1);
  const found = [...faults(scene, ending), ...rejections.map((reason) => `unhandled rejection: ${String(reason)}`)];
  return found.length === 0 ? [] : [...found, `\n${ending}:\n${scene.wire.text()}`];
}

/** What a sequence had in it, each once. */
function deeds({ wire, records, results, srf }: BridgeScene): Set<string> {
  return new Set([
    ...wire.sights.filter(({ where }) => where !== 'call').map(({ what }) => what),
    ...records.map(({ direction, answer, code }) => `${direction} ${answer === undefined ? code : 'answered'}`),
    ...results.keys(),
    ...(new Set(srf.outgoing.map(({ call }) => call)).size < srf.outgoing.length ? ['failover'] : []),
    ...(srf.dialogs.some(({ byes }) => byes.size > 1) ? ['BYE crosses BYE'] : []),
    ...(srf.outgoing.some(({ cancelAsked, status }) => cancelAsked && status === 200) ? ['200 crosses CANCEL'] : []),
  ]);
}
