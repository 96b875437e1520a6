import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  installCommand,
  TRACING_PACKAGES,
  tracingFault,
} from '../../../../src/observability/tracing/tracing-packages.js';

const names = Object.keys(TRACING_PACKAGES);
const installed = createRequire(import.meta.url);

describe('what keeps traces from being made', () => {
  it('is nothing where the packages are installed as they are here', () => {
    expect(tracingFault()).toBeUndefined();
  });

  it('is every package that is not there, by name', () => {
    expect(tracingFault(createRequire(join(tmpdir(), 'nothing-is-here.js')))).toBe(
      `${names.join(', ')} are not installed`,
    );
  });

  it('is one that lacks what is taken from it, and one that fails to load; others are not blamed', () => {
    const load = (name: string): unknown => {
      if (name.endsWith('/resources')) return { Resource: 'of version 1' };
      if (name.endsWith('/api')) throw new SyntaxError('Unexpected token');
      if (name.endsWith('-http')) throw Object.assign(new Error('no'), { code: 'MODULE_NOT_FOUND' });
      return installed(name);
    };
    expect(tracingFault(load)).toBe(
      '@opentelemetry/exporter-trace-otlp-http is not installed; ' +
        '@opentelemetry/api, @opentelemetry/resources are of another version, or cannot be loaded',
    );
  });

  it('is mended by a command that names each package in its version, and no registry', () => {
    const command = installCommand();
    for (const [name, range] of Object.entries(TRACING_PACKAGES)) expect(command).toContain(`'${name}@${range}'`);
    expect(command).toMatch(/^npm install /);
    expect(command).not.toMatch(/:\/\/|--registry/);
  });
});
