/** Added delay that 99 of 100 packets must stay below, each way. */
export const MOST_P99_US = 5000;
/** Later than this with 1 of 100 of its own packets, the load cannot judge others. */
const MOST_LATE_US = 1000;

/** What keeps a window from being borne; undefined if nothing does. */
export function faultOf(window) {
  if (window.lateP99Us >= MOST_LATE_US) return 'load';
  for (const name of ['toWhatsApp', 'toPbx']) {
    const way = window[name];
    const isStamped = way.marksSent === 0;
    const lost = isStamped ? way.sent - way.received : way.marksSent - way.marksHeard;
    // A transcoder's packets are its own: those that cross the edges of the window are told from lost ones by the marks.
    const isThin = way.received < 0.99 * way.sent;
    if (way.sent === 0 || lost > 0 || isThin || way.missing > 0 || way.muteLegs > 0) return 'loss';
    if (way.unauthentic > 0 || way.repeated > 0 || way.sendErrors > 0) return 'packets';
    if (way.p99Us >= MOST_P99_US) return 'delay';
  }
  return window.droppedByKernel > 0 ? 'loss' : undefined;
}

/** Whether a window that was not borne may have been a passing fault, so that another one is worth its time. */
export function isDoubtful({ toWhatsApp, toPbx, cores }) {
  return cores < 0.97 && Math.max(toWhatsApp.p99Us, toPbx.p99Us) < 20 * MOST_P99_US;
}

/** Whether a search got no further since the load itself was late: others took its core. */
export function isHeldByLoad(tried, knee) {
  const failed = tried.filter(({ fault, calls }) => fault && calls > knee);
  const fewest = Math.min(...failed.map(({ calls }) => calls));
  return failed.some(({ calls, fault }) => calls === fewest && fault === 'load');
}

/** Share of a core at which delays begin to grow, more or less. */
const BUSY = 0.7;

/** Where to begin when nothing is known: what `window`'s CPU time says; overhead of waking up makes it say too little. */
export function guessFrom({ calls, cores }) {
  return Math.max(1, Math.round((calls * BUSY) / Math.max(cores, 0.01)));
}

/**
 * Looks for the highest number of calls that is borne: up or down by `factor` from `start`, then by halves until the
 * distance is below `closeEnough` (a factor). `attempt(calls)` says whether so many were borne. Stops early when `isLate`.
 * Resolves with the highest number borne, 0 if none was.
 */
export async function findKnee({ start, factor, closeEnough, most, isLate = () => false, attempt }) {
  let good = 0;
  let bad = most + 1;
  let calls = Math.min(start, most);
  while (calls > good && calls < bad && !isLate()) {
    if (await attempt(calls)) good = calls;
    else bad = calls;
    if (good > 0 && bad <= most && bad / good < closeEnough) break;
    calls = next(good, bad, factor, most);
  }
  return good;
}

function next(good, bad, factor, most) {
  if (good === 0) return Math.floor(bad / factor ** 2);
  if (bad > most) return Math.min(most, Math.max(good + 1, Math.round(good * factor)));
  return Math.floor((good + bad) / 2);
}
