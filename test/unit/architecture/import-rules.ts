import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/** One import, export-from, `import()`, `require()` or `import('x').T` of a source file. */
export interface Import {
  /** File that imports, relative to the source root, with forward slashes. */
  readonly from: string;
  /** What is written between the quotes. */
  readonly specifier: string;
  /** Imported file relative to the source root; undefined for packages and built-in modules. */
  readonly to: string | undefined;
  /** Nothing of it is loaded with the file: a type, or `import()`. */
  readonly isLazy: boolean;
}

/** A broken rule, in words a reader can act on. */
export interface Violation {
  readonly rule: 'direction' | 'package' | 'cycle' | 'resolve' | 'room' | 'manifest';
  readonly text: string;
}

/**
 * Which rooms a room may import besides itself. Written out rather than computed from layers, because the exceptions
 * (`sandbox`, `sip-server`, `media -> sdp`, no config in the adapters) are what the test is for.
 */
export const roomsAllowed: Readonly<Record<string, readonly string[]>> = {
  main: ['cli', 'lib'],
  cli: [
    'daemon',
    'pages',
    'sandbox',
    'http',
    'observability',
    'sip',
    'whatsapp',
    'journal',
    'config',
    'routing',
    'sdp',
    'media',
    'call',
    'lib',
  ],
  daemon: [
    'switchboard',
    'sip-server',
    'http',
    'observability',
    'sip',
    'whatsapp',
    'journal',
    'config',
    'routing',
    'sdp',
    'media',
    'call',
    'lib',
  ],
  // The part of the composition root that joins arriving calls to legs; it sees the call core and the routes alone.
  switchboard: ['routing', 'call', 'lib'],
  http: ['sip', 'whatsapp', 'journal', 'config', 'routing', 'sdp', 'media', 'call', 'lib'],
  observability: ['sip', 'whatsapp', 'journal', 'config', 'routing', 'sdp', 'media', 'call', 'lib'],
  sip: ['routing', 'sdp', 'media', 'call', 'lib'],
  whatsapp: ['routing', 'sdp', 'media', 'call', 'lib'],
  journal: ['routing', 'sdp', 'media', 'call', 'lib'],
  config: ['routing', 'sdp', 'media', 'call', 'lib'],
  media: ['routing', 'sdp', 'call', 'lib'],
  sdp: ['routing', 'call', 'lib'],
  routing: ['call', 'lib'],
  call: ['lib'],
  lib: [],
  sandbox: ['lib'],
  'sip-server': ['lib'],
  // What runs in a browser; of it the terminal shows the same ladder.
  pages: [],
};

/** Packages that only the named rooms may touch, so that each can be replaced by changing one folder. */
export const packageRooms: Readonly<Record<string, readonly string[]>> = {
  'drachtio-srf': ['sip'],
  werift: ['media'],
  'sdp-transform': ['sdp', 'sandbox'],
  convict: ['config'],
  yaml: ['config'],
  winston: ['observability'],
  fastify: ['http', 'sandbox'],
  '@noble/curves': ['media'],
  tweetnacl: ['media'],
  '@roamhq/wrtc': ['sandbox'],
  '@opentelemetry/api': ['observability'],
  '@opentelemetry/exporter-trace-otlp-http': ['observability'],
  '@opentelemetry/resources': ['observability'],
  '@opentelemetry/sdk-trace-base': ['observability'],
};

/** Every TypeScript file under `root`, relative to it, with forward slashes, sorted. */
export function sourceFiles(root: string): string[] {
  return (
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.m?ts$/.test(path) && statSync(join(root, path)).isFile())
      .map((path) => path.split(sep).join('/'))
      // AssemblyScript: another language, with a compiler of its own.
      .filter((path) => !path.includes('/assembly/'))
      .sort()
  );
}

/** The room of a source file: its first folder, or the file's own name at the top (`main.ts`, `daemon.ts`). */
export function roomOf(file: string): string {
  const [first = ''] = file.split('/');
  return first.replace(/\.m?ts$/, '');
}

