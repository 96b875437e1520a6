/**
 * How often a property is tried: `base` times in a usual run. `SIP2WA_RUNS` multiplies it, e.g. 100 for the full count of a
 * test whose base is a hundredth of it. The time allowed grows with it.
 */
export function runsOf(base: number, baseMs: number): { readonly runs: number; readonly timeoutMs: number } {
  const factor = Number(process.env['SIP2WA_RUNS'] ?? '1');
  if (!(factor > 0)) throw new Error('SIP2WA_RUNS must be a number above 0');
  return { runs: Math.max(1, Math.round(base * factor)), timeoutMs: baseMs * Math.max(1, factor) };
}
