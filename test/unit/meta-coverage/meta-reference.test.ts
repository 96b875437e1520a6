import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { metaReference } from '../../meta-coverage/meta-reference.js';
import { metaFixture, metaIndex } from '../../support/fixtures.js';

/* The table of which test carries which field of Meta's reference, held against the fixtures and the tests. */

const top = new URL('../../../', import.meta.url);
const textOf = (file: string): string =>
  existsSync(new URL(file, top)) ? readFileSync(new URL(file, top), 'utf8') : '';

/** Every path of a document that has a value: `entry[].changes[].field`. */
function pathsOf(json: unknown, path = ''): string[] {
  if (Array.isArray(json)) return json.flatMap((item) => pathsOf(item, `${path}[]`));
  if (typeof json !== 'object' || json === null) return [path];
  return Object.entries(json).flatMap(([key, item]) => pathsOf(item, path === '' ? key : `${path}.${key}`));
}

const fixturePaths = [...new Set(metaIndex().flatMap(({ file }) => pathsOf(metaFixture(file))))].sort();
const lastOf = (field: string): string => field.split('.').at(-1)!.replace('[]', '');

describe('coverage of Meta’s reference', () => {
  it('has a row for every field of every sample', () => {
    const carried = new Set(metaReference.map(({ field }) => field));
    expect(fixturePaths.length).toBeGreaterThan(70);
    expect(fixturePaths.filter((path) => !carried.has(path))).toEqual([]);
  });

  it('names no field of samples that there is not, and none twice in a section', () => {
    const known = new Set(fixturePaths);
    const isPath = (field: string): boolean => /^(?:entry|calling|actions)[.[]/.test(field);
    expect(metaReference.map(({ field }) => field).filter((field) => isPath(field) && !known.has(field))).toEqual([]);
    const named = metaReference.map(({ section, field }) => `${section}: ${field}`);
    expect(named.filter((one, at) => named.indexOf(one) !== at)).toEqual([]);
  });

  it('has every row carried by a test that there is', () => {
    const missing = metaReference.filter(({ file, title }) => {
      const text = textOf(file);
      return title === '' || !text.includes(title) || !/\.test\.ts$/.test(file);
    });
    expect(missing.map(({ field, file, title }) => `${field}: ${file} has no "${title}"`)).toEqual([]);
  });

  it('has every row carried by a test file that speaks of the field', () => {
    const silent = metaReference.filter(({ file, field, as }) => !textOf(file).includes(as ?? lastOf(field)));
    expect(silent.map(({ field, file, as }) => `${field}: ${file} never says ${as ?? lastOf(field)}`)).toEqual([]);
  });

  /** What the reference names in words and tables, beyond its samples. */
  it.each([
    ['settings', 17],
    ['calls endpoint', 15],
    ['call_permissions', 8],
    ['connect webhook', 3],
    ['status webhook', 3],
    ['terminate webhook', 2],
    ['permission reply', 5],
    ['session description', 4],
  ])('%s: what its prose names is there too (%i)', (section, least) => {
    const prose = metaReference.filter((row) => row.section === section && !fixturePaths.includes(row.field));
    expect(prose.length).toBeGreaterThanOrEqual(least);
  });
});
