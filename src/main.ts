#!/usr/bin/env node
import { runCli } from './cli/program.js';
import { usePlainEnvironment } from './lib/plain-environment.js';

/** A command has ended: what still holds the event loop after this time is a leak, and no reason to hang. */
const EXIT_GRACE_MS = 2_000;

usePlainEnvironment();
/** Whoever reads has seen enough (`| head`): nothing to complain of. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
/** Our timers never keep the process alive (lib/clock.ts), and a command may be waiting for nothing else: this one does. */
const awake = setInterval(() => undefined, 60_000);
process.exitCode = await runCli(process.argv.slice(2));
clearInterval(awake);
setTimeout(() => process.exit(), EXIT_GRACE_MS).unref();
