/** What a worker did to its processor since the last look. */
export interface LoadSeen {
  /** Share of one core that it used: 0 to 1, a little more with helping threads. */
  readonly cpuShare: number;
  /** Mean lateness of its event loop in milliseconds. */
  readonly loopDelayMeanMs: number;
}

/** How hard Opus is coded, and what led to it. */
export interface CoderEffort {
  /** Complexity of libopus. */
  readonly complexity: number;
  /** Looks in a row that found the worker busy, and at ease. */
  readonly busyLooks: number;
  readonly calmLooks: number;
  /** Looks at ease before the next step up; more each time that one turned out to be too much. */
  readonly patience: number;
  /** Looks during which a step down means that the last step up was too much. */
  readonly trialLooks: number;
}

/**
 * From the usual to the cheapest: at 8 kHz the last costs two fifths of the first. Between them lie the settings at which libopus
 * does something else.
 */
const steps = [5, 3, 1, 0] as const;
/** Over either the worker is busy; under both it is at ease. Between them all stays as it is. */
const busy: LoadSeen = { cpuShare: 0.75, loopDelayMeanMs: 5 };
const calm: LoadSeen = { cpuShare: 0.55, loopDelayMeanMs: 2 };
/** Looks that are busy in a row before a step down: one alone is a burst of set-ups. */
const busyLooksToYield = 2;
const [leastPatience, mostPatience] = [20, 320];
const trialLooks = 60;

export const fullEffort: CoderEffort = {
  ...{ complexity: steps[0], busyLooks: 0, calmLooks: 0, trialLooks: 0 },
  patience: leastPatience,
};

/**
 * One look at the load, every half second or so. Calls sound a little worse rather than stutter:
 *
 * ```
 *        two busy looks              two busy looks            two busy looks
 *   5 ──────────────────► 3 ──────────────────► 1 ──────────────────► 0
 *     ◄──────────────────   ◄──────────────────   ◄──────────────────
 *       `patience` at ease        and so on
 * ```
 *
 * A step down soon after a step up doubles the patience, so that it does not go to and fro; at the top, patience comes back.
 */
export function nextEffort(before: CoderEffort, load: LoadSeen): CoderEffort {
  const effort = { ...before, trialLooks: Math.max(0, before.trialLooks - 1) };
  if (isOver(load, busy)) return yielded({ ...effort, busyLooks: effort.busyLooks + 1, calmLooks: 0 });
  if (isOver(load, calm)) return { ...effort, busyLooks: 0, calmLooks: 0 };
  return raised({ ...effort, busyLooks: 0, calmLooks: effort.calmLooks + 1 });
}

function yielded(effort: CoderEffort): CoderEffort {
  const complexity = neighbour(effort.complexity, 1);
  if (effort.busyLooks < busyLooksToYield || complexity === undefined) return effort;
  const patience = effort.trialLooks > 0 ? Math.min(mostPatience, effort.patience * 2) : effort.patience;
  return { complexity, busyLooks: 0, calmLooks: 0, patience, trialLooks: 0 };
}

function raised(effort: CoderEffort): CoderEffort {
  if (effort.calmLooks < effort.patience) return effort;
  const complexity = neighbour(effort.complexity, -1);
  if (complexity !== undefined) return { ...effort, complexity, calmLooks: 0, trialLooks };
  return { ...effort, calmLooks: 0, patience: Math.max(leastPatience, effort.patience / 2) };
}

/** The next cheaper (1) or better (-1) step; undefined at the end. */
function neighbour(complexity: number, way: 1 | -1): number | undefined {
  return steps[steps.indexOf(complexity as (typeof steps)[number]) + way];
}

function isOver(load: LoadSeen, limit: LoadSeen): boolean {
  return load.cpuShare > limit.cpuShare || load.loopDelayMeanMs > limit.loopDelayMeanMs;
}
