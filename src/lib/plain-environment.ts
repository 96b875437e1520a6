/**
 * Makes `process.env` a plain object. Each look at the real one asks the C library; drachtio-srf looks for every header of
 * every message, which is a twentieth of the CPU of a SIP call. Child processes get the plain one's values.
 */
export function usePlainEnvironment(): void {
  process.env = { ...process.env };
}
