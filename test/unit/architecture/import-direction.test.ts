import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { checkTree, importsOf, packageOf, packageRooms, roomOf, roomsAllowed, sourceFiles } from './import-rules.js';

const repository = join(import.meta.dirname, '../../..');
const sourceRoot = join(repository, 'src');

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as Manifest;

/** What `npm ci --omit=dev` installs: the only packages that production code may import. */
function shippedPackages(): Set<string> {
  return new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]);
}

/** What operators install when they want what needs it. */
const onDemandPackages = (): Set<string> => new Set(Object.keys(manifest.peerDependencies));

// Parses every source file, which takes its time on a machine that is busy with other tests.
describe('the source tree', { timeout: 60_000 }, () => {
  it('obeys the import direction, keeps packages in their rooms and has no cycles', () => {
    const violations = checkTree(sourceRoot, shippedPackages(), onDemandPackages());
    expect(violations.map(({ rule, text }) => `${rule}: ${text}`)).toEqual([]);
  });

  it('is looked at in full: every file has its imports read', () => {
    const files = sourceFiles(sourceRoot);
    const imports = files.flatMap((file) => importsOf(sourceRoot, file));
    expect(files.length).toBeGreaterThan(15);
    // Each relative import leads to a file of the tree, so none is overlooked by a wrong resolution.
    expect(imports.filter(({ to }) => to !== undefined && files.includes(to)).length).toBeGreaterThan(15);
  });

  it('has a rule for every package that package.json ships and that belongs to one room', () => {
    const known = new Set([...shippedPackages(), ...onDemandPackages()]);
    expect(Object.keys(packageRooms).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the layers as written down', () => {
  it('allow no room cycle', () => {
    const settled = new Set<string>();
    let rooms = Object.keys(roomsAllowed);
    for (let before = -1; rooms.length > 0 && before !== rooms.length;) {
      before = rooms.length;
      for (const room of rooms) if ((roomsAllowed[room] ?? []).every((one) => settled.has(one))) settled.add(room);
      rooms = rooms.filter((room) => !settled.has(room));
    }
    expect(rooms).toEqual([]);
  });

  it('let only the command line import the sandbox and only the daemon the SIP server', () => {
    const importersOf = (target: string): string[] =>
      Object.keys(roomsAllowed).filter((room) => roomsAllowed[room]?.includes(target));
    expect(importersOf('sandbox')).toEqual(['cli']);
    expect(importersOf('sip-server')).toEqual(['daemon']);
    expect(importersOf('config')).toEqual(['cli', 'daemon', 'http', 'observability']);
    expect(roomsAllowed.call).toEqual(['lib']);
    expect(roomsAllowed.sandbox).toEqual(['lib']);
    expect(roomsAllowed['sip-server']).toEqual(['lib']);
  });
});

describe('the checker', { timeout: 30_000 }, () => {
  const trees: string[] = [];
  afterEach(() => {
    for (const tree of trees.splice(0)) rmSync(tree, { recursive: true });
  });

  /** Writes files below a fresh folder and checks them; `werift` and its like count as shipped. */
  function check(files: Readonly<Record<string, string>>): string[] {
    const root = mkdtempSync(join(tmpdir(), 'sip2wa-imports-'));
    trees.push(root);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return checkTree(root, new Set([...Object.keys(packageRooms), 'zod'])).map(({ rule, text }) => `${rule}: ${text}`);
  }
  const leaf = 'export const x = 1;\n';

  it('passes a tree that keeps the rules', () => {
    expect(
      check({
        'main.ts': "import { x } from './cli/run.js';\nexport { x };\n",
        'cli/run.ts':
          "import { x } from '../daemon.js';\nimport type { P } from '../sandbox/phone.js';\nexport { x, type P };\n",
        'daemon.ts': "import { x } from './sip/leg.js';\nexport { x };\n",
        'sip/leg.ts': "import Srf from 'drachtio-srf';\nimport { x } from '../media/engine.js';\nexport { Srf, x };\n",
        'media/engine.ts': "import { x } from '../sdp/offer.js';\nimport * as w from 'werift';\nexport { x, w };\n",
        'sdp/offer.ts':
          "import { parse } from 'sdp-transform';\nimport { readFileSync } from 'node:fs';\nexport const x = [parse, readFileSync];\n",
        'sandbox/phone.ts': "const wrtc = await import('@roamhq/wrtc');\nexport type P = typeof wrtc;\n",
      }),
    ).toEqual([]);
  });

  it.each([
    ['lib above itself', 'lib/a.ts', '../call/leg.js', 'call/leg.ts'],
    ['the pure core from an adapter', 'call/machine.ts', '../sip/leg.js', 'sip/leg.ts'],
    ['SIP from WhatsApp', 'whatsapp/leg.ts', '../sip/leg.js', 'sip/leg.ts'],
    ['WhatsApp from SIP', 'sip/leg.ts', '../whatsapp/leg.js', 'whatsapp/leg.ts'],
    ['configuration from SIP', 'sip/leg.ts', '../config/config.js', 'config/config.ts'],
    ['configuration from WhatsApp', 'whatsapp/leg.ts', '../config/config.js', 'config/config.ts'],
    ['the sandbox from the daemon', 'daemon.ts', './sandbox/phone.js', 'sandbox/phone.ts'],
    ['the sandbox from a room of production', 'http/listener.ts', '../sandbox/phone.js', 'sandbox/phone.ts'],
    ['production from the sandbox', 'sandbox/phone.ts', '../sdp/offer.js', 'sdp/offer.ts'],
    ['the SIP server from the SIP room', 'sip/server.ts', '../sip-server/server.js', 'sip-server/server.ts'],
    ['the SIP server from the command line', 'cli/run.ts', '../sip-server/server.js', 'sip-server/server.ts'],
    ['the call core from the SIP server', 'sip-server/server.ts', '../call/leg.js', 'call/leg.ts'],
    ['media from SDP', 'sdp/offer.ts', '../media/engine.js', 'media/engine.ts'],
    ['SDP from routing', 'routing/table.ts', '../sdp/offer.js', 'sdp/offer.ts'],
    ['the daemon past the command line', 'main.ts', './daemon.js', 'daemon.ts'],
    ['the command line from the daemon', 'daemon.ts', './cli/run.js', 'cli/run.ts'],
    ['SIP from the switchboard', 'switchboard.ts', './sip/leg.js', 'sip/leg.ts'],
    ['logging from HTTP', 'http/listener.ts', '../observability/logger.js', 'observability/logger.ts'],
  ])('refuses %s', (_what, from, specifier, to) => {
    expect(check({ [from]: `import { x } from '${specifier}';\nexport { x };\n`, [to]: leaf })).toEqual([
      `direction: ${from} (${roomOf(from)}) must not import ${to} (${roomOf(to)})`,
    ]);
  });

  it.each([
    ['a type import', "import type { X } from '../sip/leg.js';\nexport type Y = X;\n"],
    ['a re-export', "export * from '../sip/leg.js';\n"],
    ['a named re-export of a type', "export { type X } from '../sip/leg.js';\n"],
    ['a dynamic import', "export const load = () => import('../sip/leg.js');\n"],
    ['an import type', "export type Y = import('../sip/leg.js').X;\n"],
    ['a require', "declare const require: (path: string) => unknown;\nexport const x = require('../sip/leg.js');\n"],
    ['an import for its effects', "import '../sip/leg.js';\n"],
  ])('sees %s', (_what, text) => {
    expect(check({ 'call/a.ts': text, 'sip/leg.ts': 'export type X = 1;\n' })).toEqual([
      'direction: call/a.ts (call) must not import sip/leg.ts (sip)',
    ]);
  });

  it.each(Object.entries(packageRooms))('keeps %s in its rooms', (name, rooms) => {
    for (const room of Object.keys(roomsAllowed)) {
      const found = check({ [`${room}/a.ts`]: `import * as all from '${name}';\nexport { all };\n` });
      expect(found).toEqual(
        rooms.includes(room)
          ? []
          : [`package: ${room}/a.ts (${room}) must not import ${name}: only ${rooms.join(', ')} may`],
      );
    }
  });

  it('sees a package through a subpath and through createRequire', () => {
    expect(check({ 'call/a.ts': "import x from 'werift/lib/ice';\nexport { x };\n" })).toHaveLength(1);
    expect(
      check({
        'call/a.ts':
          "import { createRequire } from 'node:module';\nexport const x: unknown = createRequire(import.meta.url)('@roamhq/wrtc');\n",
      }),
    ).toEqual(['package: call/a.ts (call) must not import @roamhq/wrtc: only sandbox may']);
  });

  it('refuses packages that an installation without development tools does not have', () => {
    expect(check({ 'lib/a.ts': "import fc from 'fast-check';\nexport { fc };\n" })).toEqual([
      'manifest: lib/a.ts imports fast-check, not a dependency of package.json',
    ]);
  });

  it('lets packages that operators install be loaded on demand alone', () => {
    const judged = (text: string): number => {
      const root = mkdtempSync(join(tmpdir(), 'sip2wa-imports-'));
      trees.push(root);
      mkdirSync(join(root, 'lib'));
      writeFileSync(join(root, 'lib/a.ts'), text);
      return checkTree(root, new Set(), new Set(['on-demand'])).length;
    };
    for (const lazy of [
      "export const load = () => import('on-demand');\n",
      "import type { X } from 'on-demand';\nexport type Y = X;\n",
      "export type { X } from 'on-demand';\n",
    ])
      expect([lazy, judged(lazy)]).toEqual([lazy, 0]);
    for (const eager of [
      "import { x } from 'on-demand';\nexport { x };\n",
      "import { type X } from 'on-demand';\nexport type Y = X;\n",
      "export * from 'on-demand';\n",
      "import 'on-demand';\n",
    ])
      expect([eager, judged(eager)]).toEqual([eager, 1]);
  });

  it('finds cycles of two files, of three, of types alone, and a file that imports itself', () => {
    const pair = { 'call/a.ts': "export * from './b.js';\n", 'call/b.ts': "export * from './a.js';\n" };
    expect(check(pair)).toEqual(['cycle: files import each other: call/a.ts -> call/b.ts']);
    expect(
      check({
        'call/a.ts': "import type { B } from './b.js';\nexport type A = B;\n",
        'call/b.ts': "import type { C } from './c.js';\nexport type B = C;\n",
        'call/c.ts': "import type { A } from './a.js';\nexport type C = A | 1;\n",
        'call/d.ts': "export * from './a.js';\n",
      }),
    ).toEqual(['cycle: files import each other: call/a.ts -> call/b.ts -> call/c.ts']);
    expect(check({ 'call/a.ts': "export * from './a.js';\n" })).toHaveLength(1);
  });

  it('allows a diamond', () => {
    expect(
      check({
        'call/a.ts': "export * from './b.js';\nexport * from './c.js';\n",
        'call/b.ts': "export * from './d.js';\n",
        'call/c.ts': "export * from './d.js';\n",
        'call/d.ts': leaf,
      }),
    ).toEqual([]);
  });

  it('refuses files outside the rooms, paths out of the tree and files that are not there', () => {
    expect(check({ 'stray/a.ts': leaf })).toEqual(['room: stray/a.ts is in no room of the house']);
    expect(check({ 'lib/a.ts': "export * from '../../test/x.js';\n" })).toEqual([
      'direction: lib/a.ts leaves the source tree: ../../test/x.js',
    ]);
    expect(check({ 'lib/a.ts': "export * from './missing.js';\n" })).toEqual([
      'resolve: lib/a.ts imports ./missing.js, which does not exist',
    ]);
  });

  it('names packages by scope', () => {
    expect(packageOf('@roamhq/wrtc/lib')).toBe('@roamhq/wrtc');
    expect(packageOf('yaml')).toBe('yaml');
    expect(packageOf('node:fs')).toBeUndefined();
    expect(packageOf('fs')).toBeUndefined();
  });
});
