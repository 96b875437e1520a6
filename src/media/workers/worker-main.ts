/**
 * Entry of a media worker's process. Signals to the process group, from a terminal or a service manager, are for the daemon: it
 * ends the calls first. They may come while the rest is still being loaded, so that is loaded afterwards.
 */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// For lists of processes.
process.title = `sip2wa media ${process.argv[2] ?? ''}`;
const { runWorker } = await import('./worker-process.js');
runWorker();