/** All imports of one file, type-only ones too: a type is a dependency like any other. */
export function importsOf(root: string, file: string): Import[] {
  const path = join(root, file);
  const tree = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const found: Import[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) {
      found.push({ from: file, specifier, to: resolveRelative(root, file, specifier), isLazy: isLazy(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return literal(node.moduleSpecifier);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return literal(node.argument.literal);
  if (ts.isExternalModuleReference(node)) return literal(node.expression);
  if (ts.isCallExpression(node) && loads(node)) return literal(node.arguments[0]);
  return undefined;
}

function isLazy(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node)) return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  return (
    ts.isImportTypeNode(node) || (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
  );
}

/** `import(…)`, `require(…)`, `require.resolve(…)` and `createRequire(…)(…)`; also `new URL('./x', import.meta.url)` is no import. */
function loads(call: ts.CallExpression): boolean {
  if (call.expression.kind === ts.SyntaxKind.ImportKeyword) return true;
  const callee = call.expression.getText();
  return /^(?:\w*[rR]equire)(?:\.resolve)?$/.test(callee) || /^createRequire\(.*\)$/s.test(callee);
}

function literal(node: ts.Node | undefined): string | undefined {
  return node && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function resolveRelative(root: string, file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const target = resolve(root, dirname(file), specifier).replace(/\.(m?)js$/, '.$1ts');
  return relative(root, target).split(sep).join('/');
}

/** The npm package of a bare specifier; undefined for built-in modules. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) return undefined;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}

/**
 * Checks a source tree against the house's rules.
 * @param root the source folder
 * @param shipped packages that an installation without development tools has (dependencies and optional ones)
 * @param onDemand packages that it may have (optional peers): nothing may be loaded from them before they are asked for
 */
export function checkTree(
  root: string,
  shipped: ReadonlySet<string>,
  onDemand: ReadonlySet<string> = new Set(),
): Violation[] {
  const files = sourceFiles(root);
  const imports = files.flatMap((file) => importsOf(root, file));
  const unknown = files
    .filter((file) => !(roomOf(file) in roomsAllowed))
    .map((file) => violation('room', `${file} is in no room of the house`));
  return [...unknown, ...imports.flatMap((one) => judge(root, one, { shipped, onDemand })), ...cycles(imports)];
}

interface Packages {
  readonly shipped: ReadonlySet<string>;
  readonly onDemand: ReadonlySet<string>;
}

function judge(root: string, one: Import, packages: Packages): Violation[] {
  const room = roomOf(one.from);
  if (one.to === undefined) return judgePackage(one, room, packages);
  if (one.to.startsWith('..')) return [violation('direction', `${one.from} leaves the source tree: ${one.specifier}`)];
  // `./x.js` may be a script shipped as it is (a worker's entry); anything else unresolved is a mistake.
  if (!existsSync(join(root, one.to)) && !existsSync(resolve(root, dirname(one.from), one.specifier))) {
    return [violation('resolve', `${one.from} imports ${one.specifier}, which does not exist`)];
  }
  const target = roomOf(one.to);
  if (target === room || (roomsAllowed[room] ?? []).includes(target)) return [];
  return [violation('direction', `${one.from} (${room}) must not import ${one.to} (${target})`)];
}

function judgePackage(one: Import, room: string, { shipped, onDemand }: Packages): Violation[] {
  const name = packageOf(one.specifier);
  if (name === undefined) return [];
  if (onDemand.has(name) && !one.isLazy)
    return [
      violation('package', `${one.from} loads ${name}, which may not be there: import() it when it is asked for`),
    ];
  if (!shipped.has(name) && !onDemand.has(name))
    return [violation('manifest', `${one.from} imports ${name}, not a dependency of package.json`)];
  const rooms = packageRooms[name];
  if (!rooms || rooms.includes(room)) return [];
  return [violation('package', `${one.from} (${room}) must not import ${name}: only ${rooms.join(', ')} may`)];
}

/** One violation per strongly connected group of files (Tarjan), and per file that imports itself. */
function cycles(imports: readonly Import[]): Violation[] {
  const edges = new Map<string, Set<string>>();
  for (const { from, to } of imports) {
    if (to !== undefined) edges.set(from, (edges.get(from) ?? new Set()).add(to));
  }
  const groups = stronglyConnected(edges).filter(
    (group) => group.length > 1 || edges.get(group[0] ?? '')?.has(group[0] ?? ''),
  );
  return groups.map((group) => violation('cycle', `files import each other: ${group.sort().join(' -> ')}`));
}

function stronglyConnected(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const groups: string[][] = [];
  const visit = (file: string): number => {
    const order = index.size;
    index.set(file, order);
    low.set(file, order);
    stack.push(file);
    for (const next of edges.get(file) ?? []) {
      const reach = index.has(next) ? (stack.includes(next) ? index.get(next)! : Infinity) : visit(next);
      low.set(file, Math.min(low.get(file)!, reach));
    }
    if (low.get(file) === order) groups.push(stack.splice(stack.indexOf(file)));
    return low.get(file)!;
  };
  for (const file of edges.keys()) if (!index.has(file)) visit(file);
  return groups;
}

function violation(rule: Violation['rule'], text: string): Violation {
  return { rule, text };
}
