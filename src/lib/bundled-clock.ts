import type { Clock, Timer } from './clock.js';

interface Entry {
  callback: (() => void) | undefined;
}

interface Bundle {
  readonly entries: Entry[];
  /** Entries that were not cancelled. */
  live: number;
  timer: Timer | undefined;
}

/**
 * A clock whose timers fire together: all that fall due within one `quantumMs` share a single timer of `clock`, at the end of
 * it. Hundreds of calls with a beat of 20 ms each would else wake the process for every one of them. A timer is late by one
 * quantum at the most.
 */
export function bundledClock(clock: Clock, quantumMs: number): Clock {
  const bundles = new Map<number, Bundle>();
  const fire = (entries: readonly Entry[], from: number): void => {
    let next = from;
    try {
      while (next < entries.length) entries[next++]?.callback?.();
    } finally {
      // One that throws must not take the others' turn away.
      if (next < entries.length) clock.after(0, () => fire(entries, next));
    }
  };
  const bundleAt = (place: number): Bundle => {
    const known = bundles.get(place);
    if (known) return known;
    const bundle: Bundle = { entries: [], live: 0, timer: undefined };
    bundles.set(place, bundle);
    bundle.timer = clock.after(Math.ceil(place * quantumMs - clock.monotonicMs()), () => {
      bundles.delete(place);
      fire(bundle.entries, 0);
    });
    return bundle;
  };
  const cancel = (entry: Entry, place: number, bundle: Bundle): void => {
    if (!entry.callback) return;
    entry.callback = undefined;
    if (--bundle.live > 0 || bundles.get(place) !== bundle) return;
    bundles.delete(place);
    bundle.timer?.cancel();
  };
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, callback) => {
      const place = Math.ceil((clock.monotonicMs() + Math.max(0, delayMs)) / quantumMs);
      const bundle = bundleAt(place);
      const entry: Entry = { callback };
      bundle.entries.push(entry);
      bundle.live++;
      return { cancel: () => cancel(entry, place, bundle) };
    },
  };
}
