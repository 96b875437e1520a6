import { Document, isScalar, Scalar, visit } from 'yaml';
import { z } from 'zod';
import type { WaNumber } from '../routing/types.js';
import { isBlock } from './lists.js';
import { readOnlySettings, settingsSchema } from './settings-schema.js';

/** A number and the `calling` block that Meta holds of it. */
export interface PulledSettings {
  readonly number: Pick<WaNumber, 'id' | 'name' | 'number'>;
  readonly calling: Readonly<Record<string, unknown>>;
}

/** Text that YAML, or people, could take for a number. */
const LIKE_A_NUMBER = /^[\d+.:-]+$/;

/**
 * What Meta holds, as `numbers:` of a configuration file. What only Meta writes, and what the file has no key or word for, stands
 * below as a comment.
 */
export function settingsYaml(pulled: readonly PulledSettings[]): string {
  const split = pulled.map(({ number, calling }) => ({ number, ...divided(settingsSchema, { calling }) }));
  const document = new Document({
    numbers: split.map(({ number: { id, number, name }, ours }) => ({ id, number, name, settings: ours })),
  });
  visit(document, { Scalar: (_, scalar) => quote(scalar) });
  const text = document.toString({ lineWidth: 120 }).trimEnd();
  const comments = split.flatMap(({ number, others }) => comment(number.name, others));
  return [text, ...comments, ''].join('\n');
}

/** Times, dates and ids stay text for every reader of YAML. */
function quote(scalar: Scalar): void {
  if (isScalar(scalar) && typeof scalar.value === 'string' && LIKE_A_NUMBER.test(scalar.value)) {
    scalar.type = Scalar.QUOTE_DOUBLE;
  }
}

function comment(name: string, others: unknown): string[] {
  if (others === undefined) return [];
  const lines = new Document(others).toString({ lineWidth: 110 }).trimEnd().split('\n');
  return [`# ${name}: Meta also holds`, ...lines.map((line) => `#   ${line}`)];
}

interface Divided {
  /** What the schema has a key for. */
  readonly ours: unknown;
  /** All else, at its place; undefined if there is nothing. */
  readonly others: unknown;
}

function divided(schema: z.core.$ZodType, value: unknown): Divided {
  if (schema instanceof z.ZodOptional) return divided(schema.unwrap(), value);
  if (schema instanceof z.ZodObject && isBlock(value)) return dividedBlock(schema, value);
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    const items = value.map((item: unknown) => divided(schema.element, item));
    const others = items.map((item) => item.others ?? {});
    const hasOthers = items.some((item) => item.others !== undefined);
    return { ours: items.map(({ ours }) => ours), others: hasOthers ? others : undefined };
  }
  return { ours: value, others: undefined };
}

/** A word of Meta's that the file would refuse takes the nearest key with it that may be left out. */
function dividedKey(schema: z.core.$ZodType, value: unknown): Divided {
  const part = divided(schema, value);
  if (!(schema instanceof z.ZodOptional) || z.safeParse(schema, part.ours).success) return part;
  return { ours: undefined, others: value };
}

function dividedBlock(schema: z.ZodObject, value: Record<string, unknown>): Divided {
  const ours: Record<string, unknown> = {};
  const others: Record<string, unknown> = {};
  for (const [key, below] of Object.entries(value)) {
    const isOurs = Object.hasOwn(schema.shape, key) && !readOnlySettings.includes(key);
    const part = isOurs ? dividedKey(schema.shape[key] as z.core.$ZodType, below) : { ours: undefined, others: below };
    const isEmptied = part.others !== undefined && isBlock(part.ours) && Object.keys(part.ours).length === 0;
    if (part.ours !== undefined && !isEmptied) ours[key] = part.ours;
    if (part.others !== undefined) others[key] = part.others;
  }
  return { ours, others: Object.keys(others).length > 0 ? others : undefined };
}
