/** Looks every few milliseconds until `check` holds; rejects, naming `what`, when `deadlineMs` runs out. */
export async function until(check: () => boolean | Promise<boolean>, what: string, deadlineMs = 5000): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await check())) {
    if (performance.now() > endMs) throw new Error(`never came about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}
