import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compose, loadDefaults } from './compose.js';
import { isThere, manifest, textOf, top } from './repository.js';

const { sip2wa } = compose.services;
const defaults = loadDefaults();

describe('config/docker/Dockerfile', () => {
  const text = textOf('config/docker/Dockerfile');
  const lines = text.split('\n');

  it('is the one that compose builds', () => {
    expect(sip2wa.build).toMatchObject({ context: '.', dockerfile: 'config/docker/Dockerfile' });
  });

  it('has the packages of tracing when it is asked for them, in the versions of package.json, and not otherwise', () => {
    expect(sip2wa.build?.args).toEqual({ TRACING: '${SIP2WA_TRACING_PACKAGES:-0}' });
    const [, byDefault, script = ''] = /\nARG TRACING=(\S+)\nRUN ((?:.*\\\n)+.*)\n/.exec(text) ?? [];
    expect(byDefault).toBe('0');
    expect(text.indexOf('ARG TRACING')).toBeLessThan(text.lastIndexOf('FROM '));
    const run = (tracing: string): string[] => {
      const stub = `npm() { printf '%s\\n' "$@"; }\n${script}`;
      const env = { PATH: process.env['PATH'], TRACING: tracing };
      const { status, stdout, stderr } = spawnSync('bash', ['--norc', '-euc', stub], {
        cwd: top,
        env,
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([0, '']);
      return stdout.split('\n').filter(Boolean);
    };
    expect(run('0')).toEqual([]);
    const wanted = Object.entries(manifest().peerDependencies).map(([name, range]) => `${name}@${range}`);
    expect(wanted).toHaveLength(4);
    const said = run('1');
    expect(said.filter((word) => word.includes('@'))).toEqual(wanted);
    expect(said).toEqual(
      expect.arrayContaining(['install', '--no-save', '--save-prod', '--omit=dev', '--ignore-scripts']),
    );
  });

  it('leaves the operator’s own configuration out of the image', () => {
    const ignored = textOf('config/docker/Dockerfile.dockerignore').split('\n');
    const own = `config/${basename(sip2wa.environment.SIP2WA_CONFIG ?? '')}`;
    expect(ignored.indexOf(own)).toBeGreaterThan(ignored.indexOf('!config'));
  });

  it('copies what is there and what the ignore file lets through', () => {
    const sources = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((path) => !isThere(path))).toEqual([]);
    const allowed = textOf('config/docker/Dockerfile.dockerignore').split('\n');
    expect(sources.filter((path) => !allowed.includes(`!${path}`))).toEqual([]);
  });

  it('copies every file that the build script runs', () => {
    const named = (manifest().scripts.build ?? '').match(/[\w./-]+\.(?:json|mjs|js)\b/g) ?? [];
    expect(named.filter((path) => !text.includes(path) && !path.startsWith('src/'))).toEqual([]);
    expect(lines).toContain('COPY src src');
  });

  it('runs a supported Node without privileges, and the program of package.json', () => {
    const images = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1] ?? '');
    const versions = images.map((image) => Number(/^node:(\d+)-/.exec(image)?.[1]));
    expect(versions).toEqual([22, 22]);
    expect(Math.min(...versions)).toBeGreaterThanOrEqual(Number(/\d+/.exec(manifest().engines.node)?.[0]));
    expect(lines.indexOf('USER node')).toBeGreaterThan(lines.findIndex((line) => line.startsWith('RUN install')));
    expect(text).toContain(`ENTRYPOINT ["node", "${manifest().bin.sip2wa ?? ''}"]`);
    expect(text).toContain('npm ci');
    expect(text).toContain('--omit=dev');
  });

  it('asks the admin listener whether it lives', () => {
    expect(text).toContain(`http://${defaults.admin.listen.host}:${defaults.admin.listen.port}/livez`);
  });
});
