import { readAdminAccess, type AdminAccess } from '../config/admin-access.js';
import { formatIssue } from '../config/issue.js';
import type { ConsoleIo } from './console-io.js';

/** Options of every command that asks the daemon. */
export interface AdminOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** Longest wait for the daemon, in milliseconds; it is on this machine or near. */
const DEADLINE_MS = 10_000;

/** A command could not be done; `problem` is the daemon's own document, if it said one. */
export class AdminFault extends Error {
  constructor(
    message: string,
    readonly problem: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = 'AdminFault';
  }
}

/** Asks the daemon that runs with the same configuration file. */
export class AdminClient {
  private constructor(private readonly access: AdminAccess) {}

  /** @throws AdminFault when the file does not say where the daemon is */
  static of(options: AdminOptions, io: Pick<ConsoleIo, 'env'>): AdminClient {
    const access = readAdminAccess({ file: options.config, env: io.env });
    if ('file' in access) return new AdminClient(access);
    throw new AdminFault(access.map((one) => formatIssue(one)).join('\n'));
  }

  get<Answer>(path: string): Promise<Answer> {
    return this.#ask('GET', path);
  }

  /** @throws AdminFault */
  send<Answer>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Answer> {
    return this.#ask(method, path, body);
  }

  /**
   * What is sent until the daemon ends it, or `stop` does, which is no error.
   * @throws AdminFault
   */
  async *stream(
    path: string,
    body: unknown,
    { deadlineMs, stop }: { readonly deadlineMs: number; readonly stop?: AbortSignal | undefined },
  ): AsyncGenerator<Uint8Array, void, void> {
    const { token } = this.access;
    const deadline = AbortSignal.timeout(deadlineMs);
    try {
      const response = await fetch(`http://${this.#place}${path}`, {
        method: 'POST',
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          'content-type': 'application/json',
        },
        ...{ body: JSON.stringify(body), redirect: 'error' },
        signal: stop ? AbortSignal.any([deadline, stop]) : deadline,
      });
      if (!response.ok || !response.body) throw this.#refused(response.status, parsed(await response.text()));
      yield* response.body as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (stop?.aborted === true) return;
      throw error instanceof AdminFault ? error : this.#unreached(error);
    }
  }

  async #ask<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    const { token } = this.access;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`http://${this.#place}${path}`, {
        method,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      text = await response.text();
    } catch (error) {
      throw this.#unreached(error);
    }
    // Whoever listens there may repeat what it was sent.
    const document = parsed(token === '' ? text : text.replaceAll(token, '[redacted]'));
    if (response.ok && document) return document as Answer;
    throw this.#refused(response.status, document);
  }

  /** A daemon that listens everywhere is asked on loopback. */
  get #place(): string {
    const { host, port } = this.access.listen;
    const asked = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
    return `${asked.includes(':') ? `[${asked}]` : asked}:${port}`;
  }

  #unreached(error: unknown): AdminFault {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code =
      (cause as NodeJS.ErrnoException | undefined)?.code ?? (cause instanceof Error ? cause.message : 'failed');
    const isTimeout = error instanceof Error && error.name === 'TimeoutError';
    const where = `${this.#place} (admin.listen of ${this.access.file})`;
    if (code === 'ECONNREFUSED') return new AdminFault(`no daemon listens on ${where}: is sip2wa running?`);
    if (isTimeout) return new AdminFault(`the daemon on ${where} does not answer`);
    return new AdminFault(`the daemon on ${where} is not reached (${code})`);
  }

  #refused(status: number, problem: Readonly<Record<string, unknown>> | undefined): AdminFault {
    const { tokenIssue, file } = this.access;
    if (status === 401) {
      const why = tokenIssue ? formatIssue(tokenIssue) : `the daemon does not take admin.token of ${file}`;
      return new AdminFault(why, problem);
    }
    if (typeof problem?.['title'] !== 'string') {
      return new AdminFault(`what answers on ${this.#place} is not this version of sip2wa (HTTP ${status})`);
    }
    const { title, detail } = problem as { title: string; detail?: string };
    return new AdminFault(detail === undefined ? title : `${title}: ${detail}`, problem);
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
