/** Polls the event loop until `check` holds; rejects with what it last said when `deadlineMs` runs out. */
export async function eventually(check: () => boolean, what: string, deadlineMs = 3000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!check()) {
    if (performance.now() > endMs) throw new Error(`never came about: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Lets everything that is already resolved run: promise callbacks and one turn of the event loop. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
