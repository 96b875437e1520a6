/* What every measured process tells of itself. `stop` ends it. */

/** Says `hello` to the parent, then answers its questions with CPU time (ms), memory (bytes) and `facts`. */
export function answerQuestions({ hello, facts }) {
  process.on('message', (question) => {
    if (question === 'stop') process.exit(0);
    if (question === 'collect') {
      // The second pass takes what the finalisers of the first let go.
      globalThis.gc();
      globalThis.gc();
    }
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    process.send({ cpuMs: (user + system) / 1000, rss, heapUsed, external, ...facts() });
  });
  process.on('disconnect', () => process.exit(0));
  process.send(hello);
}
