import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { committedFiles, isThere, manifest, textOf, top } from './repository.js';

const files = committedFiles();
const binary = /\.(?:wav|png|ico|raw|pcap|bin|opus)$/;

// Reads every committed file, which takes its time on a machine that is busy with other tests.
describe('the repository', { timeout: 30_000 }, () => {
  it('has the top level that was agreed, and nothing else', () => {
    const visible = new Set(files.map((path) => path.split('/')[0] ?? '').filter((name) => !name.startsWith('.')));
    const agreed = [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'config',
      'docker-compose.yml',
      'eslint.config.js',
      'package-lock.json',
      'package.json',
      'src',
      'test',
      'tsconfig.build.json',
      'tsconfig.json',
      'vitest.config.ts',
    ];
    expect([...visible].filter((name) => !agreed.includes(name))).toEqual([]);
    expect(agreed.filter((name) => !visible.has(name))).toEqual([]);
  });

  it('names no folder of the machine it was written on, no package registry and nothing outside itself', () => {
    // Put together from pieces, so that this file does not find itself.
    const forbidden = new RegExp(
      [
        ['', 'work', '(?:main|shared|\\.)'].join('/'),
        ['', 'home', '[a-z]+', ''].join('/'),
        ['', 'root', ''].join('/'),
        ['\\.\\.', 'shared', ''].join('/'),
        ['registry', 'npmjs'].join('\\.'),
        ['deb', 'debian', 'org'].join('\\.'),
        ['registry', 'yarnpkg'].join('\\.'),
      ].join('|'),
    );
    const found = files
      .filter((path) => !binary.test(path))
      .flatMap((path) => {
        const line = textOf(path)
          .split('\n')
          .findIndex((text) => forbidden.test(text));
        return line < 0 ? [] : [`${path}:${line + 1}`];
      });
    expect(found).toEqual([]);
  });

  it('locks versions without saying where they came from', () => {
    expect(textOf('package-lock.json')).not.toContain('"resolved"');
  });

  it('has no file that is too big to review', () => {
    const big = files.filter((path) => statSync(join(top, path)).size > 1_000_000);
    expect(big).toEqual([]);
  });

  it('points the README at files and commands that are there', () => {
    const readme = textOf('README.md');
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
    expect(links.filter((path) => !isThere(path))).toEqual([]);
    const { scripts } = manifest();
    const named = [...readme.matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(([, script = '']) => script);
    expect(named.length).toBeGreaterThan(0);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
    expect(readme).toContain('npm test');
  });

  it('has every script and file that package.json names', () => {
    const { scripts } = manifest();
    expect(Object.keys(scripts)).toEqual(
      expect.arrayContaining(['build', 'prepare', 'start', 'demo', 'lint', 'test', 'test:peers']),
    );
    const paths = Object.values(scripts).flatMap(
      (script) => script.match(/(?<![\w./-])(?:test|src|config)\/[\w./-]+/g) ?? [],
    );
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('gives CHANGELOG and package.json one version', () => {
    const headings = [...textOf('CHANGELOG.md').matchAll(/^## \[?([^\]\s]+)\]?/gm)].map(([, version]) => version);
    expect(headings[0]).toBe('Unreleased');
    const { version } = manifest();
    // A version that was not released yet stands under Unreleased only.
    if (headings.length > 1) expect(headings[1]).toBe(version);
  });
});

describe('.ci/run', () => {
  const script = textOf('.ci/run');

  it('runs what the README tells a newcomer to run, and every other check', () => {
    for (const command of [
      'npm ci',
      'lint',
      'suite test',
      '.ci/demo',
      '.ci/command-line',
      'test:peers',
      'install.sh',
    ]) {
      expect(script).toContain(command);
    }
  });

  it('is made of files that are there', () => {
    const paths = [...script.matchAll(/(?:\.ci|test)\/[\w./-]+\.?[\w]*/g)].map(([path]) => path);
    expect(paths.length).toBeGreaterThan(3);
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('ends with the count and fails with it', () => {
    expect(script).toMatch(
      /printf "%d passed, %d failed\\n", passed, failed; exit \(failed > 0\) \}' "\$scratch\/counts"\n {2}exit\n\}/,
    );
    expect(script.trimEnd().endsWith('\nfinish')).toBe(true);
  });
});
