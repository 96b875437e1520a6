import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { configJsonSchema, configJsonSchemaText } from '../../../src/config/json-schema.js';
import { leaves } from '../../../src/config/scalar-schema.js';

type Schema = Record<string, unknown>;

/** Keys of `data` that the schema does not know, as paths. */
function unknownTo(schema: Schema | undefined, data: unknown, path = ''): string[] {
  if (!schema) return [path];
  if (Array.isArray(data)) return data.flatMap((item, i) => unknownTo(itemSchema(schema), item, `${path}[${i}]`));
  if (typeof data !== 'object' || data === null || schema['additionalProperties'] !== false) return [];
  const properties = schema['properties'] as Record<string, Schema>;
  return Object.entries(data).flatMap(([key, value]) => unknownTo(properties[key], value, `${path}.${key}`));
}

function itemSchema(schema: Schema): Schema | undefined {
  const options = (schema['oneOf'] as Schema[] | undefined) ?? [schema];
  return options.map((option) => option['items'] as Schema | undefined).find((items) => items !== undefined);
}

/** Every property of the schema, with its path. */
function properties(schema: Schema, path = ''): { path: string; schema: Schema }[] {
  const own = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>).flatMap(([key, value]) => [
    { path: `${path}.${key}`, schema: value },
    ...properties(value, `${path}.${key}`),
  ]);
  return schema['items'] ? [...own, ...properties(schema['items'] as Schema, `${path}[]`)] : own;
}

describe('config/schema.json', () => {
  it('is what the schemas in the source say (write it anew: npm run build && node dist/config/write-schema.js)', () => {
    expect(readFileSync('config/schema.json', 'utf8')).toBe(configJsonSchemaText());
  });

  it('is draft 7, which editors know', () => {
    expect(configJsonSchema()['$schema']).toBe('http://json-schema.org/draft-07/schema#');
    expect(configJsonSchemaText()).not.toMatch(/"(\$defs|prefixItems|unevaluatedProperties|dependentRequired)"/);
  });

  it('describes every key', () => {
    const all = properties(configJsonSchema());
    expect(all.length).toBeGreaterThan(70);
    expect(all.filter(({ schema }) => typeof schema['description'] !== 'string').map(({ path }) => path)).toEqual([]);
  });

  it('has defaults that pass their own format, and none for secrets', () => {
    for (const { key, leaf } of leaves()) {
      expect([key, leaf.format.complaint(leaf.default)]).toEqual([key, undefined]);
      if ('pattern' in leaf.format.json)
        expect(String(leaf.default)).toMatch(new RegExp(String(leaf.format.json['pattern'])));
    }
    const secrets = properties(configJsonSchema()).filter(({ path }) => /token|secret(?!_proof)|password/.test(path));
    expect(secrets.map(({ schema }) => 'default' in schema)).toEqual(secrets.map(() => false));
  });

  it.each(['default', 'example'])('knows every key of %s.yaml, which names it for editors', (name) => {
    const text = readFileSync(`config/${name}.yaml`, 'utf8');
    expect(text.split('\n')[0]).toBe('# yaml-language-server: $schema=./schema.json');
    expect(unknownTo(configJsonSchema(), parse(text))).toEqual([]);
    expect(unknownTo(configJsonSchema(), { grap: 1, log: { levle: 1 }, trunks: [{ nam: 1 }] })).toEqual([
      '.grap',
      '.log.levle',
      '.trunks[0].nam',
    ]);
  });

  it('flags a misspelt key anywhere in the settings of a number', () => {
    const calling = {
      stauts: 1,
      call_hours: { timezone: 1, holiday_schedule: [{ day: 1 }] },
      sip: { servers: [{ host: 1 }] },
    };
    expect(unknownTo(configJsonSchema(), { numbers: [{ settings: { calling, storage: 1 } }] })).toEqual([
      ...['stauts', 'call_hours.timezone', 'call_hours.holiday_schedule[0].day', 'sip.servers[0].host'].map(
        (key) => `.numbers[0].settings.calling.${key}`,
      ),
      '.numbers[0].settings.storage',
    ]);
  });

  it('marks every secret, and nothing else, as never to be shown', () => {
    const all = properties(configJsonSchema()).filter(({ schema }) => JSON.stringify(schema).includes('writeOnly'));
    const secret = all.filter(
      ({ schema }) => !('properties' in schema) && !JSON.stringify(schema).includes('"properties"'),
    );
    const names = new Set(secret.map(({ path }) => path.split('.').at(-1)));
    expect(names).toEqual(
      new Set([
        ...['access_token', 'app_secret', 'verify_token', 'token', 'secret', 'password', 'sip_user_password'],
        ...['headers', 'http_token'],
      ]),
    );
    expect(leaves().filter(({ leaf }) => leaf.sensitive === true && leaf.format.json['writeOnly'] !== true)).toEqual(
      [],
    );
  });
});
