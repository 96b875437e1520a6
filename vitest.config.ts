import { defineConfig } from 'vitest/config';

/** Projects by cost: unit and property need no sockets; component and e2e use loopback sockets; peers need Debian packages. */
const project = (name: string, testTimeout: number, extra: Record<string, unknown> = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project('unit', 5_000),
      project('property', 20_000),
      project('component', 20_000),
      project('e2e', 60_000, { fileParallelism: false, pool: 'forks' }),
      project('peers', 120_000, { fileParallelism: false, pool: 'forks' }),
    ],
  },
});
