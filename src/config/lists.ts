import { z } from 'zod';
import { didYouMean } from './did-you-mean.js';
import type { Complaint, Findings, KeyPath } from './issue.js';
import { keyText } from './issue.js';
import * as schemas from './list-schemas.js';
import { MISSING } from './schema-value.js';
import { leaves } from './scalar-schema.js';

/** The lists of the file, item by item; an item with an error is left out, its errors are among the findings. */
export interface Lists {
  readonly trunks: readonly Item<schemas.TrunkItem>[];
  readonly trunkDefaults: schemas.TrunkDefaults;
  readonly numbers: readonly Item<schemas.NumberItem>[];
  readonly routes: readonly Item<schemas.RouteItem>[];
  readonly sipListen: readonly string[];
  readonly sipTls: schemas.SipTlsItem | undefined;
  readonly appSecrets: readonly Item<string>[];
  readonly remoteNetworks: 'public' | 'any' | readonly string[];
}

/** A good item and where it stands. */
export interface Item<T> {
  readonly path: KeyPath;
  readonly value: T;
}

/** Keys of sections that are lists, or that are reserved and refused apart. */
const SECTION_LISTS: Readonly<Record<string, readonly string[]>> = {
  graph: ['app_secret'],
  sip: ['listen', 'tls'],
  webhook: ['tls'],
  media: ['remote_networks'],
};
const TOP_LISTS = ['trunks', 'trunk_defaults', 'numbers', 'routes'];

/** Reports keys that the file may not have, with the nearest one that it may; descends into sections only. */
export function reportUnknownKeys(data: Record<string, unknown>, findings: Findings): void {
  const sections = new Map<string, Set<string>>();
  const add = (section: string, key: string) => sections.set(section, (sections.get(section) ?? new Set()).add(key));
  for (const { path } of leaves()) {
    path.forEach((key, depth) => add(path.slice(0, depth).join('.'), key));
  }
  for (const [section, keys] of Object.entries(SECTION_LISTS)) for (const key of keys) add(section, key);
  for (const key of TOP_LISTS) add('', key);
  for (const [section, known] of sections) {
    const path = section === '' ? [] : section.split('.');
    const block = blockAt(data, path, findings);
    if (block) reportUnknown(path, Object.keys(block), [...known], findings);
  }
}

function blockAt(
  data: Record<string, unknown>,
  path: readonly string[],
  findings: Findings,
): Record<string, unknown> | undefined {
  let block: unknown = data;
  for (const [depth, key] of path.entries()) {
    block = Object.hasOwn(block as object, key) ? (block as Record<string, unknown>)[key] : undefined;
    if (block === undefined || block === null) return undefined;
    if (isBlock(block)) continue;
    if (depth === path.length - 1)
      findings.error(path, { message: 'must be a block of keys', cure: 'indent its keys below it' });
    return undefined;
  }
  return block as Record<string, unknown>;
}

