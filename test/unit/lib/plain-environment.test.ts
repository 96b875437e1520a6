import { execFileSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { usePlainEnvironment } from '../../../src/lib/plain-environment.js';

const real = process.env;
afterEach(() => {
  process.env = real;
});

describe('the environment as a plain object', () => {
  it('has every value, is no look into the C library any more, and goes to child processes', () => {
    const before = { ...process.env };
    usePlainEnvironment();
    expect(process.env).toEqual(before);
    // The real one turns every value into text.
    Object.assign(process.env, { SIP2WA_PLAIN: { deep: true } });
    expect(process.env['SIP2WA_PLAIN']).toEqual({ deep: true });
    process.env['SIP2WA_PLAIN'] = 'text';
    const script = 'process.stdout.write(String(process.env.SIP2WA_PLAIN))';
    expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })).toBe('text');
  });
});
