import { join } from 'node:path';
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

/** Projects by cost: unit and property need no sockets; component, e2e, timed and crash use loopback sockets; peers need Debian packages. */
const project = (name: string, testTimeout: number, extra: Record<string, unknown> = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...extra },
});

const oneByOne = { fileParallelism: false, pool: 'forks' };

/** Folder of another werift to test with, in place of the pinned one: `.ci/run` runs the WebRTC tests on the next version too. */
const otherWerift = process.env['SIP2WA_WERIFT'];

/** Tests against a real drachtio-server are there only where one is: the environment names its binary. */
const withoutDrachtio = process.env['SIP2WA_DRACHTIO'] ? [] : ['test/component/**/drachtio-server*.test.ts'];

/** Tests of component and e2e that hold many calls, or sound itself, to real time: after all others, two at once. */
const timed = [
  'test/component/media-adversity/{attacks,fuzz,loss}.test.ts',
  'test/component/media/bleed.test.ts',
  'test/e2e/{attacks-on-workers,first-word,media-failures,packet-lengths}.test.ts',
];
const exclude = [...configDefaults.exclude, ...withoutDrachtio, ...timed];

/** All against the one drachtio-server that this names: one after the other. */
const sharesOneServer = process.env['SIP2WA_TEST_DRACHTIO'] ? oneByOne : {};

/** The other werift, and the libraries beside it that it agrees on keys with. */
function aliasesOf(werift: string): { find: RegExp; replacement: string }[] {
  return [
    { find: /^werift$/, replacement: werift },
    { find: /^@noble\/curves\/nist\.js$/, replacement: join(werift, '../@noble/curves/nist.js') },
    { find: /^tweetnacl$/, replacement: join(werift, '../tweetnacl/nacl-fast.js') },
  ];
}

export default defineConfig({
  ...(otherWerift ? { resolve: { alias: aliasesOf(otherWerift) } } : {}),
  test: {
    pool: 'forks',
    // Files at once: most of what they need is time, not the processor.
    // Each has ports of its own (test/support/ports.ts), for eight at most.
    maxWorkers: Math.min(8, Math.max(2, Math.ceil(availableParallelism() * 1.5))),
    projects: [
      // No file of these two changes what others see, so they share their modules: half the time.
      project('unit', 10_000, { isolate: false }),
      project('property', 20_000, { isolate: false }),
      project('component', 20_000, { exclude }),
      project('e2e', 60_000, { exclude, ...sharesOneServer }),
      project('timed', 60_000, { include: timed, maxWorkers: 2, sequence: { groupOrder: 1 }, ...sharesOneServer }),
      // the built daemon, killed again and again
      project('crash', 60_000, oneByOne),
      project('peers', 120_000, oneByOne),
    ],
  },
});
