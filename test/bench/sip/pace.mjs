const TICK_MS = 1;

/**
 * Calls `begin` so many times a second for so long, evenly, and `tick` every millisecond, also afterwards for as long as
 * `isBusy` says and `patienceMs` allows. What is due while the event loop is held up is made up for at once. Nothing more
 * is begun once `isHopeless` says so. Resolves with how long it was begun, milliseconds.
 */
export function atRate({ perSecond, seconds, begin, tick, isBusy, patienceMs, isHopeless = () => false }) {
  let total = Math.round(perSecond * seconds);
  const startMs = performance.now();
  let begun = 0;
  let lastMs = 0;
  return new Promise((resolve) => {
    const step = () => {
      const nowMs = performance.now();
      if (isHopeless()) total = begun;
      const due = Math.min(total, Math.floor(((nowMs - startMs) * perSecond) / 1000) + 1);
      for (; begun < due; begun++) begin(nowMs);
      tick(nowMs);
      if (begun < total) lastMs = nowMs;
      const isOver = begun >= total && (!isBusy() || nowMs - lastMs > patienceMs);
      if (isOver) resolve(lastMs - startMs);
      else setTimeout(step, TICK_MS);
    };
    step();
  });
}
