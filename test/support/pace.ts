/** Calls `step` `count` times, one each `intervalMs` of real time, on an absolute beat that does not drift. */
export function pace(count: number, intervalMs: number, step: (i: number) => void): Promise<void> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    let done = 0;
    const run = (): void => {
      try {
        while (done < count && done * intervalMs <= performance.now() - start) step(done++);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      if (done === count) resolve();
      else setTimeout(run, Math.max(1, start + done * intervalMs - performance.now()));
    };
    run();
  });
}
