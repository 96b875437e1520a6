import { configDefaults, defineConfig } from 'vitest/config';

/** Projects by cost: unit and property need no sockets; component, e2e and crash use loopback sockets; peers need Debian packages. */
const project = (name: string, testTimeout: number, extra: Record<string, unknown> = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...extra },
});

/** Folder of another werift to test with, in place of the pinned one: `.ci/run` runs the WebRTC tests on the next version too. */
const otherWerift = process.env['SIP2WA_WERIFT'];

/** Tests against a real drachtio-server are there only where one is: the environment names its binary. */
const withoutDrachtio = process.env['SIP2WA_DRACHTIO'] ? [] : ['test/component/**/drachtio-server*.test.ts'];

export default defineConfig({
  ...(otherWerift ? { resolve: { alias: [{ find: /^werift$/, replacement: otherWerift }] } } : {}),
  test: {
    projects: [
      // No file of these two changes what others see, so they share their modules: half the time.
      project('unit', 10_000, { isolate: false }),
      project('property', 20_000, { isolate: false }),
      project('component', 20_000, { exclude: [...configDefaults.exclude, ...withoutDrachtio] }),
      project('e2e', 60_000, { fileParallelism: false, pool: 'forks' }),
      // the built daemon, killed again and again
      project('crash', 60_000, { fileParallelism: false, pool: 'forks' }),
      project('peers', 120_000, { fileParallelism: false, pool: 'forks' }),
    ],
  },
});
