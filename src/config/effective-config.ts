import { configJsonSchema } from './json-schema.js';
import type { Config } from './config.js';
import type { FileReader } from './file-reader.js';
import { systemFileReader } from './file-reader.js';
import type { JsonSchema } from './formats.js';
import { Findings, keyText, type KeyPath } from './issue.js';
import { isBlock } from './lists.js';
import { loadConfig, type LoadOptions, type LoadResult } from './load-config.js';
import { leaves, type ScalarKey } from './scalar-schema.js';
import { readScalars, type Scalars } from './scalars.js';
import { secretReference } from './secrets.js';
import { YamlSource } from './yaml-source.js';

/** Where a value comes from. `line` is that of the file; `key` is there if it is not the value's own. */
export type Origin =
  | { readonly kind: 'file'; readonly line: number; readonly key?: string; readonly named?: string }
  | { readonly kind: 'env'; readonly name: string; readonly line?: number }
  | { readonly kind: 'default' };

/** One value that is in effect. */
export interface EffectiveValue {
  readonly path: KeyPath;
  /** Stars, if it is a secret; undefined: DNS says it. */
  readonly value: unknown;
  readonly from: Origin;
}

export type EffectiveConfig =
  | { readonly ok: true; readonly file: string; readonly values: readonly EffectiveValue[] }
  | { readonly ok: false; readonly result: LoadResult & { readonly ok: false } };

const MASK = '********';
/** A shorter one is in half of all words. */
const MIN_SECRET_LENGTH = 4;

/** Reads a configuration as `loadConfig` does, and says of every value what it is and where it comes from; secrets as stars. */
export function effectiveConfig(options: LoadOptions): EffectiveConfig {
  const readFile = readOnce(options.readFile ?? systemFileReader);
  const result = loadConfig({ ...options, readFile });
  if (!result.ok) return { ok: false, result };
  const source = new YamlSource(readFile(result.file).text);
  const data = isBlock(source.data) ? source.data : {};
  const noFindings = new Findings(result.file, (path, spot) => source.position(path, spot));
  const scalars = readScalars(data, options.env, noFindings);
  const values = new Walk(source, data, scalars, options.env, result.config).values();
  const shown = values.map((one) => ({ ...one, value: withoutSecrets(one.value, result.secrets) }));
  return { ok: true, file: result.file, values: shown };
}

/** So that both looks at the file see the same. */
function readOnce(readFile: FileReader): FileReader {
  const known = new Map<string, ReturnType<FileReader>>();
  return (path) => {
    const found = known.get(path) ?? readFile(path);
    known.set(path, found);
    return found;
  };
}

/** A secret that stands where none belongs is not shown either. */
function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') {
    return secrets.some((secret) => secret.length >= MIN_SECRET_LENGTH && value.includes(secret)) ? MASK : value;
  }
  if (Array.isArray(value)) return value.map((item: unknown) => withoutSecrets(item, secrets));
  if (!isBlock(value)) return value;
  const entries = Object.entries(value).map(([key, below]) => [
    String(withoutSecrets(key, secrets)),
    withoutSecrets(below, secrets),
  ]);
  return Object.fromEntries(entries) as unknown;
}

/** A place in the schema, where it is shown, and the places in the file that say it, the first that is there counting. */
interface Node {
  readonly schema: JsonSchema;
  readonly path: KeyPath;
  readonly sources: readonly KeyPath[];
  /** Whether what is not written has a default: of what Meta holds it has none. */
  readonly hasDefaults: boolean;
}

/** Goes through the schema, with the file beside it. */
class Walk {
  readonly #byScalar: ReadonlyMap<string, { readonly key: ScalarKey; readonly env: string | undefined }>;

  constructor(
    private readonly source: YamlSource,
    private readonly data: Record<string, unknown>,
    private readonly scalars: Scalars,
    private readonly env: Readonly<Record<string, string | undefined>>,
    private readonly config: Config,
  ) {
    this.#byScalar = new Map(leaves().map(({ key, leaf }) => [key, { key, env: leaf.env }]));
  }

  values(): EffectiveValue[] {
    return this.#block({ schema: configJsonSchema(), path: [], sources: [[]], hasDefaults: true });
  }

  #block(node: Node): EffectiveValue[] {
    const properties = Object.entries(node.schema['properties'] as Record<string, JsonSchema>);
    return properties.flatMap(([key, schema]) => this.#node(this.#below(node, key, schema)));
  }

  #below(node: Node, key: string, schema: JsonSchema): Node {
    const { path } = node;
    const own = node.sources.map((source) => [...source, key]);
    const isWritten = path.length === 0 && key === 'trunk_defaults';
    const isSettings = path[0] === 'numbers' && key === 'settings';
    const hasDefaults = node.hasDefaults && !isWritten && !isSettings;
    return { schema, path: [...path, key], sources: [...own, ...this.#fallbacks(path, key)], hasDefaults };
  }

  /** Where else a key of a trunk or number may be said. */
  #fallbacks(path: KeyPath, key: string): KeyPath[] {
    if (path.length !== 2) return [];
    const [list, at] = path;
    if (list === 'trunks') return key === 'name' || key === 'servers' ? [] : [['trunk_defaults', key]];
    if (list !== 'numbers') return [];
    if (key === 'name') return [[...path, 'id']];
    if (key !== 'permission') return [];
    const trunk = this.config.numbers[Number(at)]?.trunk;
    const index = this.config.trunks.findIndex(({ name }) => name === trunk);
    return [...(this.source.has(['trunks', index]) ? [['trunks', index, key]] : []), ['trunk_defaults', key]];
  }

