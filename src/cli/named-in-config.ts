import { didYouMean } from '../config/did-you-mean.js';
import { toE164 } from '../routing/e164.js';
import { instantOf } from '../routing/local-time.js';
import type { Trunk, WaNumber } from '../routing/types.js';

/** The command line names something that is not there or does not go together. */
export class UsageError extends Error {}

/** A business number by its name, its id or the number itself. @throws UsageError */
export function numberNamed(text: string, numbers: readonly WaNumber[]): WaNumber {
  const asNumber = toE164(text);
  const found =
    numbers.find(({ name, id }) => name === text || id === text) ?? numbers.find(({ number }) => number === asNumber);
  if (found) return found;
  throw unknown('number', text, numbers, [...numbers.map(({ name }) => name), ...numbers.map(({ number }) => number)]);
}

/** A trunk by its name. @throws UsageError */
export function trunkNamed(text: string, trunks: readonly Trunk[]): Trunk {
  const found = trunks.find(({ name }) => name === text);
  if (found) return found;
  throw unknown(
    'trunk',
    text,
    trunks,
    trunks.map(({ name }) => name),
  );
}

/** What `--at` says, by the clocks of the number's call hours if it has no offset; now if it is left out. @throws UsageError */
export function timeOf(text: string | undefined, number: WaNumber, nowMs: () => number): number {
  if (text === undefined) return nowMs();
  const atMs = instantOf(text, number.callHours?.timezoneId ?? 'UTC');
  if (atMs !== undefined) return atMs;
  throw new UsageError(
    '--at is a date and time like 2026-12-24T10:00, with Z or +01:00 behind it or in the number’s zone',
  );
}

function unknown(
  what: string,
  text: string,
  named: readonly { readonly name: string }[],
  words: readonly string[],
): UsageError {
  const near = didYouMean(text, words);
  const all = named.length === 0 ? 'it has none' : `it has: ${named.map(({ name }) => name).join(', ')}`;
  return new UsageError(
    `the configuration has no ${what} ${text}; ${near === undefined ? all : `did you mean ${near}?`}`,
  );
}
