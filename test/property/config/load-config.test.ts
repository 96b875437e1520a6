import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCommand } from '../../../src/cli/check.js';
import { formatIssue } from '../../../src/config/issue.js';
import { loadConfig } from '../../../src/config/load-config.js';
import type { LoadResult } from '../../../src/config/load-config.js';

const FILE = '/etc/sip2wa/c.yaml';
const example = readFileSync('config/example.yaml', 'utf8');

/** Secrets of different alphabets, each of which no output may hold. */
const CANARIES = {
  token: 'EAAGm0PX4ZCpsBAcanaryKq81',
  app: 'c4n4ry5ecr37a0b1c2d3e4f5a6b7c8d9',
  verify: 'verify Canary ü#1!',
  admin: 'Adm1n-Canary_0042',
  pbx: 'pbx.Canary:pass@word',
} as const;
const canaries: string[] = Object.values(CANARIES);

/** The sample with its references replaced by the secrets themselves. */
const literal = example
  .replace('${file:/run/secrets/whatsapp_token}', CANARIES.token)
  .replace('${file:/run/secrets/whatsapp_app_secret}', `[${CANARIES.app}, "${CANARIES.app}2"]`)
  .replace('${env:SIP2WA_VERIFY_TOKEN}', JSON.stringify(CANARIES.verify))
  .replace('${env:SIP2WA_ADMIN_TOKEN}', CANARIES.admin)
  .replace('${env:PBX_PASSWORD}', `"${CANARIES.pbx}"`);

const env = { SIP2WA_VERIFY_TOKEN: CANARIES.verify, SIP2WA_ADMIN_TOKEN: CANARIES.admin, PBX_PASSWORD: CANARIES.pbx };
const files: Record<string, string> = {
  '/run/secrets/whatsapp_token': CANARIES.token,
  '/run/secrets/whatsapp_app_secret': `${CANARIES.app}\n`,
};

function load(text: string): LoadResult {
  return loadConfig({
    file: FILE,
    env,
    readFile: (path) => {
      const found = path === FILE ? text : files[path];
      if (found === undefined) throw Object.assign(new Error('gone'), { code: 'ENOENT' });
      return { text: found, mode: 0o644 };
    },
  });
}

type Edit = (text: string) => string;

const spot = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const at = (text: string, where: number) => Math.floor(where * text.length);
const lineAt = (lines: readonly string[], where: number) => Math.floor(where * lines.length);
const onLines =
  (edit: (lines: string[]) => void): Edit =>
  (text) => {
    const lines = text.split('\n');
    edit(lines);
    return lines.join('\n');
  };

const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc
    .tuple(
      spot,
      fc.constantFrom(
        ...Array.from('\n\t :-[]{}"\'#&*!|>%@`,?0a~\u0000\u2028'),
        '<<: *x\n',
        '---\n',
        '${env:X}',
        '__proto__: ',
      ),
    )
    .map(
      ([where, text]): Edit =>
        (old) =>
          old.slice(0, at(old, where)) + text + old.slice(at(old, where)),
    ),
  fc.tuple(spot, fc.integer({ min: 1, max: 30 })).map(
    ([where, count]): Edit =>
      (old) =>
        old.slice(0, at(old, where)) + old.slice(at(old, where) + count),
  ),
  spot.map((where) => onLines((lines) => void lines.splice(lineAt(lines, where), 1))),
  spot.map((where) => onLines((lines) => lines.splice(lineAt(lines, where), 0, lines[lineAt(lines, where)] ?? ''))),
  fc
    .tuple(spot, spot)
    .map(([from, to]) =>
      onLines((lines) => void lines.splice(lineAt(lines, to), 0, ...lines.splice(lineAt(lines, from), 1))),
    ),
  fc.tuple(spot, fc.constantFrom('  ', '\t', '- ')).map(([where, prefix]) =>
    onLines((lines) => {
      const index = lineAt(lines, where);
      lines[index] = `${prefix}${lines[index] ?? ''}`;
    }),
  ),
  fc
    .tuple(
      spot,
      fc.constantFrom('null', '[]', '{}', '-1', '1e999', 'true', '"\\x"', '{a: {b: [c]}}', '.nan', '2027-01-01'),
    )
    .map(([where, value]) =>
      onLines((lines) => {
        const index = lineAt(lines, where);
        lines[index] = (lines[index] ?? '').replace(/:.*/, `: ${value}`);
      }),
    ),
);

function outputsOf(result: LoadResult): string {
  const errors = result.ok ? [] : result.errors;
  return [...errors, ...result.warnings].map((issue) => `${formatIssue(issue)}\n${JSON.stringify(issue)}`).join('\n');
}

describe('loadConfig under random edits of the example', () => {
  it.each([
    ['with secrets by reference', example],
    ['with literal secrets', literal],
  ])('never throws, places every issue in the file, and never shows a secret (%s)', (_, original) => {
    expect(load(original).ok).toBe(true);
    fc.assert(
      fc.property(fc.array(edits, { minLength: 1, maxLength: 4 }), (changes) => {
        const text = changes.reduce((old, edit) => edit(old), original);
        const result = load(text);
        const lines = text.split('\n').length;
        for (const issue of [...(result.ok ? [] : result.errors), ...result.warnings]) {
          expect(issue.line).toBeGreaterThanOrEqual(1);
          expect(issue.line).toBeLessThanOrEqual(lines);
          expect(issue.column).toBeGreaterThanOrEqual(1);
          expect(issue.message).not.toBe('');
          expect(issue.cure).not.toBe('');
          expect(formatIssue(issue)).toMatch(/^[^\r\n]*$/);
        }
        const shown = outputsOf(result);
        for (const canary of canaries) expect(shown).not.toContain(canary);
        if (!result.ok) expect(result.errors.length).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    );
  });

  it('takes any text at all without throwing', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ maxLength: 200 }), fc.json(), fc.string({ unit: 'binary', maxLength: 80 })),
        (text) => {
          expect(typeof load(text).ok).toBe('boolean');
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('sip2wa check', () => {
  it('never prints a secret, in neither form', () => {
    for (const json of [false, true]) {
      let printed = '';
      const write = (text: string) => void (printed += text);
      const io = { stdout: write, stderr: write, env: { ...env, SIP2WA_LOG_LEVEL: 'loud' }, isTerminal: false };
      expect(checkCommand({ config: 'config/example.yaml', json }, io)).toBe(1);
      expect(printed).toContain('log.level');
      for (const canary of canaries) expect(printed).not.toContain(canary);
    }
  });
});