  #node(node: Node): EffectiveValue[] {
    const { schema, path } = node;
    const source = node.sources.find((one) => this.#at(one) !== undefined);
    const written = source && this.#at(source);
    if (schema['properties'] && schema['additionalProperties'] === false) {
      const isSection = node.hasDefaults && !isInList(path) && !isOptionalBlock(schema);
      if (source) return this.#block({ ...node, sources: [source] });
      return isSection ? this.#block(node) : [];
    }
    if (source && Array.isArray(written) && this.#isTaken(schema, written)) {
      const items = itemSchema(schema) ?? {};
      return written.flatMap((_, index) =>
        this.#node({ ...node, schema: items, path: [...path, index], sources: [[...source, index]] }),
      );
    }
    return this.#leaf(node, source, written);
  }

  /** Whether the items of a list are shown one by one: those that have keys, or are secrets. */
  #isTaken(schema: JsonSchema, written: readonly unknown[]): boolean {
    const items = itemSchema(schema);
    return written.length > 0 && items !== undefined && (items['properties'] !== undefined || isSecret(items));
  }

  #leaf(node: Node, source: KeyPath | undefined, written: unknown): EffectiveValue[] {
    const { path, schema } = node;
    const scalar = this.#byScalar.get(keyText(path));
    const from = this.#origin(node, source, written, scalar?.env);
    const value = scalar ? this.scalars[scalar.key] : source && (written ?? []);
    if (value !== undefined) return [{ path, from, value: isSecret(schema) ? masked(value) : value }];
    const site = this.#site(path);
    if (site) return [{ path, from, value: site.value }];
    const byDefault = node.hasDefaults ? defaultOf(schema) : undefined;
    return byDefault === undefined ? [] : [{ path, from, value: byDefault }];
  }

  /** Port and transport of a server, where the file leaves them to DNS or to each other. */
  #site(path: KeyPath): { readonly value: unknown } | undefined {
    const [list, at, block, ...more] = path;
    const trunk = list === 'trunks' ? this.config.trunks[Number(at)] : undefined;
    const key = more.at(-1);
    if (!trunk || (key !== 'port' && key !== 'transport')) return undefined;
    const site = block === 'servers' ? trunk.servers[Number(more[0])] : trunk.outboundProxy;
    const isAsked = site?.lookup !== undefined && (key === 'port' || site.lookup === 'naptr');
    return site && { value: isAsked ? undefined : site[key] };
  }

  #origin(node: Node, source: KeyPath | undefined, written: unknown, variable: string | undefined): Origin {
    if (variable !== undefined && (this.env[variable] ?? '') !== '') return { kind: 'env', name: variable };
    if (!source) return { kind: 'default' };
    const { line } = this.source.position(source, 'value');
    const reference = isSecret(node.schema) && typeof written === 'string' ? secretReference(written) : undefined;
    if (reference?.kind === 'env') return { kind: 'env', name: reference.name, line };
    const key = keyText(source);
    return {
      ...{ kind: 'file', line },
      ...(key !== keyText(node.path) && { key }),
      ...(reference && { named: reference.name }),
    };
  }

  #at(path: KeyPath): unknown {
    return path.reduce<unknown>((at, part) => {
      if (typeof part === 'number') return Array.isArray(at) ? (at[part] as unknown) : undefined;
      return isBlock(at) && Object.hasOwn(at, part) ? at[part] : undefined;
    }, this.data);
  }
}

const isInList = (path: KeyPath): boolean => path.some((part) => typeof part === 'number');
/** Sections may be empty; other blocks are there or not. */
const isOptionalBlock = (schema: JsonSchema): boolean => schema['type'] === 'object';
const isSecret = (schema: JsonSchema): boolean => optionsOf(schema).some((option) => option['writeOnly'] === true);
const defaultOf = (schema: JsonSchema): unknown => schema['default'] ?? (isList(schema) ? [] : undefined);
const isList = (schema: JsonSchema): boolean => Array.isArray(schema['type']) && schema['type'].includes('array');
const optionsOf = (schema: JsonSchema): JsonSchema[] => (schema['oneOf'] as JsonSchema[] | undefined) ?? [schema];
const itemSchema = (schema: JsonSchema): JsonSchema | undefined =>
  optionsOf(schema)
    .map((option) => option['items'] as JsonSchema | undefined)
    .find((items) => items !== undefined);
const masked = (written: unknown): unknown => (written === '' ? '' : MASK);
