/** A path into the configuration file: `['trunks', 0, 'servers', 1, 'port']`. */
export type KeyPath = readonly (string | number)[];

/** One thing wrong with the configuration, with its place and its cure. Never holds a secret, nor any value as written. */
export interface ConfigIssue {
  /** File as it was named, or `environment variable NAME`. */
  readonly file: string;
  /** Line from 1; 0 when the place is not in a file. */
  readonly line: number;
  /** Column from 1; 0 when the place is not in a file. */
  readonly column: number;
  /** `trunks[0].servers[1].port`. */
  readonly key: string;
  readonly message: string;
  readonly cure: string;
}

/** A place in the file, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What a format or rule has to say against a value. */
export interface Complaint {
  readonly message: string;
  readonly cure: string;
}

/** Writes an issue as compilers do: `file:line:column: key: what is wrong; what to do`. */
export function formatIssue(issue: ConfigIssue, severity: 'error' | 'warning' = 'error'): string {
  const place = issue.line > 0 ? `${issue.file}:${issue.line}:${issue.column}` : issue.file;
  const mark = severity === 'warning' ? 'warning: ' : '';
  const key = issue.key === '' ? '' : `${issue.key}: `;
  return `${place}: ${mark}${key}${issue.message}; ${issue.cure}`;
}

/** Writes a path as operators read it. */
export function keyText(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** Whether the place wanted is the key's name or its value. */
export type Spot = 'key' | 'value';

/** Collects everything found in one run, in the order of the file. */
export class Findings {
  readonly #errors: ConfigIssue[] = [];
  readonly #faulty = new Set<string>();
  readonly #warnings: ConfigIssue[] = [];

  constructor(
    private readonly file: string,
    private readonly locate: (path: KeyPath, spot: Spot) => Position,
  ) {}

  /**
   * The first error of a key is the one to cure; later ones follow from it and are left out. `shown` is what the key is called,
   * if its own name must not be.
   */
  error(path: KeyPath, complaint: Complaint, spot: Spot = 'value', shown = path): void {
    const key = keyText(path);
    if (this.#faulty.has(key)) return;
    this.#faulty.add(key);
    this.#errors.push({ ...this.#issue(path, complaint, spot), key: keyText(shown) });
  }

  /** Whether this very key has an error, so that rules which follow from it keep quiet. */
  isFaulty(path: KeyPath): boolean {
    return this.#faulty.has(keyText(path));
  }

  /** Whether this key has an error, or one that it stands below, or anything below it. */
  hasErrorOnTheWayTo(path: KeyPath): boolean {
    const text = keyText(path);
    const isAbove = (key: string): boolean => text === key || text.startsWith(`${key}.`) || text.startsWith(`${key}[`);
    const isBelow = (key: string): boolean => key.startsWith(`${text}.`) || key.startsWith(`${text}[`);
    return [...this.#faulty].some((key) => isAbove(key) || isBelow(key));
  }

  warn(path: KeyPath, complaint: Complaint, spot: Spot = 'value'): void {
    this.#warnings.push(this.#issue(path, complaint, spot));
  }

  /** An error whose place is an environment variable that overrides `path`. */
  environmentError(variable: string, path: KeyPath, complaint: Complaint): void {
    const file = `environment variable ${variable}`;
    this.#errors.push({ file, line: 0, column: 0, key: keyText(path), ...complaint });
  }

  get errors(): readonly ConfigIssue[] {
    return [...this.#errors].sort(byPlace);
  }

  get warnings(): readonly ConfigIssue[] {
    return [...this.#warnings].sort(byPlace);
  }

  #issue(path: KeyPath, complaint: Complaint, spot: Spot): ConfigIssue {
    const { line, column } = this.locate(path, spot);
    return { file: this.file, line, column, key: keyText(path), message: complaint.message, cure: complaint.cure };
  }
}

/** Orders issues as the file does. */
export function byPlace(a: ConfigIssue, b: ConfigIssue): number {
  return a.line - b.line || a.column - b.column;
}
