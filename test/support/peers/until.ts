/** Waits until `probe` gives something, looking every few milliseconds; for states that announce themselves by no event. */
export async function until<T>(
  what: string | (() => string),
  deadlineMs: number,
  probe: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > end)
      throw new Error(`${typeof what === 'string' ? what : what()}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Lets audio run for a stretch of real time: the one thing in these tests that has no event to wait for. */
export function listenFor(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
