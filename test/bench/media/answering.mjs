/* What every measured Node process has: it answers questions, tells its memory and ends when asked to, or with its parent. */

/** Answers questions by `answers[what](facts)`, which may be asynchronous. */
export function answerQuestions(answers) {
  const all = { hello: () => true, memory, ...answers };
  process.on('message', async ({ id, what, ...facts }) => {
    if (what === 'stop') process.exit(0);
    try {
      process.send({ id, answer: (await all[what](facts)) ?? null });
    } catch (err) {
      process.send({ id, error: String(err?.stack ?? err) });
    }
  });
  process.on('disconnect', () => process.exit(0));
}

/** After a full collection; the second pass takes what the finalisers of the first let go. */
function memory() {
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heapUsed, external };
}
