import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The repository's top folder. */
export const top = join(import.meta.dirname, '../../..');

/** Text of a file of the repository. */
export function textOf(path: string): string {
  return readFileSync(join(top, path), 'utf8');
}

/** Whether a path is there. */
export function isThere(path: string): boolean {
  return existsSync(join(top, path));
}

/** Every file that is committed or about to be: what a clone has. */
export function committedFiles(): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: top })
    .toString()
    .split('\0')
    .filter((path) => path !== '' && isThere(path));
}

export interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly bin: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export function manifest(): Manifest {
  return JSON.parse(textOf('package.json')) as Manifest;
}
