import { dirname, resolve } from 'node:path';
import type { FileReader } from './file-reader.js';
import type { Complaint, Findings, KeyPath } from './issue.js';

type Environment = Readonly<Record<string, string | undefined>>;

const REFERENCE = /^\$\{(env|file):([^{}]+)\}$/;
/** The secret that every drachtio sample uses, and so every scanner tries. */
const WELL_KNOWN_DRACHTIO_SECRET = 'cymru';
const MAX_SECRET_LENGTH = 16_384;

/** The configuration file that secrets stand in, or are named in. */
export interface SecretsPlace {
  readonly file: string;
  /** Whether only the owner can read it, so that literal secrets may stand in it. */
  readonly isPrivate: boolean;
}

/** Resolves the secrets of one file: `${env:NAME}`, `${file:/path}` or literal. */
export class Secrets {
  readonly #resolved = new Set<string>();

  constructor(
    private readonly findings: Findings,
    private readonly env: Environment,
    private readonly readFile: FileReader,
    private readonly place: SecretsPlace,
  ) {}

  /** Every secret that was resolved; for redaction, never for output. */
  get resolved(): readonly string[] {
    return [...this.#resolved];
  }

  /** The secret written at `path`, which must not be empty; an empty string when there is a finding. */
  required(path: KeyPath, written: string, why: string): string {
    if (written === '') {
      this.findings.error(path, { message: `is needed ${why}`, cure: 'write ${env:NAME} or ${file:/path}' });
      return '';
    }
    return this.optional(path, written);
  }

  /** The secret written at `path`; empty when it is written so, or when there is a finding. */
  optional(path: KeyPath, written: string): string {
    if (written === '') return '';
    const secret = this.#resolve(path, written);
    const complaint = secret === undefined ? undefined : unusable(secret);
    if (complaint) this.findings.error(path, complaint);
    if (secret === undefined || complaint) return '';
    this.#resolved.add(secret);
    return secret;
  }

  /** A part of a secret, which by itself is one, too. */
  add(part: string): void {
    this.#resolved.add(part);
  }

  /** A file's name as an absolute path. Relative ones begin where the configuration file lies. */
  pathOf(name: string): string {
    return resolve(dirname(this.place.file), name);
  }

  /** The text of a file that `path` names; undefined when there is a finding. */
  namedFile(path: KeyPath, name: string, isSecret: boolean): string | undefined {
    try {
      const { text, mode } = this.readFile(this.pathOf(name));
      if (isSecret) this.#warnOfMode(path, name, mode);
      return text;
    } catch (error) {
      const message = `file ${name} cannot be read (${errorCode(error)})`;
      this.findings.error(path, { message, cure: 'create it, readable by the user that runs sip2wa' });
      return undefined;
    }
  }

  /** The file that a secret written so comes from, as an absolute path; undefined when it comes from elsewhere. */
  fileOf(written: string): string | undefined {
    const match = REFERENCE.exec(written);
    return match?.[1] === 'file' ? this.pathOf(match[2] ?? '') : undefined;
  }

  /** As `required`, and the well-known default of drachtio-server is refused. */
  drachtio(path: KeyPath, written: string): string {
    const secret = this.required(path, written, 'when sip.server is drachtio');
    if (secret !== WELL_KNOWN_DRACHTIO_SECRET) return secret;
    this.findings.error(path, {
      message: 'is the well-known default of drachtio-server',
      cure: 'choose another in drachtio.conf.xml and here, for example from: openssl rand -hex 24',
    });
    return '';
  }

  #resolve(path: KeyPath, written: string): string | undefined {
    const reference = secretReference(written);
    if (reference?.kind === 'env') return this.#fromEnv(path, reference.name);
    if (reference) return this.#fromFile(path, reference.name);
    if (written.includes('${')) {
      const message = 'is neither a reference nor plain text';
      this.findings.error(path, { message, cure: 'write only ${env:NAME} or ${file:/path}, with nothing around it' });
      return undefined;
    }
    if (!this.place.isPrivate) {
      const message = 'is a secret in a file that others can read';
      this.findings.warn(path, { message, cure: 'write ${env:NAME} or ${file:/path}, or chmod 600 the file' });
    }
    return written;
  }

  #fromEnv(path: KeyPath, name: string): string | undefined {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      this.findings.error(path, { message: 'refers to no valid variable name', cure: 'write ${env:NAME}' });
      return undefined;
    }
    const value = this.env[name];
    if (value !== undefined && value !== '') return value;
    const state = value === undefined ? 'not set' : 'empty';
    this.findings.error(path, {
      message: `environment variable ${name} is ${state}`,
      cure: `set ${name} before starting`,
    });
    return undefined;
  }

  #fromFile(path: KeyPath, name: string): string | undefined {
    const text = this.namedFile(path, name, true);
    return text === undefined ? undefined : secretText(text);
  }

  /** Docker mounts its secrets as 0444 in a directory of their own; elsewhere a world-readable secret is a mistake. */
  #warnOfMode(path: KeyPath, name: string, mode: number): void {
    if ((mode & 0o007) === 0 || name.startsWith('/run/secrets/')) return;
    this.findings.warn(path, { message: `file ${name} can be read by everybody`, cure: 'chmod 600 the file' });
  }
}

/** What a secret as written refers to; undefined if it is the secret itself. */
export function secretReference(written: string): { readonly kind: 'env' | 'file'; readonly name: string } | undefined {
  const [, kind, name = ''] = REFERENCE.exec(written) ?? [];
  return kind === 'env' || kind === 'file' ? { kind, name } : undefined;
}

/** The reason why a file cannot be read, as the system's short word. */
export function errorCode(error: unknown): string {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' && /^[A-Z_0-9]{2,32}$/.test(code) ? code : 'unreadable';
}

/** The secret in a file: its text without the line break that editors put at the end. */
export function secretText(text: string): string {
  return text.replace(/\r?\n$/, '');
}

/** What makes a text no secret; undefined when nothing does. */
export function unusable(secret: string): Complaint | undefined {
  if (secret === '') return { message: 'is empty where it points to', cure: 'put the secret there' };
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(secret)) {
    return { message: 'has a line break or control character in it', cure: 'keep the secret on one line' };
  }
  if (secret.length > MAX_SECRET_LENGTH)
    return { message: 'is too long for a secret', cure: 'check what it points to' };
  return undefined;
}
