import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { plainTree, type PlainTree } from '../../support/plain-node.js';

let tree: PlainTree;
beforeAll(() => {
  tree = plainTree(['src']);
  copyFileSync('package.json', tree.path('package.json'));
});
afterAll(() => tree.remove());

/** `sip2wa` as a process of its own. */
async function sip2wa(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [tree.path('src/main.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

/** A port of loopback where nobody listens any more. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

it('a command that waits before it tries again is not ended by having nothing else to do', async () => {
  const file = tree.path('sip2wa.yaml');
  writeFileSync(
    file,
    `
graph: { base_url: "http://127.0.0.1:${await closedPort()}", access_token: canary-token, app_secret: app-secret-of-the-test }
webhook: { listen: "127.0.0.1:0", verify_token: verify-of-the-test }
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }], accept_from: [127.0.0.1/32] }]
numbers: [{ id: "105615555715855", number: "+15551112222", name: sales, trunk: pbx }]
`,
    { mode: 0o600 },
  );
  expect(await sip2wa('permissions', 'get', 'sales', '+49301234567', '--config', file)).toEqual({
    code: 1,
    out: '',
    err: 'sip2wa permissions get: call_permissions did not get through: ECONNREFUSED\n',
  });
});
