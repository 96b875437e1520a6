import convict from 'convict';
import type { Complaint, Findings } from './issue.js';
import type { Leaf, ScalarKey } from './scalar-schema.js';
import { leaves } from './scalar-schema.js';

/** The single values of the file, each one good: where the file's was not, the default stands in and a finding was made. */
export type Scalars = Readonly<Record<ScalarKey, string | number | boolean>>;

type ConvictTree = { [key: string]: ConvictTree | convict.SchemaObj };
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the single values through convict: default, then file, then environment.
 * convict reports all complaints as one string that quotes values; so the formats hand theirs to a collector instead.
 */
export function readScalars(data: Record<string, unknown>, env: Environment, findings: Findings): Scalars {
  const complaints = new Map<ScalarKey, Complaint>();
  const overrides = pickOverrides(env, complaints);
  const settings = convict<Record<string, unknown>>(convictSchema(complaints), {
    env: overrides,
    args: [],
  });
  for (const { key, path, leaf } of leaves()) {
    const value = valueAt(data, path);
    if (value === undefined || overridden(leaf, overrides)) continue;
    const early = earlyComplaint(leaf, value);
    if (early) complaints.set(key, early);
    else settings.set<string>(key, value);
  }
  try {
    settings.validate({ allowed: 'strict' });
  } catch (error) {
    if (complaints.size === 0) throw error;
  }
  report(complaints, env, findings);
  return Object.fromEntries(
    leaves().map(({ key, leaf }) => [key, complaints.has(key) ? leaf.default : (settings.get(key) as string)]),
  ) as Scalars;
}

function report(complaints: ReadonlyMap<ScalarKey, Complaint>, env: Environment, findings: Findings): void {
  for (const { key, path, leaf } of leaves()) {
    const complaint = complaints.get(key);
    if (!complaint) continue;
    if (leaf.env !== undefined && overridden(leaf, env)) findings.environmentError(leaf.env, path, complaint);
    else findings.error(path, complaint);
  }
}

/** An empty variable counts as not set: compose files pass them on like that. */
function overridden(leaf: Leaf, env: Environment): boolean {
  return leaf.env !== undefined && env[leaf.env] !== undefined && env[leaf.env] !== '';
}

function pickOverrides(env: Environment, complaints: Map<ScalarKey, Complaint>): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const { key, leaf } of leaves()) {
    const value = leaf.env === undefined ? undefined : env[leaf.env];
    if (leaf.env === undefined || value === undefined || value === '') continue;
    // convict would read `90x` as 90
    const complaint =
      typeof leaf.default === 'number' && !/^\d+$/.test(value) ? leaf.format.complaint(value) : undefined;
    if (complaint) complaints.set(key, complaint);
    else picked[leaf.env] = value;
  }
  return picked;
}

function earlyComplaint(leaf: Leaf, value: unknown): Complaint | undefined {
  if (value === null) {
    const cure = leaf.sensitive ? 'give it one, or remove the line' : `remove the line to get ${defaultText(leaf)}`;
    return { message: 'has no value', cure };
  }
  if (typeof value === 'object') return leaf.format.complaint(value);
  if (!leaf.sensitive && typeof value === 'string' && value.includes('${')) {
    const cure = leaf.env ? `write the value itself, or set ${leaf.env} in the environment` : 'write the value itself';
    return { message: 'references are for secrets only', cure };
  }
  return typeof leaf.default !== 'string' && typeof value === 'string' ? leaf.format.complaint(value) : undefined;
}

function defaultText(leaf: Leaf): string {
  return leaf.default === '' ? 'the default (empty)' : `the default (${leaf.default})`;
}

function convictSchema(complaints: Map<ScalarKey, Complaint>): ConvictTree {
  const tree: ConvictTree = {};
  for (const { key, path, leaf } of leaves()) {
    let node = tree;
    for (const part of path.slice(0, -1)) node = (node[part] ??= {}) as ConvictTree;
    node[path.at(-1) ?? ''] = {
      doc: leaf.doc,
      default: leaf.default,
      sensitive: leaf.sensitive === true,
      ...(leaf.env === undefined ? {} : { env: leaf.env }),
      format: (value: unknown) => {
        const complaint = leaf.format.complaint(value);
        if (!complaint) return;
        complaints.set(key, complaint);
        throw new Error(complaint.message);
      },
    };
  }
  return tree;
}

function valueAt(data: unknown, path: readonly string[]): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
