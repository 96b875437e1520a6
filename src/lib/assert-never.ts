/** Marks a branch that the type checker has proven unreachable; throws if it is reached all the same. */
export function assertNever(value: never, what = 'value'): never {
  throw new TypeError(`unexpected ${what}: ${JSON.stringify(value)}`);
}
