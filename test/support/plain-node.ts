import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';

const PROJECT = resolve(import.meta.dirname, '../..');

/** Sources as plain JavaScript in a folder of their own, for a process that is to be killed. */
export interface PlainTree {
  /** Where a source file of the project stands in it, for `fork`. */
  readonly path: (source: string) => string;
  remove(): void;
}

/** Strips the types of all sources below these folders or files of the project; nothing is checked. Modules of WebAssembly come with them. */
export function plainTree(sources: readonly string[]): PlainTree {
  const root = mkdtempSync(join(tmpdir(), 'sip2wa-plain-'));
  symlinkSync(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  const target = (source: string): string => join(root, source.replace(/\.ts$/, '.js'));
  for (const source of sources.flatMap(filesBelow)) {
    mkdirSync(dirname(target(source)), { recursive: true });
    if (source.endsWith('.wasm')) {
      copyFileSync(join(PROJECT, source), target(source));
      continue;
    }
    const { outputText } = ts.transpileModule(readFileSync(join(PROJECT, source), 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
    });
    writeFileSync(target(source), outputText);
  }
  return { path: target, remove: () => rmSync(root, { recursive: true, force: true }) };
}

function filesBelow(source: string): string[] {
  if (source.endsWith('.ts')) return [source];
  return readdirSync(join(PROJECT, source), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|wasm)$/.test(name) && !name.includes('assembly/'))
    .map((name) => join(source, name));
}
