import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 5;

/** Watches for how long this process stands still. */
export function watchStalls(): { /** The longest stall in milliseconds. */ stop(): number } {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    stop: () => {
      histogram.disable();
      return Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
    },
  };
}
