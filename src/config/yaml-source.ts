import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Alias, Document, Node, Pair, Scalar, YAMLError, YAMLMap, YAMLSeq } from 'yaml';
import type { Complaint, KeyPath, Position, Spot } from './issue.js';
import { keyText } from './issue.js';

/** Keys whose value is text whatever it looks like: read from the scalar's source, so that `+1555…` and `0400` stay whole. */
const TEXT_KEYS = new Set(
  (
    'id number name from to trunk hostname username password access_token app_secret verify_token token secret ' +
    'open_time close_time start_time end_time date announcement_media_id ' +
    'accept_from destinations remote_networks request_uri_user_params'
  ).split(' '),
);
/** Bounds what aliases may blow a file up to. */
const MAX_NODES = 20_000;
const MAX_DEPTH = 40;

const UNKNOWN_ANCHOR: Complaint = { message: 'a * names no anchor', cure: 'quote the value if the star is part of it' };

const SYNTAX: Readonly<Record<string, Complaint>> = {
  TAB_AS_INDENT: { message: 'a tab is used for indentation', cure: 'indent with spaces' },
  BAD_INDENT: { message: 'the indentation does not fit', cure: 'align the line with its neighbours' },
  MISSING_CHAR: { message: 'a bracket, quote or colon is missing', cure: 'close what was opened, or write KEY: VALUE' },
  MULTILINE_IMPLICIT_KEY: { message: 'a key runs over several lines', cure: 'write KEY: VALUE on one line' },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a nested KEY: VALUE stands on the line of another key',
    cure: 'put it on a line of its own, or quote the value',
  },
  BAD_ALIAS: UNKNOWN_ANCHOR,
  MULTIPLE_DOCS: { message: 'the file holds more than one document', cure: 'remove the --- between them' },
  BAD_DQ_ESCAPE: { message: 'unknown escape in double quotes', cure: 'use single quotes, or double the backslash' },
  BAD_SCALAR_START: { message: 'a value cannot begin with this character', cure: 'quote the value' },
};

/** Where something stands in the file, by path. */
interface Place {
  readonly key: number | undefined;
  readonly value: number;
}

/** Something wrong with the YAML itself. */
export interface SourceProblem extends Complaint, Position {
  readonly path: KeyPath;
}

/** A YAML file as plain data, knowing where each value stands and how it was written. */
export class YamlSource {
  readonly data: unknown;
  readonly problems: SourceProblem[] = [];
  readonly #places = new Map<string, Place>();
  readonly #unquoted = new Map<string, string>();
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;
  #nodes = 0;
  #tooBig = false;

  constructor(text: string) {
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: false,
      stringKeys: true,
      // `silent` would let a second document pass; nothing is printed at this level by parseDocument
      logLevel: 'error',
    });
    for (const error of this.#document.errors) this.#syntax(error);
    this.data = this.problems.length > 0 ? undefined : this.#convert(this.#document.contents, []);
  }

  /** The place of a key's name or value; of the nearest parent when the path itself is not in the file. */
  position(path: KeyPath, spot: Spot): Position {
    const place = this.#places.get(keyText(path));
    if (place) return this.#at(spot === 'key' ? (place.key ?? place.value) : place.value);
    if (path.length === 0) return { line: 1, column: 1 };
    return this.position(path.slice(0, -1), 'key');
  }

  /** The source of a scalar that YAML would have read as a number, boolean or null although text is wanted there. */
  unquotedText(path: KeyPath): string | undefined {
    return this.#unquoted.get(keyText(path));
  }

  /** Whether the file says anything at this path. */
  has(path: KeyPath): boolean {
    return this.#places.has(keyText(path));
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /** Never passes on the library's own text: it may quote the file, and so a secret. */
  #syntax(error: YAMLError): void {
    const complaint = SYNTAX[error.code] ?? {
      message: 'this is not valid YAML',
      cure: 'check quotes, brackets and indentation near here',
    };
    const place = this.#at(error.pos[0]);
    // further errors on a line follow from the first
    if (this.problems.some(({ line }) => line === place.line)) return;
    this.problems.push({ path: [], ...complaint, ...place });
  }

  #problem(path: KeyPath, offset: number, complaint: Complaint): void {
    this.problems.push({ path, ...complaint, ...this.#at(offset) });
  }

  #convert(node: Node | null, path: KeyPath, keyOffset?: number, depth = 0): unknown {
    if (!node) return null;
    const offset = node.range?.[0] ?? 0;
    if (!this.#places.has(keyText(path))) this.#places.set(keyText(path), { key: keyOffset, value: offset });
    if (this.#isTooBig(path, offset, depth)) return null;
    if (isAlias(node)) return this.#alias(node, path, offset, depth, keyOffset);
    if (isMap(node)) return this.#map(node, path, depth);
    if (isSeq(node)) return this.#list(node, path, depth);
    return isScalar(node) ? this.#scalar(node, path) : null;
  }

  #alias(node: Alias, path: KeyPath, offset: number, depth: number, keyOffset?: number): unknown {
    const target = node.resolve(this.#document);
    if (target) return this.#convert(target, path, keyOffset, depth + 1);
    this.#problem(path, offset, UNKNOWN_ANCHOR);
    return null;
  }

  /** Stops aliases that multiply or contain themselves; said once. */
  #isTooBig(path: KeyPath, offset: number, depth: number): boolean {
    if (++this.#nodes <= MAX_NODES && depth <= MAX_DEPTH) return false;
    this.#nodes = MAX_NODES + 1;
    if (!this.#tooBig)
      this.#problem(path, offset, { message: 'the file is too large or too deep', cure: 'use fewer aliases' });
    this.#tooBig = true;
    return true;
  }

  #map(node: YAMLMap, path: KeyPath, depth: number): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const keyOffset = pair.key.range?.[0] ?? 0;
      const below = [...path, key];
      if (Object.hasOwn(result, key)) {
        const first = this.position(below, 'key').line;
        const message = `is set twice in this block, first in line ${first}`;
        this.#problem(below, keyOffset, { message, cure: 'keep one of the two' });
        continue;
      }
      const value = this.#convert(pair.value, below, keyOffset, depth + 1);
      // a value that is not there has no place of its own
      if (value === null && isEmpty(pair.value)) this.#places.set(keyText(below), { key: keyOffset, value: keyOffset });
      Object.defineProperty(result, key, { value, enumerable: true, configurable: true, writable: true });
    }
    return result;
  }

  #list(node: YAMLSeq, path: KeyPath, depth: number): unknown[] {
    return node.items.map((item, index) => this.#convert(item as Node | null, [...path, index], undefined, depth + 1));
  }

  #scalar(node: Scalar, path: KeyPath): unknown {
    const { value, source } = node;
    if (typeof value === 'string' || value === null || source === undefined || !isTextPath(path)) return value;
    this.#unquoted.set(keyText(path), source);
    return source;
  }
}

function isEmpty(node: Node | null): boolean {
  return !node || (isScalar(node) && (node.source ?? '') === '');
}

function isTextPath(path: KeyPath): boolean {
  const names = path.filter((part) => typeof part === 'string').slice(-2);
  return names.some(
    (name, index) => TEXT_KEYS.has(name) && (index === names.length - 1 || name === 'request_uri_user_params'),
  );
}