/** Whether the value is a mapping. */
export function isBlock(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An unknown key is named only if it is like a word of ours: by mistake it may hold anything, even a secret. */
function reportUnknown(path: KeyPath, keys: readonly string[], known: readonly string[], findings: Findings): void {
  for (const key of keys.filter((written) => !known.includes(written))) {
    const near = didYouMean(key, known);
    const cure = near ? `did you mean ${near}?` : `remove it; known here: ${known.join(', ')}`;
    const named = near !== undefined || /^[a-z_]{1,24}$/.test(key);
    const complaint = { message: `unknown key${named ? ` ${key.replace(/[^\x20-\x7e]/g, '?')}` : ''}`, cure };
    findings.error([...path, key], complaint, 'key', [...path, named ? key : '?']);
  }
}

/** Checks every list of the file. */
export function readLists(data: Record<string, unknown>, findings: Findings): Lists {
  const graph = isBlock(data['graph']) ? data['graph'] : {};
  const sip = isBlock(data['sip']) ? data['sip'] : {};
  const media = isBlock(data['media']) ? data['media'] : {};
  return {
    trunks: readItems(data['trunks'], ['trunks'], schemas.trunkSchema, findings),
    trunkDefaults: read(data['trunk_defaults'], ['trunk_defaults'], schemas.trunkDefaultsSchema, findings) ?? {},
    numbers: readItems(data['numbers'], ['numbers'], schemas.numberSchema, findings),
    routes: readItems(data['routes'], ['routes'], schemas.routeSchema, findings),
    sipListen: read(sip['listen'], ['sip', 'listen'], schemas.sipListenSchema, findings) ?? [
      'udp://0.0.0.0:5060',
      'tcp://0.0.0.0:5060',
    ],
    sipTls: read(sip['tls'], ['sip', 'tls'], schemas.sipTlsSchema, findings),
    appSecrets: readAppSecrets(graph['app_secret'], findings),
    remoteNetworks: readNetworks(media['remote_networks'], findings),
  };
}

function readAppSecrets(written: unknown, findings: Findings): Item<string>[] {
  const path = ['graph', 'app_secret'];
  if (written === undefined || written === '') return [];
  if (typeof written === 'string') return [{ path, value: written }];
  const list = Array.isArray(written) ? read(written, path, schemas.appSecretListSchema, findings) : undefined;
  if (!Array.isArray(written)) {
    const cure = 'write ${env:NAME} or ${file:/path}, or a list of two while rotating';
    findings.error(path, { message: 'must be text or a list of at most two', cure });
  }
  return (list ?? []).map((value, index) => ({ path: [...path, index], value }));
}

function readNetworks(written: unknown, findings: Findings): 'public' | 'any' | readonly string[] {
  const path = ['media', 'remote_networks'];
  if (written === undefined || written === 'public' || written === 'any') return written ?? 'public';
  if (Array.isArray(written)) return read(written, path, schemas.networkListSchema, findings) ?? 'public';
  findings.error(path, {
    message: 'must be public, any or a list of networks',
    cure: 'write for example [10.0.0.0/8]',
  });
  return 'public';
}

function readItems<T>(written: unknown, path: KeyPath, schema: z.ZodType<T>, findings: Findings): Item<T>[] {
  if (written === undefined || written === null) return [];
  if (!Array.isArray(written)) {
    findings.error(path, { message: 'must be a list', cure: 'begin each item with "- "' });
    return [];
  }
  return written.flatMap((item: unknown, index) => {
    const below = [...path, index];
    const value = read(item, below, schema, findings);
    return value === undefined ? [] : [{ path: below, value }];
  });
}

/**
 * Checks one value of the file against a schema. When it has errors, what is left of it is returned, with empty values
 * in place of the bad ones, so that further rules can look at the rest; the findings keep it from being used.
 */
export function read<T>(written: unknown, path: KeyPath, schema: z.ZodType<T>, findings: Findings): T | undefined {
  if (written === undefined) return undefined;
  const result = schema.safeParse(written);
  if (result.success) return result.data;
  const { issues } = result.error;
  const misspelt = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const known = knownKeys(schema, issue.path);
    const below = extend(path, issue.path);
    reportUnknown(below, issue.keys, known, findings);
    for (const key of issue.keys) misspelt.add(keyText([...below, didYouMean(key, known) ?? '']));
  }
  for (const issue of issues) {
    const below = extend(path, issue.path);
    if (issue.code === 'unrecognized_keys') continue;
    const complaint = complaintOf(issue);
    if (complaint !== MISSING || !misspelt.has(keyText(below))) findings.error(below, complaint);
  }
  return salvage(written, issues, schema) as T | undefined;
}

function extend(path: KeyPath, below: readonly PropertyKey[]): KeyPath {
  return [...path, ...below.filter((part) => typeof part !== 'symbol')];
}

function salvage(written: unknown, issues: readonly z.core.$ZodIssue[], schema: z.ZodType): unknown {
  const copy: unknown = structuredClone(written);
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') continue;
    // a bad item takes its list with it: the others' indices must stay those of the file
    const last = issue.path.findLastIndex((part) => typeof part === 'string');
    const parent = valueAt(copy, issue.path.slice(0, last));
    const key = issue.path[last];
    if (last < 0) return undefined;
    if (!isBlock(parent) || typeof key !== 'string') continue;
    const at = schemaAt(schema, issue.path.slice(0, last + 1));
    if (at instanceof z.ZodOptional) Reflect.deleteProperty(parent, key);
    else parent[key] = at instanceof z.ZodArray ? [] : '';
  }
  return copy;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, part) => {
    return typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined;
  }, value);
}

function complaintOf(issue: z.core.$ZodIssue): Complaint {
  if (issue.code === 'custom') {
    return issue.message === MISSING.message
      ? MISSING
      : { message: issue.message, cure: String(issue.params?.['cure']) };
  }
  if (issue.code === 'too_small') return { message: 'must not be empty', cure: 'write at least one item' };
  if (issue.code === 'too_big') return { message: 'has too many items', cure: `keep ${String(issue.maximum)}` };
  if (issue.code === 'invalid_type') {
    if (issue.message.endsWith('received undefined')) return MISSING;
    if (issue.expected === 'array')
      return { message: 'must be a list', cure: 'write [A, B], or begin each item with "- "' };
    return { message: 'must be a block of keys', cure: 'write KEY: VALUE lines below it' };
  }
  return { message: 'is not valid', cure: 'see config/example.yaml' };
}

/** The keys of the object that stands at `path` in a schema. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const at = unwrap(schemaAt(schema, path));
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function schemaAt(schema: unknown, path: readonly PropertyKey[]): unknown {
  let at = schema;
  for (const part of path) {
    const plain = unwrap(at);
    if (plain instanceof z.ZodArray) at = plain.element;
    else at = plain instanceof z.ZodObject ? plain.shape[String(part)] : undefined;
  }
  return at;
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema;
}
