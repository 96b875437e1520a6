import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load-config.js';

describe('the first configuration in the README', () => {
  it('is read as it stands, without an error or a warning', () => {
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const indented = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const yaml = indented.replace(/^ {3}/gm, '');
    const result = loadConfig({
      file: 'sip2wa.yaml',
      env: { SIP2WA_VERIFY_TOKEN: 'told-to-meta' },
      readFile: (path) => ({ text: path.endsWith('sip2wa.yaml') ? yaml : `content of ${path}`, mode: 0o600 }),
    });
    expect([...(result.ok ? [] : result.errors), ...result.warnings]).toEqual([]);
    expect(result.ok && result.config.numbers.map(({ name, trunk }) => [name, trunk])).toEqual([['sales', 'pbx']]);
  });
});
