import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSandbox } from '../../../src/sandbox/sandbox.js';
import { plainTree, type PlainTree } from '../../support/plain-node.js';
import { freePort } from '../../support/ports.js';

let tree: PlainTree;
beforeAll(() => {
  tree = plainTree(['src']);
  copyFileSync('package.json', tree.path('package.json'));
  // Everything is compiled, perhaps beside other tests.
}, 90_000);
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

it('a command that waits before it tries again is not ended by having nothing else to do', async () => {
  const file = tree.path('sip2wa.yaml');
  writeFileSync(
    file,
    `
graph: { base_url: "http://127.0.0.1:${await freePort()}", access_token: canary-token, app_secret: app-secret-of-the-test }
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

/** Of util-linux, which every Debian has: it runs a command on a terminal of its own. */
const script = '/usr/bin/script';

describe('sip2wa settings apply on a terminal', () => {
  /** What stands on the terminal at the end, and the exit code. `answer` is typed once the command asks. */
  async function onTerminal(command: string, answer: string): Promise<{ code: number | null; screen: string }> {
    const child = spawn(script, ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let screen = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      if (!screen.includes('[y/N]') && (screen + more).includes('[y/N]')) child.stdin.write(`${answer}\n`);
      screen += more;
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    return { code, screen };
  }

  it('asks before it writes, and takes nothing but yes for it; --yes and --dry-run are not asked', async () => {
    const meta = { appSecret: 'app-secret-of-the-test', accessToken: 'canary-token', numberId: '105615555715855' };
    const sandbox = await startSandbox({ ...meta, businessNumber: '+15551112222' });
    const file = tree.path('settings.yaml');
    const settings = '{ calling: { callback_permission_status: ENABLED } }';
    writeFileSync(
      file,
      `
graph: { base_url: "${sandbox.graphUrl}", access_token: canary-token, app_secret: app-secret-of-the-test }
webhook: { verify_token: verify-of-the-test }
trunks: [{ name: pbx, servers: [{ hostname: 127.0.0.1 }] }]
numbers: [{ id: "105615555715855", number: "+15551112222", name: sales, trunk: pbx, settings: ${settings} }]
`,
      { mode: 0o600 },
    );
    const apply = `${process.execPath} ${tree.path('src/main.ts')} settings apply --config ${file}`;
    const posts = (): number => sandbox.graph.received('settings').length;
    try {
      const refused = await onTerminal(apply, 'no');
      expect([refused.code, posts()]).toEqual([1, 0]);
      expect(refused.screen).toContain('callback_permission_status: DISABLED -> ENABLED');
      expect(refused.screen).toContain('nothing was sent');
      expect(await onTerminal(`${apply} --dry-run`, 'no')).toMatchObject({ code: 0 });
      expect(posts()).toBe(0);
      const applied = await onTerminal(apply, 'y');
      expect([applied.code, posts()]).toEqual([0, 1]);
      expect(applied.screen).toContain('1 of 1 numbers');
      sandbox.exchange.settings.hold({ status: 'ENABLED' });
      const unasked = await onTerminal(`${apply} --yes`, 'no');
      expect([unasked.code, posts(), unasked.screen.includes('[y/N]')]).toEqual([0, 2, false]);
    } finally {
      await sandbox.stop();
    }
  }, 60_000);
});
