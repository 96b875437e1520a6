import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { installCommand, TRACING_PACKAGES } from '../../../src/observability/tracing/tracing-packages.js';
import { plainTree, type PlainTree } from '../../support/plain-node.js';

let tree: PlainTree;
beforeAll(() => {
  tree = plainTree(['src']);
  copyFileSync('package.json', tree.path('package.json'));
  withoutTracing();
  // Everything is compiled, perhaps beside other tests.
}, 90_000);
afterAll(() => tree.remove());

/** As `npm prune --omit=dev` leaves it. */
function withoutTracing(): void {
  const modules = tree.path('node_modules');
  rmSync(modules);
  mkdirSync(modules);
  const packages = readdirSync('node_modules').filter((name) => name !== '@opentelemetry');
  for (const name of packages) symlinkSync(resolve('node_modules', name), join(modules, name));
}

it('sip2wa check warns of packages that tracing needs and that are not installed, and passes', () => {
  const config = join(dirname(tree.path('package.json')), 'traced.yaml');
  writeFileSync(config, 'tracing: { otlp_url: "http://127.0.0.1:4318" }\n', { mode: 0o600 });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [tree.path('src/main.ts'), 'check', '--config', config],
    {
      encoding: 'utf8',
    },
  );
  expect([status, stdout]).toEqual([0, `${config}: ok: 0 numbers, 0 trunks, 0 routes, 2 warnings\n`]);
  const missing = `${Object.keys(TRACING_PACKAGES).join(', ')} are not installed`;
  expect(stderr).toContain(
    `${config}:1:22: warning: tracing.otlp_url: the daemon cannot start: ${missing}; in the folder of sip2wa: ${installCommand()}\n`,
  );
});
