import { stringify } from 'yaml';
import type { EffectiveValue, Origin } from './effective-config.js';
import type { KeyPath } from './issue.js';

/** Beyond this column a place is not aligned with those of other lines. */
const MAX_COLUMN = 60;

/** YAML, with the place of each value behind it. */
export function effectiveYaml(file: string, values: readonly EffectiveValue[]): string {
  const lines: { readonly text: string; readonly place: string }[] = [];
  let before: KeyPath = [];
  for (const { path, value, from } of values) {
    const heads = headsOf(path, before);
    lines.push(...heads.map((text) => ({ text, place: '' })));
    lines.push({ text: lineOf(path, value, before), place: placeOf(file, from) });
    before = path;
  }
  const width = Math.min(MAX_COLUMN, Math.max(...lines.map(({ text }) => text.length)));
  const shown = lines.map(({ text, place }) => (place === '' ? text : `${text.padEnd(width)}  # ${place}`));
  return `${shown.join('\n')}\n`;
}

/** How much of a path stands above it already. */
function common(path: KeyPath, before: KeyPath): number {
  const differs = path.findIndex((part, depth) => part !== before[depth]);
  return differs < 0 ? path.length : differs;
}

/** The keys above a value that the lines before do not have; a list's dash stands before the first key below it. */
function headsOf(path: KeyPath, before: KeyPath): string[] {
  const heads: string[] = [];
  for (let depth = common(path, before); depth < path.length - 1; depth++) {
    const part = path[depth];
    if (typeof part === 'string') heads.push(`${startOf(path, depth, before)}${part}:`);
  }
  return heads;
}

function lineOf(path: KeyPath, value: unknown, before: KeyPath): string {
  const last = path.length - 1;
  const start = startOf(path, last, before);
  const key = path[last];
  const name = typeof key === 'string' ? `${key}: ` : '';
  if (value === undefined) return `${' '.repeat(2 * last)}# ${name}as DNS says`;
  return `${start}${name}${yamlOf(value)}`;
}

/** Indentation, and the dash if an item of a list begins here. */
function startOf(path: KeyPath, depth: number, before: KeyPath): string {
  if (typeof path[depth] === 'number') return `${' '.repeat(2 * depth)}- `;
  const isFirstOfItem = typeof path[depth - 1] === 'number' && common(path, before) < depth;
  return isFirstOfItem ? `${' '.repeat(2 * (depth - 1))}- ` : ' '.repeat(2 * depth);
}

/** On one line. */
function yamlOf(value: unknown): string {
  return stringify(value, { lineWidth: 0, collectionStyle: 'flow', blockQuote: false }).trimEnd();
}

function placeOf(file: string, from: Origin): string {
  if (from.kind === 'default') return 'default';
  if (from.kind === 'env') {
    const named = from.line === undefined ? '' : `, named in ${file}:${from.line}`;
    return `environment variable ${from.name}${named}`;
  }
  const line = `${file}:${from.line}`;
  if (from.named !== undefined) return `file ${from.named}, named in ${line}`;
  return from.key === undefined ? line : `${line} ${from.key}`;
}
